"""A Skill's identity is the digest of its canonical bytes, and two Skills differ field by field."""

import hashlib

from hypothesis import given

from skills.diff import Change, diff
from skills.skill import Skill
from skills.skill_md import read
from skills.version import SkillVersion, digest
from tests.unit.skills.samples import SKILL, SKILLS, with_line, with_risk


@given(SKILLS)
def test_the_digest_is_that_of_the_bytes_a_version_stores(skill: Skill) -> None:
    """Anyone can recompute it from the text alone."""
    version = SkillVersion.of(skill)

    assert version.digest == digest(skill) == hashlib.sha256(version.text.encode()).hexdigest()
    assert read(version.text) == skill


@given(SKILLS, SKILLS)
def test_equal_skills_and_only_they_share_a_digest(one: Skill, other: Skill) -> None:
    """The same meaning has the same name."""
    assert (digest(one) == digest(other)) == (one == other)


def test_a_default_spelled_out_is_the_same_skill() -> None:
    """Saying what would hold anyway does not make another version; nor does another way to write it."""
    same = with_risk("max_orders_per_hour: 60").replace("schedule: 1h", "schedule: 60m")
    same = same.replace(
        "[get_bars, get_portfolio, propose_order]", "[propose_order, get_portfolio, get_bars]"
    )

    assert digest(read(same)) == digest(read(SKILL))


def test_the_digest_of_a_skill_does_not_drift() -> None:
    """When this fails, the canonical form has changed, and a Skill saved again would be a new version."""
    assert digest(read(SKILL)) == "63830d6eac755f007bc87cbf6978ed674b901166179efd5d57ea9839fcfc8df1"


@given(SKILLS)
def test_a_skill_does_not_differ_from_itself(skill: Skill) -> None:
    """No change is reported where there is none."""
    assert diff(skill, skill) == []


@given(SKILLS, SKILLS)
def test_two_skills_differ_exactly_when_something_is_reported(one: Skill, other: Skill) -> None:
    """Every difference is reported, and reported the same way round and back."""
    changes = diff(one, other)
    back = {(change.path, change.after, change.before) for change in diff(other, one)}

    assert bool(changes) == (one != other)
    assert {(change.path, change.before, change.after) for change in changes} == back


def test_each_field_that_changed_is_named_as_it_is_written() -> None:
    """A cap is named by its key, and what is new or gone has None on the other side."""
    text = with_risk("stop_guard: {stops: 3, window: 1d, pause: 4h}")
    text = text.replace("fast: 20, ", "").replace("symbols: [BTC]", "symbols: [BTC, ETH]")

    assert diff(read(SKILL), read(text)) == [
        Change("model_params.fast", "20", None),
        Change("market.symbols", "[BTC]", "[BTC, ETH]"),
        Change("risk.stop_guard", "null", None),
        Change("risk.stop_guard.stops", None, "3"),
        Change("risk.stop_guard.window", None, "1d"),
        Change("risk.stop_guard.pause", None, "4h"),
    ]


def test_a_changed_prompt_is_shown_line_by_line() -> None:
    """The prompt's change carries a unified diff."""
    (change,) = diff(read(SKILL), read(with_line("You trade.", "You trade.\nCarefully.")))

    assert change.path == "prompt"
    assert change.diff.split("\n") == [
        "--- before",
        "+++ after",
        "@@ -1 +1,2 @@",
        " You trade.",
        "+Carefully.",
    ]
