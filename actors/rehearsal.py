"""A deployment on a replay of history: the engine's tape, bar by bar, with a tick wherever the schedule has one.

The order is the simulator's (docs/trading-rules.md §3): a bar closes, the tick of that instant is taken, the next bar
opens. The market waits for the tick, as it does in a simulation. Where it stands is the engine's to say, so that it
goes on from there whoever was started again.
"""

from collections.abc import Callable
from typing import Protocol

from actors.engine import EngineActor
from actors.kernel import ActorFailed, AskTimeout, Ref
from actors.messages import CloseBar, OpenBar, Standing, Where
from actors.port import ASK_S
from actors.stage import Hooks
from skills.schedule import Schedule


class Pacing(Protocol):
    """Says when the replay may go on."""

    async def until(self, ts: int) -> None:
        """Wait until the replay's clock shows `ts`."""


class Rehearsal:
    """One replay. `pace_from` makes its pace, from the instant at which it stands.

    `begin_again` is told when the engine was started again, as what was in hand then is in doubt.
    """

    def __init__(
        self,
        engine: Ref[EngineActor],
        start_ts: int,
        interval_ms: int,
        schedule: Schedule,
        pace_from: Callable[[int], Pacing],
        hooks: Hooks,
        begin_again: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._start_ts = start_ts
        self._interval_ms = interval_ms
        self._schedule = schedule
        self._pace_from = pace_from
        self._hooks = hooks
        self._begin_again = begin_again
        self._ticked = hooks.after

    async def run(self) -> Standing:
        """Go on to the end of the tape, and give where the account stands then."""
        standing = await self._where()
        pace = self._pace_from(self._instant(standing))
        while standing.is_open or standing.index < standing.length:
            try:
                standing = await self._go_on(standing, pace)
            except (ActorFailed, AskTimeout):
                self._begin_again()
                standing = await self._where()
            self._hooks.heard(standing)
        return standing

    def _instant(self, standing: Standing) -> int:
        """When what comes next is due: the close of an open bar, or the open of the next one."""
        return self._start_ts + (standing.index + standing.is_open) * self._interval_ms

    async def _go_on(self, standing: Standing, pace: Pacing) -> Standing:
        """Pass an open bar, or tick and open the next one."""
        ts = self._instant(standing)
        await pace.until(ts)
        if standing.is_open:
            return await self._engine.ask(CloseBar(), timeout_s=ASK_S)
        if self._ticked < ts and self._schedule.is_due(ts):
            self._ticked = ts
            await self._hooks.tick(ts, standing)
        return await self._engine.ask(OpenBar(), timeout_s=ASK_S)

    async def _where(self) -> Standing:
        """Ask until the engine, which may be starting, says where it stands. Its giving up is not waited for."""
        while True:
            try:
                return await self._engine.ask(Where(), timeout_s=ASK_S)
            except (ActorFailed, AskTimeout):
                continue
