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
from skills.schedule import Schedule


class Clockwork(Protocol):
    """The time that ticks come due by."""

    def now_ms(self) -> int:
        """The instant it is."""

    async def wait_until(self, ts: int) -> None:
        """Wait for an instant."""


class Live:
    """One deployment's ticks. `due_data` waits for what a tick is due, and for no longer than it may.

    `tick` takes the tick of an instant; `late` is told how many ms late it began, `missed` how many were passed over.
    """

    def __init__(
        self,
        engine: Ref[EngineActor],
        schedule: Schedule,
        time: Clockwork,
        due_data: Callable[[int], Awaitable[None]],
        tick: Callable[[int, Standing], Awaitable[None]],
        heard: Callable[[Standing], None],
        late: Callable[[int], None],
        missed: Callable[[int], None],
        begin_again: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._schedule = schedule
        self._time = time
        self._due_data = due_data
        self._tick = tick
        self._heard = heard
        self._late = late
        self._missed = missed
        self._begin_again = begin_again

    async def run(self) -> None:
        """Tick on schedule, for ever."""
        last = self._time.now_ms()
        while True:
            due = self._schedule.next_after(last)
            await self._time.wait_until(due)
            ts, passed_over = self._newest(due)
            self._late(max(0, self._time.now_ms() - ts))
            await self._due_data(ts)
            standing = await self._where()
            if standing is not None:
                await self._tick(ts, standing)
                await self._where()
            last, while_it_ran = self._newest(ts)
            if passed_over or while_it_ran:
                self._missed(passed_over + while_it_ran)

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
        self._heard(standing)
        return standing
