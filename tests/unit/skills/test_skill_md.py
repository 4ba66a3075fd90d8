"""SKILL.md is read with every problem named by its line, and written in one form only."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.caps import Caps, StopGuard
from skills.problems import SkillError
from skills.schema import MAX_PROMPT_BYTES, build, front_matter, platform_caps
from skills.skill import Market, Skill
from skills.skill_md import MAX_FILE_BYTES, read, read_bytes, write
from tests.unit.skills.samples import FRONT_MATTER, PROMPTS, SKILL, SKILLS, with_line, with_risk


def complaints(text: str | bytes) -> list[str]:
    """What reading says, a line each."""
    with pytest.raises(SkillError) as caught:
        read(text) if isinstance(text, str) else read_bytes(text)
    return str(caught.value).splitlines()


def test_a_skill_is_read_whole() -> None:
    """Every part of the file is in the Skill, and what it leaves out has its default."""
    assert read(SKILL) == Skill(
        name="btc-trend",
        description="Follows the trend",
        model="baseline:sma-cross",
        model_params={"fast": 20, "size": Decimal("0.1"), "slow": 50},
        schedule="1h",
        market=Market(symbols=("BTC",), interval="1h", bars=200, news=0, funding=True),
        tools=("get_bars", "get_portfolio", "propose_order"),
        mcp=(),
        caps=Caps(max_leverage=Decimal(3), daily_loss_pct=Decimal(5)),
        on_stop="keep",
        prompt="You trade.",
    )


@given(SKILLS)
def test_what_is_written_reads_back_the_same(skill: Skill) -> None:
    """Reading a written Skill gives an equal one, and writing that gives the same text."""
    text = write(skill)

    assert read(text) == skill
    assert write(read(text)) == text
    assert read_bytes(text.encode()) == skill


@given(SKILLS)
def test_a_skills_front_matter_builds_the_same_skill(skill: Skill) -> None:
    """A draft that starts from a Skill's own front matter is that Skill."""
    assert build(front_matter(skill), skill.prompt) == skill


@given(FRONT_MATTER, PROMPTS)
def test_line_ends_and_a_byte_order_mark_change_nothing(data: dict[str, object], prompt: str) -> None:
    """A file from another system reads as the same Skill."""
    skill = build(data, prompt)
    text = write(skill)

    assert read_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == skill


@given(
    st.text() | st.text("---\n:[]{}&*!|>'\"#%@`ab \t", max_size=60).map(lambda text: f"---\n{text}\n---\n")
)
def test_any_text_is_read_or_refused_in_lines(text: str) -> None:
    """Whatever a file holds, the answer is a Skill or problems that each name the file."""
    with pytest.raises(SkillError) as caught:
        read(text)

    lines = str(caught.value).split("\n")
    assert all(line.startswith("SKILL.md:") for line in lines)
    assert len(lines) == len(caught.value.problems)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Bytes that are no text end as a problem too."""
    assert complaints(data)


def test_comments_quotes_and_order_do_not_matter() -> None:
    """Another way to write the same gives the same Skill."""
    other = """\
---
# a comment
on_stop: 'keep'
risk: {daily_loss_pct: 5.0, "max_leverage": "3"}   # quoted or not
tools:
  - propose_order
  - get_portfolio
  - get_bars
market:
  interval: 1h
  symbols:
    - BTC
schedule: 60m
model_params:
  size: 0.10
  slow: 50
  fast: 20
model: baseline:sma-cross
description: >-
  Follows
  the trend
name: btc-trend
---


You trade.

"""
    assert read(other) == read(SKILL)


def test_the_canonical_form_spells_everything_out() -> None:
    """Every key and every cap is written, in one order, so that a later default changes nothing."""
    skill = read(with_risk("stop_guard: {stops: 3, window: 24h, pause: 90m}"))

    assert (
        write(skill)
        == """\
---
name: btc-trend
description: Follows the trend
model: baseline:sma-cross
model_params:
  fast: 20
  size: 0.1
  slow: 50
schedule: 1h
market:
  symbols: [BTC]
  interval: 1h
  bars: 200
  news: 0
  funding: true
