"""The time of a tick: what its model and the tools outside take of it together, and what happens when it is up."""

from typing import Any

from agent.language import DEADLINE_S
from agent.outside import Outside
from agent.tools import Answer
from domain.snapshots import TickOutcome
from domain.tools import PinnedTool
from skills import skill_md
from tests.integration.agent.desk import SKILL, desk
from tests.standins.steps import call, say

TOOL = PinnedTool("desk", "ponder", "Ponders.", {"type": "object", "properties": {}}, "0" * 64, as_of="as_of")

PONDERER = skill_md.read(SKILL.replace("search_news]", "search_news, desk.ponder]\nmcp: [desk]"))


class Slow(Outside):
    """A tool that takes a third of a tick's time and a little more, by the clock that the asker goes by."""

    def __init__(self) -> None:
        super().__init__([TOOL], None, None, "live", is_replayed_history=True)
        self.now_s = 0.0
        self.calls = 0

    async def call(self, wire: str, arguments: dict[str, Any], ts: int) -> Answer:
        self.calls += 1
        self.now_s += DEADLINE_S / 3 + 1
        return Answer("{}")


async def test_tools_outside_take_from_the_time_of_the_tick() -> None:
    """After the third no model is asked any more: the tick fails and says why, and nothing is set aside for it."""
    slow = Slow()
    ponder = call("desk__ponder", {})
    async with desk([ponder] * 5, skill=PONDERER, outside=slow) as found:
        found.agent.trader.asker._now = lambda: slow.now_s
        decision = await found.decide()
    assert decision.snapshot
    assert (slow.calls, found.api.calls) == (3, 3)
    assert (decision.outcome, decision.snapshot.ended) == (TickOutcome.FAILED, "deadline")
    assert decision.snapshot.note == "the time of the tick is up"


async def test_quick_tools_leave_the_tick_its_time() -> None:
    """Two of them, and the model ends its turn."""
    slow = Slow()
    async with desk([*[call("desk__ponder", {})] * 2, say("HOLD")], skill=PONDERER, outside=slow) as found:
        found.agent.trader.asker._now = lambda: slow.now_s
        decision = await found.decide()
    assert decision.snapshot
    assert (decision.outcome, decision.snapshot.ended, slow.calls) == (TickOutcome.HOLD, "", 2)
