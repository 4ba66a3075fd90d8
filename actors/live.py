"""A deployment on a market that moves by itself: its ticks come due by the clock.

A tick waits a little for the bar it is due (docs/trading-rules.md §5). One that would begin while another runs, or lies
behind when the clock was set forward, is not made up for; it is counted. A clock that is set back repeats nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from actors.engine import EngineActor
from actors.kernel import ActorFailed, AskTimeout, Ref
from actors.messages import Standing, Where
from actors.port import ASK_S
from actors.stage import Hooks
from market.feeds.due import Due
from skills.schedule import Schedule


class Clockwork(Protocol):
    """The time that ticks come due by."""

    def now_ms(self) -> int:
        """The instant it is."""

    async def wait_until(self, ts: int) -> None:
        """Wait for an instant."""


class Live:
    """One deployment's ticks, after the instant `last`.

    `due_data` waits for what a tick is due, and for no longer than it may. `begin_again` is told when the engine was
    started again, as what was in hand then is in doubt.
    """

    def __init__(
        self,
        engine: Ref[EngineActor],
        schedule: Schedule,
        time: Clockwork,
        due_data: Callable[[int], Awaitable[Due]],
        hooks: Hooks,
        begin_again: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._schedule = schedule
        self._time = time
        self._due_data = due_data
        self._hooks = hooks
        self._begin_again = begin_again

    async def run(self) -> None:
        """Tick on schedule, for ever."""
        last = self._time.now_ms()
        while True:
            due = self._schedule.next_after(last)
            await self._time.wait_until(due)
            ts, passed_over = self._newest(due)
            late_ms = max(0, self._time.now_ms() - ts)
            self._hooks.late(late_ms, await self._due_data(ts))
            standing = await self._where()
            if standing is None:
                passed_over += 1
            else:
                await self._hooks.tick(ts, standing)
                await self._where()
            last, while_it_ran = self._newest(ts)
            if passed_over or while_it_ran:
                self._hooks.missed(passed_over + while_it_ran)

    def _newest(self, due: int) -> tuple[int, int]:
        """The newest instant that is due, and how many before it are passed over."""
        ts, passed_over = due, 0
        while (following := self._schedule.next_after(ts)) <= self._time.now_ms():
            ts, passed_over = following, passed_over + 1
        return ts, passed_over

    async def _where(self) -> Standing | None:
        """Where the account stands, for whoever looks; None while its engine is being started again."""
        try:
            standing = await self._engine.ask(Where(), timeout_s=ASK_S)
        except (ActorFailed, AskTimeout):
            self._begin_again()
            return None
        self._hooks.heard(standing)
        return standing