tools: [get_bars, get_portfolio, propose_order]
mcp: []
risk:
  max_leverage: 3
  max_order_usd: null
  max_position_usd: null
  max_gross_usd: null
  max_open_positions: 10
  max_orders_per_hour: 60
  max_orders_per_day: 300
  max_actions_per_tick: 5
  allow_short: false
  price_band_pct: 5
  max_slippage_bps: 50
  require_stop: false
  max_stop_distance_pct: null
  cooldown_after_loss: null
  stop_guard: {stops: 3, window: 1d, pause: 90m}
  daily_loss_pct: 5
  max_drawdown_pct: 30
  halt_lifts: next_day
  max_inference_usd_per_day: 5
  max_inference_usd_per_run: 50
on_stop: keep
---
You trade.
"""
    )


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    """One reading tells all there is to mend."""
    text = with_line("name: btc-trend", "name: BTC trend").replace("interval: 1h", "interval: 7h")

    assert complaints(text.replace("max_leverage: 3", "max_levrage: 3")) == [
        "SKILL.md:2: name 'BTC trend' is not a slug; use lower-case letters, digits and single hyphens, "
        "such as btc-trend",
        "SKILL.md:7: market.interval '7h' is not a bar interval; use one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, "
        "4h, 8h, 12h, 1d",
        "SKILL.md:10: risk.max_levrage is not a known key; did you mean max_leverage?",
    ]


@pytest.mark.parametrize(
    ("cap", "complaint"),
    [
        ("max_leverage: 2", "risk.max_leverage is given twice, first on line 10; keep one"),
        ("max_orders_per_hour: 0", "risk.max_orders_per_hour is 0; it must be at least 1"),
        (
            "max_orders_per_day: 2.5",
            "risk.max_orders_per_day '2.5' is not a whole number; write one such as 10",
        ),
        (
            "max_order_usd: 9.99",
            "risk.max_order_usd is 9.99; it must be at least 10, the venue's smallest order",
        ),
        ("max_order_usd: 1e5", "risk.max_order_usd '1e5' is not a number; write 100000"),
        ("max_gross_usd: 1_000", "risk.max_gross_usd '1_000' is not a number; write 1000"),
        ("max_position_usd: $500", "risk.max_position_usd '$500' is not a number; write it plainly"),
        ("max_open_positions: 1:30", "risk.max_open_positions '1:30' is not a number; write it plainly"),
        ("max_open_positions: 010", "risk.max_open_positions '010' is not a number; write 10"),
        ("max_open_positions: 0x10", "risk.max_open_positions '0x10' is not a number; write it plainly"),
        ("price_band_pct: .5", "risk.price_band_pct '.5' is not a number; write 0.5"),
        ("price_band_pct: .inf", "risk.price_band_pct '.inf' is not a number"),
        ("price_band_pct: NaN", "risk.price_band_pct 'NaN' is not a number; write it plainly, such as 5"),
        ("price_band_pct: 51", "risk.price_band_pct is 51; it must be at most 50"),
        ("max_slippage_bps: -1", "risk.max_slippage_bps is -1; it must be above 0"),
        ("max_slippage_bps:", "risk.max_slippage_bps is empty; write a number such as 3 or 0.5"),
        ("max_slippage_bps: [1]", "risk.max_slippage_bps is a list; write a number such as 3 or 0.5"),
        ("max_drawdown_pct: 100.01", "risk.max_drawdown_pct is 100.01; it must be at most 100"),
        ("max_stop_distance_pct: 0", "risk.max_stop_distance_pct is 0; it must be above 0"),
        ("allow_short: yes", "risk.allow_short is 'yes'; write true or false"),
        ("require_stop: on", "risk.require_stop is 'on'; write true or false"),
        (
            "cooldown_after_loss: 90",
            "risk.cooldown_after_loss '90' is not a duration; write a whole number and",
        ),
        ("cooldown_after_loss: 31d", "risk.cooldown_after_loss is 31d; it must be at most 30d"),
        ("stop_guard: 3", "risk.stop_guard is '3'; write it as a set of keys, such as stop_guard: {stops: 3"),
        ("stop_guard: {stops: 3, window: 1d}", "risk.stop_guard.pause is missing; add it, such as pause: 4h"),
        (
            "stop_guard: {stops: 0, window: 1d, pause: 1h}",
            "risk.stop_guard.stops is 0; it must be at least 1",
        ),
        (
            "stop_guard: {stop: 3, window: 1d, pause: 1h}",
            "risk.stop_guard.stop is not a known key; did you mean",
        ),
        ("halt_lifts: nextday", "risk.halt_lifts is 'nextday'; write next_day or by_hand"),
        ("max_inference_usd_per_day: 0", "risk.max_inference_usd_per_day is 0; it must be above 0"),
        ("max_loss: 5", "risk.max_loss is not a known key; "),
        ("on_stop: keep", "risk.on_stop is not a known key here; it belongs at the top level"),
        ("pause: 1h", "risk.pause is not a known key here; it belongs below risk.stop_guard"),
        ("max_order_usd:100", "is not valid YAML"),
    ],
)
def test_a_cap_that_can_not_be_is_refused_with_its_line(cap: str, complaint: str) -> None:
    """Each refusal names the line, the cap, what was found and what would be right."""
    found = complaints(with_risk(cap))

    assert any(complaint in line for line in found), found
    assert all(line.startswith(("SKILL.md:12: ", "SKILL.md:13: ")) for line in found)


@pytest.mark.parametrize("leverage", ["0", "50.01", "-3"])
def test_leverage_is_above_zero_and_at_most_fifty(leverage: str) -> None:
    """Leverage that no venue gives, and none at all, are refused."""
    assert (
        "SKILL.md:10: risk.max_leverage is"
        in complaints(with_line("max_leverage: 3", f"max_leverage: {leverage}"))[0]
    )


def test_money_is_read_exactly() -> None:
    """An amount goes from its text to a Decimal, never through a float."""
    skill = read(with_risk("max_order_usd: 100000000.000000000001"))

    assert skill.caps.max_order_usd == Decimal("100000000.000000000001")


def test_null_switches_a_cap_off_where_that_is_allowed() -> None:
    """No drawdown cap can be said; no leverage cap can not."""
    assert read(with_risk("max_drawdown_pct: null")).caps.max_drawdown_pct is None
    assert "risk.price_band_pct is empty" in complaints(with_risk("price_band_pct: null"))[0]


def test_durations_become_milliseconds() -> None:
    """A pause of 90 minutes is 5,400,000 ms to the engine."""
    skill = read(with_risk("stop_guard: {stops: 3, window: 1d, pause: 90m}\n  cooldown_after_loss: 30s"))

    assert skill.caps.stop_guard == StopGuard(stops=3, window_ms=86_400_000, pause_ms=5_400_000)
    assert skill.caps.cooldown_after_loss_ms == 30_000


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("name: btc-trend", "name: [a]", "2: name is a list; write it as text, such as name: btc-trend"),
        ("name: btc-trend", "nmae: btc-trend", "1: name is missing; add it, such as name: btc-trend"),
        ("name: btc-trend", "nmae: btc-trend", "2: nmae is not a known key; did you mean name?"),
        ("name: btc-trend", f"name: {'a' * 65}", "2: name has 65 characters; at most 64 are allowed"),
        ("description: Follows the trend", 'description: ""', "3: description is empty; fill it in"),
        ("description: Follows the trend", 'description: "a\\nb"', "3: description has a line break"),
        (
            "description: Follows the trend",
            "description: Trend: up",
            "3: the front matter is not valid YAML: a value",
        ),
        (
            "model: baseline:sma-cross",
            "model: claude",
            "4: model 'claude' is not a model; write provider:name",
        ),
        ("schedule: 1h", "schedule: 7m", "6: schedule '7m' does not divide a day into whole minutes"),
        ("schedule: 1h", "schedule: 0 0 31 2 *", "6: schedule '0 0 31 2 *' never fires"),
        (
            "schedule: 1h",
            "schedule: */5 * * * *",
            "6: the front matter is not valid YAML: a value that starts with *",
        ),
        ("symbols: [BTC]", "symbols: []", "7: market.symbols is empty; fill it in, such as symbols: [BTC]"),
        ("symbols: [BTC]", "symbols: [BTC, BTC]", "7: market.symbols has BTC twice; keep one"),
        (
            "symbols: [BTC]",
            "symbols: BTC",
            "7: market.symbols is 'BTC'; write it as a list, such as symbols: [BTC]",
        ),
        ("symbols: [BTC]", "symbols: [BTC-USD/P]", "7: market.symbols[0] 'BTC-USD/P' is not a symbol"),
        ("interval: 1h", "interval: 1h, bars: 0", "7: market.bars is 0; it must be at least 1"),
        ("interval: 1h", "interval: 1h, news: 101", "7: market.news is 101; it must be at most 100"),
        ("interval: 1h", "intreval: 1h", "7: market.intreval is not a known key; did you mean interval?"),
        (
            "interval: 1h",
            "interval:1h",
            "7: market.interval:1h is not a known key; put a space after its colon",
        ),
        (
            "tools: [get_bars,",
            "tools: [get bars,",
            "8: tools[0] 'get bars' is not a tool; write one such as get_bars",
        ),
        ("on_stop: keep", "on_stop: sell", "12: on_stop is 'sell'; write keep or flatten"),
        (
            "on_stop: keep",
            "daily_loss_pct: 5",
            "12: daily_loss_pct is not a known key here; it belongs below risk",
        ),
        (
            "{fast: 20, slow",
            "{fast:20, slow",
            "5: model_params has the key 'fast:20'; put a space after its colon",
        ),
        ("slow: 50", "slow: 5e1", "5: model_params.slow '5e1' is not a plain number; write 50, or quote it"),
        ("slow: 50", "slow: no", "5: model_params.slow 'no' is ambiguous; write true or false, or quote it"),
        ("slow: 50", "slow: ", "5: model_params.slow is empty; give it a value or leave it out"),
        (
            "slow: 50",
            "slow: {a: {b: {c: 1}}}",
            "5: model_params.slow.a.b is nested too deep; 3 levels are the most",
        ),
        (
            "slow: 50",
            f"slow: {'x' * 201}",
            "5: model_params.slow is 201 characters long; at most 200 are allowed",
        ),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line(before: str, after: str, complaint: str) -> None:
    """Each part of the front matter says what was found, what was expected and what to do."""
    found = complaints(with_line(before, after))

    assert any(line.startswith(f"SKILL.md:{complaint}") for line in found), found


@pytest.mark.parametrize(
    ("front", "complaint"),
    [
        ("name: a\nname: b", "3: name is given twice, first on line 2; keep one"),
        ("name: &x a", "2: name has an anchor, &x; remove it"),
        ("name: *x", "2: name is an alias, *x; write the value out, or put it in quotes"),
        ("name: !!str a", "2: name has a tag, 'tag:yaml.org,2002:str'; remove it"),
        ("name: !!python/object/apply:os.getcwd []", "2: name has a tag"),
        ("&x name: a", "2: name has an anchor, &x; remove it"),
        ("<<: {name: a}", "2: << is not a known key"),
        ("? [a]\n: b", "2: the front matter has a key that is not a word"),
        ("- a", "1: the front matter is a list; write it as a set of keys"),
        ("a", "1: the front matter is 'a'; write it as a set of keys"),
        ("", "1: name is missing; add it, such as name: btc-trend"),
        ("# nothing", "1: name is missing; add it, such as name: btc-trend"),
        ("\tname: a", "2: the front matter is not valid YAML: a tab can't stand here; use spaces"),
        ("name: a\n\tmodel: b", "3: the front matter is not valid YAML: a tab can't stand here; use spaces"),
        ("name: a\n...\nname: b", "4: the front matter is not valid YAML: only one document is allowed"),
        ("tools: [a\nname: b", "3: the front matter is not valid YAML: a list in [brackets] is not closed"),
        ("name: 'a", "3: the front matter is not valid YAML: a quote is opened and never closed"),
        ("risk:\n  a: 1\n b: 2", "4: the front matter is not valid YAML: this line is indented unlike"),
        (
            "name: `a`",
            "2: the front matter is not valid YAML: a value that starts with this character must be in",
        ),
        ("name: a\x07", "2: the front matter has a control character (code 7); remove it"),
        ("risk: {a: {b: {c: {d: {e: 1}}}}}", "2: risk.a is not a known key"),
        ("risk: {a: {b: {c: {d: {e: {f: {g: 1}}}}}}}", "2: risk.a.b.c.d.e is nested too deep; 6 levels are"),
        ("risk: " + "[" * 30_000, "2: risk[0][0][0][0][0] is nested too deep; 6 levels are the most"),
    ],
)
def test_yaml_that_could_surprise_is_refused(front: str, complaint: str) -> None:
    """What a Skill does not need of YAML is refused, with the line and in words of our own."""
    found = complaints(f"---\n{front}\n---\nYou trade.\n")

    assert any(line.startswith(f"SKILL.md:{complaint}") for line in found), found


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "SKILL.md:1: the file has no front matter; start it with a line of three dashes, ---"),
        (
            b"You trade.",
            "SKILL.md:1: the file has no front matter; start it with a line of three dashes, ---",
        ),
        (
            b"---\nname: a\n",
            "SKILL.md:1: the front matter is never closed; end it with a line of three dashes, ---",
        ),
        (b"---\nname: caf\xe9\n---\n", "SKILL.md:2: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"x" * 70_000, f"SKILL.md:1: the file is longer than the {MAX_FILE_BYTES} bytes that are allowed"),
    ],
)
def test_what_is_no_skill_file_is_told_in_one_line(data: bytes, complaint: str) -> None:
    """A file of another kind gets one line that says what is missing."""
    assert complaints(data) == [complaint]


def test_the_file_is_named_as_the_caller_calls_it() -> None:
    """Errors start with the path that the person gave."""
    with pytest.raises(SkillError, match=r"\Askills/a\.md:1: "):
        read("", where="skills/a.md")


def test_a_prompt_that_can_not_be_stored_is_refused() -> None:
    """Control characters and excessive length are told; tabs and any script are fine."""
    assert complaints(SKILL + "a\0b") == [
        "SKILL.md:14: prompt has a control character (code 0) on its line 2; remove it"
    ]
    assert "prompt is" in complaints(SKILL + "é" * (MAX_PROMPT_BYTES // 2))[0]
    assert read(SKILL + "\tprix: 10 €\n").prompt == "You trade.\n\tprix: 10 €"


def test_a_prompt_may_hold_lines_of_dashes() -> None:
    """Only the first closing line ends the front matter."""
    assert read(SKILL + "---\nname: x\n---\n").prompt == "You trade.\n---\nname: x\n---"


def test_the_largest_skill_that_is_taken_can_be_written_and_read() -> None:
    """The bounds of the parts keep the canonical form below the bound of the file."""
    data: dict[str, object] = {
        "name": "n" * 64,
        "description": "\U0001f600" * 300,
        "model": "p:" + "m" * 126,
        "model_params": {f"k{i:02}": "\x9f" * 160 for i in range(4)},
        "schedule": "0 " + ",".join(map(str, range(24))) + " * * *",
        "market": {"symbols": [f"S{i:031}" for i in range(50)], "interval": "1h"},
        "tools": [f"{'s' * 60}.{'t' * 34}{i:05}" for i in range(64)],
        "mcp": [f"{'s' * 62}{i:02}" for i in range(10)],
        "risk": {"max_order_usd": Decimal("999999999.123456789012"), "stop_guard": None},
    }
    skill = build(data, "é" * (MAX_PROMPT_BYTES // 2))

    assert read(write(skill)) == skill


def test_a_draft_has_no_lines() -> None:
    """What comes as data instead of a file names its keys alone; numbers may be typed already."""
    data = {"name": "a", "risk": {"max_leverage": 60.5, "max_order_usd": True, "max_gross_usd": float("nan")}}
    with pytest.raises(SkillError) as caught:
        build(data, "")

    assert str(caught.value).splitlines()[-3:] == [
        "draft: risk.max_leverage is 60.5; it must be at most 50",
        "draft: risk.max_order_usd is 'True'; write a number such as 3 or 0.5",
        "draft: risk.max_gross_usd 'NaN' is not a number; write it plainly, such as 5 or 0.5",
    ]


def test_platform_caps_tighten_nothing_that_they_leave_out() -> None:
    """Caps of the platform start from the loosest, and are read with the words of `risk`."""
    caps = platform_caps({"max_leverage": 5, "cooldown_after_loss": "1h"})

    assert caps.max_leverage == 5
    assert caps.cooldown_after_loss_ms == 3_600_000
    assert caps.allow_short
    assert caps.daily_loss_pct is None
    with pytest.raises(
        SkillError, match="platform caps: max_levrage is not a known key; did you mean max_leverage"
    ):
        platform_caps({"max_levrage": 5})
