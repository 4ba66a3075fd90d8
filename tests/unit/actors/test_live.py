"""A deployment on the clock ticks on schedule, once for each instant, and counts what it passes over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any, cast

import pytest

from actors.kernel import Actor, Exit, ManualTime, Ref, Spec, System, handles
from actors.live import Live
from actors.messages import Standing, Where
from actors.stage import Hooks
from domain.journal import HaltPhase
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_ts
from market.feeds.due import Due
from skills.schedule import Schedule

T0 = parse_ts("2026-01-05T10:00")
NOTHING_DUE = Due((), ())


class Engine(Actor):
    """An engine that only says where its account stands, unless it is to crash: then it is started again."""

    def __init__(self, crashes: list[str]) -> None:
        self.crashes = crashes

    @handles(cast("type[Any]", Where))
    async def where(self, message: Any) -> Standing:
        if self.crashes:
            raise RuntimeError(self.crashes.pop())
        return Standing(1, self.time.now_ms(), HaltPhase.ACTIVE, None, Decimal(100), {}, 0, "")


class AtOnce:
    """Starts whatever crashed again at once."""

    def after(self, exit: Exit, now_s: float) -> float | None:
        return None if exit.error is None else 0.0


class Watched:
    """A drive that runs, and what it called."""

    def __init__(self) -> None:
        self.time = ManualTime(T0 + SECOND_MS)
        self.system = System(self.time)
        self.ticks: list[int] = []
        self.lateness: list[int] = []
        self.passed_over = 0
        self.begun_again = 0
        self.while_ticking: Callable[[], Awaitable[None]] | None = None
        self.due = NOTHING_DUE
        self.crashes: list[str] = []
        spec = Spec(name="engine", make=lambda: Engine(self.crashes), policy=AtOnce())
        self.engine = self.system.spawn(spec)

    async def run(self, schedule: str = "1h") -> None:
        hooks = Hooks(self.tick, lambda standing: None, self.late, self.missed)
        drive = Live(
            cast("Ref[Any]", self.engine), Schedule.parse(schedule), self.time, self.data, hooks, self.again
        )
        self.running = asyncio.create_task(drive.run())
        await self.time.advance(0)

    async def tick(self, ts: int, standing: Standing) -> None:
        self.ticks.append(ts)
        if self.while_ticking is not None:
            await self.while_ticking()

    def late(self, ms: int, due: Due) -> None:
        self.lateness.append(ms)

    def missed(self, count: int) -> None:
        self.passed_over += count

    def again(self) -> None:
        self.begun_again += 1

    async def data(self, ts: int) -> Due:
        return self.due


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    made = Watched()
    yield made
    made.running.cancel()
    await made.system.stop_all()


async def test_each_instant_is_ticked_once_and_on_time(watched: Watched) -> None:
    """From the first that is due after it began."""
    await watched.run()
    await watched.time.advance(3 * HOUR_MS)
    assert watched.ticks == [T0 + n * HOUR_MS for n in (1, 2, 3)]
    assert watched.lateness == [0, 0, 0]
    assert watched.passed_over == 0


async def test_what_comes_due_while_a_tick_runs_is_passed_over_and_counted(watched: Watched) -> None:
    """A tick of 150 minutes swallows the two that follow."""
    await watched.run()
    watched.while_ticking = lambda: watched.time.sleep(150 * MINUTE_MS / SECOND_MS)
    await watched.time.advance(6 * HOUR_MS)
    assert watched.ticks == [T0 + HOUR_MS, T0 + 4 * HOUR_MS]
    assert watched.passed_over == 2


async def test_a_clock_set_forward_takes_the_newest_tick_and_counts_the_rest(watched: Watched) -> None:
    """Nothing is made up for: one tick, three passed over."""
    await watched.run()
    await watched.time.jump(4 * HOUR_MS)
    assert watched.ticks == [T0 + 4 * HOUR_MS]
    assert watched.passed_over == 3


async def test_a_clock_set_back_repeats_nothing(watched: Watched) -> None:
    """What was ticked stays ticked, until the clock is past it again."""
    await watched.run()
    await watched.time.advance(2 * HOUR_MS)
    await watched.time.jump(-DAY_MS)
    await watched.time.advance(DAY_MS + HOUR_MS)
    assert len(watched.ticks) == len(set(watched.ticks))
    assert watched.ticks == sorted(watched.ticks)


async def test_a_tick_whose_engine_does_not_answer_is_counted_as_missed(watched: Watched) -> None:
    """It is not taken blindly; the next one is."""
    await watched.run()
    watched.crashes.append("the database is away")
    await watched.time.advance(HOUR_MS)
    assert watched.ticks == []
    assert (watched.passed_over, watched.begun_again) == (1, 1)
    await watched.time.advance(HOUR_MS)
    assert watched.ticks == [T0 + 2 * HOUR_MS]
