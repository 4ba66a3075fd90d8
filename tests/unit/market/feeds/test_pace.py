"""A replay goes at its pace, is delayed by what holds it up, and skips nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from actors.kernel import ManualTime, settle
from domain.time import HOUR_MS, MINUTE_MS, SECOND_MS
from market.feeds.pace import Pace

T0 = 1_746_057_600_000
BARS = [T0 + index * MINUTE_MS for index in range(6)]


async def lead(
    pace: Pace, time: ManualTime, work: Callable[[int], Awaitable[None]] | None = None
) -> list[int]:
    """Lead a replay over its bars, and note when (ms since the start) each came."""
    began_s, came = time.monotonic_s(), []
    for ts in BARS:
        await pace.until(ts)
        came.append(round((time.monotonic_s() - began_s) * 1000))
        if work is not None:
            await work(ts)
    return came


async def led(
    pace: Pace, time: ManualTime, work: Callable[[int], Awaitable[None]] | None = None
) -> list[int]:
    """The same, with time passing until it is over."""
    leading = asyncio.ensure_future(lead(pace, time, work))
    while not leading.done():
        await time.advance(100)
    return await leading


async def test_sixty_times_real_time_is_a_minute_a_second() -> None:
    """Each bar comes at its place, counted from the first."""
    time = ManualTime()
    assert await led(Pace(T0, Decimal(60), time), time) == [0, 1_000, 2_000, 3_000, 4_000, 5_000]


async def test_a_little_lateness_is_made_up_for() -> None:
    """So that the replay is at its speed on the whole, although each bar takes some time."""
    time = ManualTime()

    async def work(ts: int) -> None:
        await time.sleep(1.5 if ts == BARS[1] else 0.3)

    assert await led(Pace(T0, Decimal(60), time), time, work) == [0, 1_000, 2_500, 3_000, 4_000, 5_000]


async def test_a_long_delay_is_kept_and_is_no_burst() -> None:
    """A slow tick, or a process that stood still, moves all that follows; nothing is left out."""
    time = ManualTime()
    pace = Pace(T0, Decimal(60), time)

    async def work(ts: int) -> None:
        await time.sleep(90 if ts == BARS[1] else 0)

    assert await led(pace, time, work) == [0, 1_000, 91_000, 92_000, 93_000, 94_000]
    assert round(pace.delayed_s, 3) == 89


async def test_setting_the_clock_changes_no_pace() -> None:
    """Forward or back, by an hour: what counts is the time that passes."""
    time = ManualTime()

    async def work(ts: int) -> None:
        await time.jump({BARS[1]: HOUR_MS, BARS[3]: -2 * HOUR_MS}.get(ts, 0))

    assert await led(Pace(T0, Decimal(60), time), time, work) == [0, 1_000, 2_000, 3_000, 4_000, 5_000]


async def test_a_replay_that_was_interrupted_goes_on_at_once() -> None:
    """A new pace begins where it stands, whatever time has passed in between."""
    time = ManualTime(T0 + 99 * HOUR_MS)
    pace = Pace(BARS[3], Decimal(60), time)

    await pace.until(BARS[3])
    waiting = asyncio.ensure_future(pace.until(BARS[4]))
    await time.advance(999)
    assert not waiting.done()
    await time.advance(1)
    await waiting


async def test_as_fast_as_it_can_lets_others_have_their_turn() -> None:
    """Somebody else is served while a replay goes on that waits for nothing."""
    pace, turns, others = Pace(T0, None, ManualTime()), 0, 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    while others < 5:
        await pace.until(T0 + turns * SECOND_MS)
        turns += 1
    task.cancel()
    await settle()
    assert turns > 5  # it doesn't give way at every bar
