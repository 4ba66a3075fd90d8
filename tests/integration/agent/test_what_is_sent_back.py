"""What the API does not take back as it gave it, an id for several calls or text without a word: the tick goes on."""

from typing import Any

import pytest

from tests.integration.agent.desk import desk
from tests.standins.steps import Step, say


def looks(*ids: str) -> Step:
    """Look at the portfolio, once for each id."""
    return Step(
        tuple({"type": "tool_use", "id": one, "name": "get_portfolio", "input": {}} for one in ids),
        "tool_use",
    )


@pytest.mark.parametrize(
    "steps",
    [
        [looks("same", "same")],
        [looks("same"), looks("same"), looks("same_1")],
        [looks("a b", "a/b", "a_b")],
        [looks("x" * 70 + "1", "x" * 70 + "2", "x" * 70 + "1")],
        [looks("", "", "")],
    ],
    ids=["in an answer", "in a tick", "once cleaned", "once cut", "none at all"],
)
async def test_every_call_is_answered_under_an_id_of_its_own(steps: list[Step]) -> None:
    """The tick goes on to its end; results stand in the order of the calls, with their ids."""
    async with desk([*steps, say("HOLD")]) as found:
        decision = await found.decide()
        last = found.api.bodies[-1]
    assert decision.snapshot
    assert [call.stop for call in decision.snapshot.calls] == ["tool_use"] * len(steps) + ["end_turn"]
    assert decision.snapshot.ended == ""
    calls, results = ids_of(last, "tool_use", "id"), ids_of(last, "tool_result", "tool_use_id")
    assert calls == results
    assert len(calls) == len(set(calls)) == sum(len(step.content) for step in steps)


async def test_an_id_that_is_nobody_elses_stays() -> None:
    """The model gets back what it said."""
    async with desk([looks("toolu_01", "toolu_02"), say("HOLD")]) as found:
        await found.decide()
        assert ids_of(found.api.bodies[-1], "tool_use", "id") == ["toolu_01", "toolu_02"]


@pytest.mark.parametrize("blank", ["\n\n", " ", "\t"])
async def test_text_without_a_word_is_not_sent_back(blank: str) -> None:
    """Beside a call or alone: the call is answered, and what is empty is asked for again."""
    text: dict[str, Any] = {"type": "text", "text": blank}
    (used,) = looks("toolu_01").content
    async with desk([Step((text,)), Step((text, used, text), "tool_use"), say("HOLD")]) as found:
        decision = await found.decide()
        last = found.api.bodies[-1]
    assert decision.snapshot
    assert [call.problem for call in decision.snapshot.calls] == ["empty", "", ""]
    assert all(block.get("text", "x").strip() for message in last["messages"] for block in message["content"])


def ids_of(body: Any, kind: str, field: str) -> list[str]:
    """The ids in all blocks of a kind, in their order."""
    blocks = [block for message in body["messages"] for block in message["content"]]
    return [block[field] for block in blocks if block["type"] == kind]
