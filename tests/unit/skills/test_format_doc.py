"""docs/skill-format.md says what the code does: every key, default, bound and baseline."""

import re
from pathlib import Path
from typing import Any, get_args

import annotated_types
import pytest
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from domain.caps import DEFAULTS, Caps
from domain.time import INTERVALS_MS, format_duration
from skills.catalogue import BASELINES, TRADING_TOOLS
from skills.fields import MAX_PAUSE_MS, DurationMs
from skills.schema import FrontMatter, MarketSection, RiskSection, StopGuardSection
from skills.skill_md import read
from skills.yaml_write import inline

TEXT = (Path(__file__).parents[3] / "docs" / "skill-format.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|\n ").split(" | ")]
    for line in TEXT.splitlines()
    if line[:3] == "| `"
]
DOCUMENTED = {row[0].strip("`"): row for row in ROWS}
SECTIONS: tuple[type[BaseModel], ...] = (FrontMatter, MarketSection, RiskSection, StopGuardSection)
FIELDS = [(name, field) for section in SECTIONS for name, field in section.model_fields.items()]


def default_of(field: FieldInfo) -> str:
    """A default as it is written in SKILL.md."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    return f"`{inline({} if isinstance(default, BaseModel) else default)}`"


def bound(metadata: Any) -> str | None:
    """One bound in words."""
    match metadata:
        case annotated_types.Gt(gt=limit):
            return f"above {limit}"
        case annotated_types.Ge(ge=limit):
            return f"at least {limit}"
        case annotated_types.Le(le=limit):
            return f"at most {limit}"
        case annotated_types.MinLen(min_length=length):
            return f"at least {length}"
        case annotated_types.MaxLen(max_length=length):
            return f"at most {length} entries"
        case StringConstraints(max_length=length):
            return f"at most {length} characters"
    return None


def _inner(field: FieldInfo) -> tuple[Any, ...]:
    """What is said about the type of an optional field."""
    return tuple(
        note for option in get_args(field.annotation) for note in getattr(option, "__metadata__", ())
    )


def range_of(field: FieldInfo) -> str:
    """The bounds of a number, a duration, a text or a list in words."""
    if get_args(DurationMs)[1] in (*field.metadata, *_inner(field)):
        return f"at most {format_duration(MAX_PAUSE_MS)}"
    return ", ".join(words for words in map(bound, field.metadata) if words) or "–"


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[name for name, _ in FIELDS])
def test_each_key_is_documented_with_its_default_and_its_bounds(name: str, field: FieldInfo) -> None:
    """The table of the page is the table of the code."""
    _, _, default, bounds, what = DOCUMENTED[name]

    assert default == default_of(field)
    assert bounds in (range_of(field), "see below")
    assert what


def test_the_page_documents_nothing_that_does_not_exist() -> None:
    """A key that went away leaves the page too."""
    baselines = {f"baseline:{name}" for name in BASELINES}

    assert set(DOCUMENTED) == {name for name, _ in FIELDS} | baselines


def test_the_caps_of_the_schema_are_the_caps_of_the_engine() -> None:
    """Every cap the engine knows can be set in a Skill, and has the same default there."""
    assert RiskSection().caps() == DEFAULTS
    assert [name.removesuffix("_ms") for name in Caps.__struct_fields__] == list(RiskSection.model_fields)


def test_every_cap_has_a_line_of_its_own_that_says_what_it_is() -> None:
    """Next to each field of the struct stands what it means."""
    source = (Path(__file__).parents[3] / "domain" / "caps.py").read_text()

    for name in Caps.__struct_fields__:
        assert re.search(rf"^    {name}: .+  # \w", source, re.MULTILINE), name


@pytest.mark.parametrize("name", BASELINES)
def test_each_baseline_is_documented_with_its_parameters_and_tools(name: str) -> None:
    """What a baseline asks for is on the page."""
    _, params, tools = DOCUMENTED[f"baseline:{name}"]

    assert re.findall(r"`([a-z]+)`", params) == list(BASELINES[name].params)
    assert re.findall(r"`(\w+)`", tools) == list(BASELINES[name].tools)


def test_every_tool_and_interval_is_named() -> None:
    """The closed lists are on the page whole."""
    for word in (*TRADING_TOOLS, *INTERVALS_MS):
        assert f"`{word}`" in TEXT, word


def test_the_example_of_the_page_is_a_skill() -> None:
    """What the page shows first can be copied."""
    example = TEXT.split("```markdown\n")[1].split("```")[0]

    assert read(example).name == "btc-trend"
