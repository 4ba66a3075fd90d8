"""What a model is asked with: its own words for what a Skill says."""

import pytest

from agent.requests import opening
from config.models import load_models
from skills.skill_md import read
from tests.unit.skills.samples import SKILL


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("claude-sonnet-4-6", '"off"', "disabled"),
        ("claude-sonnet-4-6", "adaptive", "adaptive"),
        ("claude-sonnet-5-5", '"off"', "between_tools"),
        ("claude-sonnet-5-5", "between_tools", "between_tools"),
        ("claude-opus-5", '"off"', "disabled"),
        ("my-model", '"off"', "disabled"),
    ],
)
def test_thinking_is_said_in_the_words_of_the_model(model: str, wanted: str, sent: str) -> None:
    """Off is what the model takes for it; where that is not known, what most take."""
    text = SKILL.replace("baseline:sma-cross", f"anthropic:{model}").replace(
        "{fast: 20, slow: 50, size: 0.1}", f"{{thinking: {wanted}}}"
    )

    body = opening(read(text), load_models().find(model), ["You trade."], [])

    assert body["thinking"] == {"type": sent}


def test_a_skill_that_says_nothing_leaves_the_model_its_own_ways() -> None:
    """Neither thinking nor effort nor temperature is sent; the bound on what it writes always is."""
    text = SKILL.replace("baseline:sma-cross", "anthropic:claude-sonnet-4-6").replace(
        "{fast: 20, slow: 50, size: 0.1}", "{}"
    )

    body = opening(read(text), None, ["You trade."], [])

    assert set(body) == {"model", "max_tokens", "system"}
    assert (body["model"], body["max_tokens"]) == ("claude-sonnet-4-6", 4096)
