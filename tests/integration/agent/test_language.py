"""One tick of a language model: what it is sent, what it is answered, how its turn ends, what is kept of it."""

from typing import Any

import msgspec

from agent.language import MOST_CALLS, MOST_TOOL_CALLS
from domain.snapshots import TickOutcome
from skills import skill_md
from tests.integration.agent.desk import SKILL, Desk, desk
from tests.standins.steps import Step, call, say

BUY = {"symbol": "BTC", "side": "buy", "size": "1", "stop_px": "97", "why": "it rises"}
BARS = {"symbol": "BTC", "count": 3}


def results(desk: Desk, number: int) -> list[dict[str, Any]]:
    """The answers to tools in the last turn of a request, their texts read as JSON."""
    content = desk.api.bodies[number]["messages"][-1]["content"]
    return [{**one, "content": msgspec.json.decode(one["content"])} for one in content]


async def test_a_turn_that_calls_nothing_holds() -> None:
    """One call, its words kept as the reason, nothing done."""
    async with desk([say("I hold: there is no trend.")]) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    assert (decision.outcome, here.api.calls) == (TickOutcome.HOLD, 1)
    assert (decision.snapshot.note, decision.snapshot.ended) == ("I hold: there is no trend.", "")


async def test_the_model_is_told_what_the_engine_said() -> None:
    """An approved order comes back with its number, a refused one with its cap and what would have been."""
    orders = call(("propose_order", BUY), ("propose_order", {**BUY, "size": "100"}))
    async with desk([orders, say("Done.")]) as here:
        decision = await here.decide()
        approved, refused = results(here, 1)
    assert approved["content"]["approved"] is True
    assert len(approved["content"]["orders"]) == 1
    assert refused["content"]["approved"] is False
    assert "max_order_usd 500, would have been" in refused["content"]["refused"][0]
    assert not any(one["is_error"] for one in (approved, refused))
    assert decision.outcome is TickOutcome.ACTED


async def test_tools_called_at_once_are_answered_in_their_order() -> None:
    """One result a call, with the call's id, before anything else."""
    both = call(("get_bars", BARS), ("get_portfolio", {}), text="Let me look.")
    async with desk([both, say("I hold.")]) as here:
        await here.decide()
        said = here.api.bodies[1]["messages"][-2]
        ids = [block["id"] for block in said["content"] if block["type"] == "tool_use"]
        bars, portfolio = results(here, 1)
    assert [bars["tool_use_id"], portfolio["tool_use_id"]] == ids
    assert len(bars["content"]["bars"]) == 3
    assert portfolio["content"]["positions"] == []


async def test_what_the_model_said_is_sent_back_exactly() -> None:
    """Thoughts with their signature, text and calls, block by block; the rest of a request never changes."""
    async with desk([call("get_bars", BARS, text="Hm.", thought="Let me see."), say("I hold.")]) as here:
        await here.decide()
        first, second = here.api.bodies
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert {k: v for k, v in first.items() if k != "messages"} == {
        k: v for k, v in second.items() if k != "messages"
    }
    thought, text, used = second["messages"][1]["content"]
    assert thought == {"type": "thinking", "thinking": "Let me see.", "signature": thought["signature"]}
    assert (text["text"], used["name"], used["input"]) == ("Hm.", "get_bars", BARS)


async def test_a_tool_that_is_not_listed_does_not_exist() -> None:
    """It is in no request; called all the same, it is answered with those there are, and nothing happens."""
    async with desk([call("close_position", {"symbol": "BTC"}), say("I hold.")]) as here:
        decision = await here.decide()
        offered = [tool["name"] for tool in here.api.bodies[0]["tools"]]
        (answer,) = results(here, 1)
    assert offered == sorted(here.skill.tools)
    assert answer["is_error"]
    assert answer["content"]["error"].startswith("there is no tool 'close_position'; there are get_bars,")
    assert decision.snapshot is not None
    assert decision.snapshot.actions == ()


async def test_without_tools_there_are_none_in_the_request() -> None:
    """A Skill that only talks is asked without a list of tools."""
    skill = msgspec.structs.replace(skill_md.read(SKILL), tools=())
    async with desk([say("I watch.")], skill=skill) as here:
        await here.decide()
    assert "tools" not in here.api.bodies[0]


