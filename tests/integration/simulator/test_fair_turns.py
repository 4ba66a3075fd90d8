"""Runs that share a key's limit: a slow answer holds up its own run and nobody else's."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from agent.gate import Gate
from control import runs
from db.pool import Database
from tests.integration.simulator.samples import DAYS, T0, keep_market
from tests.integration.simulator.thinking import ask, thinker
from tests.standins.brains import hold, system_text
from tests.standins.messages_api import stand_in
from tests.standins.provider import provider
from tests.standins.steps import Step

NEVER_MS = 600_000.0
A_DAY = {"from_ts": T0 + DAYS, "to_ts": T0 + 2 * DAYS}
TICKS = 6


def name_of(body: Mapping[str, Any]) -> str:
    """The Skill that asks."""
    found = re.search(r"^The Skill: (.+)$", system_text(body), re.MULTILINE)
    assert found
    return found[1]


async def test_a_slow_answer_blocks_no_other_run(database: Database, owner: UUID) -> None:
    """Six runs, two calls at once, one of which never ends: the five others come to their end, whole."""
    await keep_market(database)

    def answer(body: Mapping[str, Any], number: int) -> Step:
        step = hold(body, number)
        return step.but(latency_ms=NEVER_MS) if name_of(body) == "slow" else step

    async with stand_in(answer) as api:
        models = provider(api.url, at_once=2, timeout_s=600.0)
        names = ("slow", *(f"quick-{n}" for n in range(5)))
        slow, *quick = [(await ask(database, owner, models, thinker(name), **A_DAY))[0] for name in names]
        waiting = asyncio.create_task(runs.carry_out(database, slow, models))
        done = await asyncio.gather(*(runs.carry_out(database, run_id, models) for run_id in quick))
        asked = [name_of(body) for body in api.bodies]
        still = not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert still
    assert asked.count("slow") == 1
    assert [run.record.inference.calls for run in done] == [TICKS] * 5


who: ContextVar[str] = ContextVar("who")
"""The Skill whose run is being carried out."""


class Watched(Gate):
    """A gate that remembers who came, and who was let through, in their order."""

    def __init__(self, at_once: int) -> None:
        super().__init__(at_once)
        self.came: list[str] = []
        self.let_through: list[str] = []

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        self.came.append(who.get())
        async with super().passed():
            self.let_through.append(who.get())
            yield


async def test_calls_are_made_in_the_order_in_which_they_were_wanted(database: Database, owner: UUID) -> None:
    """Six runs, one call at a time: whoever waited first is asked for first, as the other side sees it too."""
    await keep_market(database)
    async with stand_in() as api:
        gate = Watched(1)
        models = replace(provider(api.url), gate=gate)
        names = [f"turn-{n}" for n in range(6)]
        ids = [(await ask(database, owner, models, thinker(name), **A_DAY))[0] for name in names]

        async def carry_out(name: str, run_id: UUID) -> None:
            who.set(name)
            await runs.carry_out(database, run_id, models)

        await asyncio.gather(*map(carry_out, names, ids))
        asked = [name_of(body) for body in api.bodies]
    assert asked == gate.let_through == gate.came
    assert len(asked) == 6 * TICKS
