"""Whatever a model answers, its tick ends, is explained, and passes neither a cap nor a budget."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.language import MOST_CALLS, MOST_MALFORMED, MOST_NOTE, MOST_TOOL_CALLS
from agent.run import Decision
from domain.snapshots import DecisionSnapshot, TickOutcome
from tests.integration.agent.desk import KEY, desk
from tests.standins.corpus import (
    ACTIONS,
    BAD_CALLS,
    BAD_ORDERS,
    BAD_REPLIES,
    EMPTY,
    ENDINGS,
    HARMLESS,
    IN_PROSE,
    MANY,
)
from tests.standins.messages_api import Answers
from tests.standins.steps import Step, say

HELD = "Understood, I hold."
FOUND = Path(__file__).parents[4] / "shared" / "data" / "llm" / "malformed_outputs.jsonl"
"""What models really answered other programs, where the data are there."""


def once(step: Step) -> Answers:
    """Answer like this, and think better of it when asked again."""

    def answer(body: Mapping[str, Any], number: int) -> Step:
        return step if number == 0 or step.fault else say(HELD)

    return answer


def always(step: Step) -> Answers:
    """Answer like this whatever is said about it."""
    return lambda body, number: step


async def decided(answers: Answers) -> tuple[TickOutcome, DecisionSnapshot]:
    """One tick, by a model that answers like this."""
    async with desk(answers) as at:
        decision: Decision = await at.decide()
        at.hour()
    assert decision.snapshot is not None
    assert KEY.encode() not in msgspec.json.encode(decision.snapshot)
    return decision.outcome, decision.snapshot


def problems(snapshot: DecisionSnapshot) -> list[str]:
    """What was malformed in a tick, in order."""
    return [
        problem
        for call in snapshot.calls
        for problem in (call.problem, *(use.problem for use in call.tools))
        if problem
    ]


@pytest.mark.parametrize("name", IN_PROSE)
async def test_a_call_in_prose_is_no_call_and_is_answered_so(name: str) -> None:
    """Nothing is done; the model is told that text is not read for orders, and may hold then."""
    outcome, snapshot = await decided(once(IN_PROSE[name]))

    assert (outcome, snapshot.actions, snapshot.ended) == (TickOutcome.HOLD, (), "")
    assert problems(snapshot) == ["call_in_text"]
    assert snapshot.note == HELD


@pytest.mark.parametrize("name", EMPTY)
async def test_an_empty_answer_is_answered_so(name: str) -> None:
    """It is no decision; the model is asked for one."""
    outcome, snapshot = await decided(once(EMPTY[name]))

    assert (outcome, snapshot.actions, snapshot.ended) == (TickOutcome.HOLD, (), "")
    assert problems(snapshot) == ["empty"]


@pytest.mark.parametrize("name", BAD_CALLS)
async def test_a_malformed_call_is_answered_with_what_is_wrong(name: str) -> None:
    """Nothing is done; the answer is an error, and the record has what was asked for, in bounds."""
    step, problem = BAD_CALLS[name]
    outcome, snapshot = await decided(once(step))
    (use,) = snapshot.calls[0].tools

    assert (outcome, snapshot.actions, snapshot.ended) == (TickOutcome.HOLD, (), "")
    assert problems(snapshot) == [problem]
    assert use.is_error
    assert use.answer.startswith('{"error":')
    assert len(str(use.arguments)) < 20_000
    assert len(use.answer) + len(use.name) < 2_000


@pytest.mark.parametrize("name", BAD_ORDERS)
async def test_an_absurd_order_is_refused_by_the_engine_and_explained(name: str) -> None:
    """The model is told the cap or rule, its limit and what would have been; it is not called malformed."""
    step, reason = BAD_ORDERS[name]
    outcome, snapshot = await decided(once(step))

    assert (outcome, snapshot.ended, problems(snapshot)) == (TickOutcome.REFUSED, "", [])
    assert [len(snapshot.actions), len(snapshot.verdicts)] == [1, 1]
    assert reason in {refusal.cap for refusal in snapshot.verdicts[0].refusals}
    assert reason in snapshot.calls[0].tools[0].answer


@pytest.mark.parametrize("name", ENDINGS)
async def test_an_answer_that_is_no_decision_fails_the_tick_and_says_why(name: str) -> None:
    """Nothing of it is carried out, not even a call that looks whole; the kind and a sentence are kept."""
    step, kind = ENDINGS[name]
    outcome, snapshot = await decided(once(step))

    assert (outcome, snapshot.actions, snapshot.ended) == (TickOutcome.FAILED, (), kind)
    assert snapshot.note
    assert snapshot.calls[-1].stop == kind


@pytest.mark.parametrize("name", HARMLESS)
async def test_an_odd_answer_in_words_is_a_hold(name: str) -> None:
    """Words are how a model holds; they are kept in bounds."""
    outcome, snapshot = await decided(once(HARMLESS[name]))

    assert (outcome, snapshot.ended, problems(snapshot)) == (TickOutcome.HOLD, "", [])
    assert 0 < len(snapshot.note) <= MOST_NOTE


async def test_of_two_hundred_actions_no_more_are_done_than_caps_allow() -> None:
    """As many as a tick may have are judged, fewer are approved, the rest is answered without being carried out."""
    outcome, snapshot = await decided(once(MANY))
    uses = snapshot.calls[0].tools

    assert outcome is TickOutcome.ACTED
    assert len(uses) == ACTIONS
    assert len(snapshot.actions) == MOST_TOOL_CALLS
    assert 0 < sum(verdict.approved for verdict in snapshot.verdicts) <= 5
    assert {use.problem for use in uses[MOST_TOOL_CALLS:]} == {"too_many"}
    assert snapshot.ended == "tool_calls"


@pytest.mark.parametrize("name", BAD_REPLIES)
async def test_a_model_that_does_not_learn_does_not_go_on_for_ever(name: str) -> None:
    """The same bad answer again and again: a few calls, then the tick ends and says why."""
    outcome, snapshot = await decided(always(BAD_REPLIES[name]))

    assert outcome is not TickOutcome.NO_TICK
    assert len(snapshot.calls) <= MOST_CALLS
    assert len(problems(snapshot)) <= (
        MOST_MALFORMED + 1 if name in {**BAD_CALLS, **IN_PROSE, **EMPTY} else ACTIONS
    )
    assert snapshot.ended or name in HARMLESS
    assert snapshot.note or name in HARMLESS


async def test_a_million_empty_lines_are_read_once() -> None:
    """Looking for a call in prose takes as long as the prose, however much of it is blank."""
    outcome, snapshot = await decided(once(say("I hold." + "\n" * 1_000_000 + "That is all.")))
    assert (outcome, problems(snapshot)) == (TickOutcome.HOLD, [])


async def test_a_reason_to_stop_with_a_nul_can_be_kept() -> None:
    """Postgres keeps no NUL in a text of its own; a run does not break because of one."""
    _, snapshot = await decided(once(say("I hold.").but(stop="end\0turn")))
    assert [call.stop for call in snapshot.calls] == ["end\ufffdturn"]


@pytest.mark.skipif(not FOUND.exists(), reason="the recorded outputs are not beside this checkout")
async def test_what_models_really_answered_other_programs_is_a_hold() -> None:
    """Said as text, none of it is an order: it is taken for a call that was only written down, or for words."""
    found = [json.loads(line) for line in FOUND.read_text("utf-8").splitlines()]
    told = {
        one["id"]: problems for one in found if one["raw"] for problems in [await _problems_of(one["raw"])]
    }

    assert len(told) > 5
    assert set(map(tuple, told.values())) <= {("call_in_text",), ()}
    assert told["single-object-not-array"] == ["call_in_text"]


async def _problems_of(text: str) -> list[str]:
    outcome, snapshot = await decided(once(say(text)))
    assert (outcome, snapshot.actions) == (TickOutcome.HOLD, ())
    return problems(snapshot)