async def test_the_stable_part_is_read_from_the_cache() -> None:
    """From the second tick on the rules, tools and Skill are read, and within a tick its context is too."""
    steps = [call("get_bars", BARS), say("I hold."), call("get_bars", BARS), say("I hold.")]
    async with desk(steps) as here:
        usages = []
        for _ in range(2):
            decision = await here.decide()
            assert decision.snapshot is not None
            usages.append([one.usage for one in decision.snapshot.calls])
            here.hour()
    (first, again), (next_tick, _) = usages
    assert (first.cache_read, again.cache_read) == (0, first.cache_write_5m)
    assert next_tick.cache_read > 1_024
    assert 0 < next_tick.cache_write_5m < first.cache_write_5m  # the new context alone


async def test_a_model_remembers_what_it_decided() -> None:
    """The next tick's context tells of the last decisions, with what became of them; the first one's of none."""
    async with desk([call("propose_order", BUY), say("I follow the trend."), say("I hold.")]) as here:
        await here.decide()
        here.hour()
        await here.decide()
        first, _, later = (body["messages"][0]["content"][0]["text"] for body in here.api.bodies)
    assert "I follow the trend." not in first
    assert "buy 1 BTC, stop 97: approved; I follow the trend." in later


async def test_a_tick_makes_so_many_calls_and_no_more() -> None:
    """A model that looks for ever is stopped; what it did until then stands, and the record says why it ended."""
    async with desk(lambda body, number: call("get_bars", BARS)) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    assert (here.api.calls, decision.outcome) == (MOST_CALLS, TickOutcome.HOLD)
    assert (decision.snapshot.ended, decision.snapshot.note) == ("calls", "ended after 12 calls")


async def test_a_tick_carries_out_so_many_tool_calls_and_no_more() -> None:
    """Of two hundred calls at once forty are carried out, and the tick is over."""
    async with desk([call(*[("get_bars", BARS)] * 200)]) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    (one,) = decision.snapshot.calls
    assert [use.is_error for use in one.tools] == [False] * MOST_TOOL_CALLS + [True] * (200 - MOST_TOOL_CALLS)
    assert (decision.snapshot.ended, here.api.calls) == ("tool_calls", 1)


async def test_an_answer_that_was_cut_is_not_carried_out() -> None:
    """At max_tokens the last call may be half a call: none of them is made, and the tick has failed."""
    cut: Step = call("propose_order", BUY).but(stop="max_tokens")
    async with desk([cut]) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    assert (decision.outcome, decision.snapshot.actions) == (TickOutcome.FAILED, ())
    assert (decision.snapshot.ended, decision.snapshot.note) == (
        "max_tokens",
        "the answer was cut at the Skill's max_tokens",
    )


async def test_what_was_done_before_a_failure_stands() -> None:
    """An order that was placed in an earlier call of the tick is there, and the tick says both."""
    async with desk([call("propose_order", BUY), say("", stop="refusal")]) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    assert (decision.outcome, decision.snapshot.ended) == (TickOutcome.ACTED, "refusal")
    assert len(here.house.engine.book.orders) == 1


async def test_a_reason_to_stop_that_nobody_knows_is_an_end() -> None:
    """Words without a call are a hold, whatever a gateway says of why they end."""
    async with desk([say("I hold.", stop="because")]) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    assert (decision.outcome, decision.snapshot.note, here.api.calls) == (TickOutcome.HOLD, "I hold.", 1)


async def test_an_empty_end_after_tools_is_an_end() -> None:
    """Models often say nothing more once they have acted: that is no fault of theirs, and costs no further call."""
    async with desk([call("propose_order", BUY), Step()]) as here:
        decision = await here.decide()
    assert decision.snapshot is not None
    assert (here.api.calls, decision.outcome) == (2, TickOutcome.ACTED)
    assert [one.problem for one in decision.snapshot.calls] == ["", ""]


async def test_a_tick_is_kept_whole() -> None:
    """What it was shown, what was said and done, tool by tool, what it cost: enough to show and to replay it."""
    async with desk([call("propose_order", BUY, text="It rises."), say("Done.")]) as here:
        decision = await here.decide()
        shown = here.api.bodies[0]["messages"][0]["content"][0]["text"]
    kept = decision.snapshot
    assert kept is not None
    assert kept.context == shown
    first, last = kept.calls
    assert (first.text, first.stop, last.text, last.stop) == ("It rises.", "tool_use", "Done.", "end_turn")
    (use,) = first.tools
    assert (use.name, use.arguments, use.is_error) == ("propose_order", BUY, False)
    assert {first.key, last.key} == here.ledger.calls.keys()
    cost = sum(one.cost_usd for one in kept.calls if one.cost_usd is not None)
    assert cost == here.ledger.spent["run:test"] > 0
    assert msgspec.json.decode(msgspec.json.encode(kept), type=type(kept)) == kept
