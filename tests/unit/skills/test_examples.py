"""The Skills for language models that ship as examples, each beside the baseline that it must beat."""

from pathlib import Path

import pytest

from domain.money import ZERO
from skills.catalogue import TRADING_TOOLS
from skills.check import load
from skills.skill import Skill

FOLDER = Path(__file__).parents[3] / "examples" / "skills"
EXAMPLES = {
    "trend": "sma-cross",
    "funding-carry": "random",
    "news-driven": "random",
    "mean-reversion": "random",
    "rebalancer": "buy-and-hold",
}
"""A model's Skill → the baseline beside it."""
FROM = "2026-02-01"
"""From here on the model that they name knows nothing of how it went."""

ASKED = {
    "limit order": "propose_order",
    "market order": "propose_order",
    "cancel it": "cancel_order",
    "move the stop": "set_protection",
    "close the position": "close_position",
    "lose both legs": "close_position",
}
"""Words that ask for a tool → the tool."""

each = pytest.mark.parametrize(("name", "baseline"), EXAMPLES.items(), ids=EXAMPLES)


def skill_in(path: Path) -> Skill:
    """A Skill that is read without a remark."""
    skill, remarks = load(path.read_bytes(), where=str(path))
    assert remarks == []
    return skill


def test_these_are_all_that_a_model_decides() -> None:
    """None of them is missing here."""
    found = {path.parent.name for path in FOLDER.glob("*/SKILL.md") if skill_in(path).baseline is None}
    assert found == EXAMPLES.keys()


@each
def test_a_model_is_told_what_to_do_and_held_by_caps(name: str, baseline: str) -> None:
    """A short prompt, orders among its tools, and caps that a wrong answer can't pass."""
    skill = skill_in(FOLDER / name / "SKILL.md")

    assert skill.model == "anthropic:claude-sonnet-4-6"
    assert 500 < len(skill.prompt) < 2500
    assert "propose_order" in skill.tools
    assert skill.caps.max_leverage <= 1
    assert ZERO < (skill.caps.daily_loss_pct or ZERO) < 10
    assert skill.caps.max_inference_usd_per_run <= 40


@each
def test_every_tool_named_in_a_prompt_may_be_called(name: str, baseline: str) -> None:
    """A prompt that asks for a tool which does not exist for it makes a model guess."""
    skill = skill_in(FOLDER / name / "SKILL.md")
    asked = {tool for tool in TRADING_TOOLS if tool in skill.prompt}
    asked |= {tool for words, tool in ASKED.items() if words in skill.prompt}

    assert asked <= set(skill.tools)


@each
def test_the_baseline_to_beat_sees_the_same_market(name: str, baseline: str) -> None:
    """The same symbols, bars and ticks, and a leverage no larger: anything else would compare two markets."""
    skill, beside = (skill_in(FOLDER / name / file) for file in ("SKILL.md", f"{baseline}.md"))

    assert beside.baseline == baseline
    assert (beside.schedule, beside.market.symbols) == (skill.schedule, skill.market.symbols)
    assert (beside.market.interval, beside.market.bars) == (skill.market.interval, skill.market.bars)
    assert beside.caps.max_leverage <= 1
    assert beside.caps.allow_short == skill.caps.allow_short


@each
def test_its_readme_names_what_to_beat_and_how(name: str, baseline: str) -> None:
    """Both baselines that stand beside every result, the one in the folder, and a command for each file."""
    text = (FOLDER / name / "README.md").read_text()

    for heading in ("What it tries", "Why it could work", "Why it could fail", "To beat"):
        assert f"**{heading}.**" in text
    assert "*Buy and hold*" in text or "*buy and hold*" in text
    assert "*Stay flat*" in text or "*stay flat*" in text
    for file in ("SKILL.md", f"{baseline}.md"):
        assert f"agentic sim run examples/skills/{name}/{file} --from {FROM}" in text
