"""The two kinds of time: one that is moved by hand, and the wall's, whose clock may be set while something waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel import ManualTime, WallTime, settle
from actors.kernel.agenda import Agenda


class SettableClock:
    """A wall's clock that a test sets; it stands still otherwise."""

    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


@given(st.lists(st.tuples(st.booleans(), st.integers(-50, 500)), max_size=20), st.lists(st.integers(0, 200)))
def test_what_is_due_is_done_in_order_and_at_its_instant(
    plans: list[tuple[bool, int]], moves: list[int]
) -> None:
    """Nothing before, nothing twice, and of one instant the first that was asked for first."""
    asyncio.run(_done_in_order(plans, moves))


async def _done_in_order(plans: list[tuple[bool, int]], moves: list[int]) -> None:
    time, done = ManualTime(10_000), list[tuple[int, int]]()
    for number, (by_instant, delay_ms) in enumerate(plans):

        def do(number: int = number) -> None:
            done.append((time.now_ms() - 10_000, number))

        if by_instant:
            time.call_at(10_000 + delay_ms, do)
        else:
            time.call_later(delay_ms / 1000, do)
    for move in moves:
        await time.advance(move)
    await settle()

    due = sorted((max(0, delay_ms), number) for number, (_, delay_ms) in enumerate(plans))
    assert done == [(at, number) for at, number in due if at <= sum(moves)]
    assert time.now_ms() == 10_000 + sum(moves)


async def test_sleepers_wake_in_order() -> None:
    """Each has run before time moves on to the next, and what it plans is done on the way."""
    time, woken = ManualTime(), list[str]()

    async def sleeper(name: str, ts: int) -> None:
        await time.wait_until(ts)
        woken.append(f"{name} at {time.now_ms()}")
        await time.sleep(0.1)
        woken.append(f"{name} again at {time.now_ms()}")

    sleepers = [asyncio.create_task(sleeper("late", 250)), asyncio.create_task(sleeper("early", 200))]
    await settle()
    await time.move_to(1_000)
    await asyncio.gather(*sleepers)

    assert woken == ["early at 200", "late at 250", "early again at 300", "late again at 350"]


async def test_what_was_cancelled_is_not_done() -> None:
    """By its handle, and by cancelling who waits."""
    time, done = ManualTime(), list[str]()
    time.call_later(1, lambda: done.append("a")).cancel()
    waiting = asyncio.create_task(time.wait_until(500))
    await settle()
    waiting.cancel()
    await time.advance(2_000)

    assert done == []


async def test_durations_are_never_cut_short() -> None:
    """They are rounded up to whole milliseconds, but for what a sum of seconds may be off."""
    time, done = ManualTime(), list[int]()
    for delay_s in (0.0001, 0.001, 0.1 + 0.2, 0.3004):
        time.call_later(delay_s, lambda: done.append(time.now_ms()))
    await time.advance(1_000)

    assert done == [1, 1, 300, 301]


async def test_time_does_not_run_backwards() -> None:
    """A clock can be set back, but no time passes by that."""
    time = ManualTime(5_000)
    with pytest.raises(ValueError, match="backwards"):
        await time.move_to(4_999)
    await time.jump(-1_000)

    assert (time.now_ms(), time.monotonic_s()) == (4_000, 0.0)


async def test_a_clock_set_forward_brings_what_waits_for_an_instant_before_what_waits_for_a_while() -> None:
    """Which stays where it is."""
    time, done = ManualTime(), list[str]()
    for second in range(1, 6):
        time.call_later(second, lambda second=second: done.append(f"{second} s"))
    time.call_at(3_600_000, lambda: done.append("at"))
    await time.jump(3_600_000)
    assert done == ["at"]

    await time.advance(5_000)
    assert done[1:] == [f"{second} s" for second in range(1, 6)]


async def test_the_wall_wakes_those_who_wait_for_an_instant() -> None:
    """And an instant that has passed is now."""
    time, woken = WallTime(), list[str]()
    await asyncio.gather(time.wait_until(time.now_ms() + 5), time.wait_until(0), time.sleep(0))
    time.call_at(0, lambda: woken.append("cancelled")).cancel()
    await time.sleep(0)

    assert woken == []
    assert time.agenda.next_s() is None


async def test_nobody_is_woken_before_the_wall_shows_it() -> None:
    """When the clock turns out to be a little behind, as one that is being corrected, the rest is waited for."""

    class CrawlingClock(SettableClock):
        def now_ms(self) -> int:
            self.ms += 1  # with each look, however long that was after the last
            return self.ms

    clock = CrawlingClock(1_000)
    await WallTime(clock).wait_until(1_008)

    assert clock.ms >= 1_008


async def test_a_wall_set_forward_makes_nobody_late() -> None:
    """It is seen at the next look, however long there was to go; durations are not concerned."""
    clock = SettableClock(0)
    time = WallTime(clock, look_every_s=0.005)
    woken = asyncio.create_task(time.wait_until(3_600_000))
    later = asyncio.create_task(time.sleep(3_600))
    await settle()
    clock.ms = 7_200_000

    await woken
    assert not later.done()
    later.cancel()


async def test_a_wall_set_back_makes_nobody_wait_for_ever() -> None:
    """It takes as long as there was to go."""
    clock = SettableClock(10_000_000)
    time = WallTime(clock, look_every_s=0.005)
    woken = asyncio.create_task(time.wait_until(10_000_020))
    await settle()
    clock.ms = 5_000

    await woken


async def test_the_wall_does_not_ring_when_there_is_nothing_to_do() -> None:
    """Its alarm ends with the last entry, and begins again with the next."""
    time = WallTime(SettableClock(0), look_every_s=0)
    for _ in range(2):
        waiting = asyncio.create_task(time.wait_until(1_000_000))
        await settle()
        assert time._alarm is not None
        waiting.cancel()
        await settle()
        assert time._alarm is None


async def test_something_that_fails_keeps_nothing_else_from_being_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged."""
    time, done = WallTime(), asyncio.Event()

    def fail() -> None:
        raise ValueError("no good")

    time.call_later(0, fail)
    time.call_later(0, done.set)
    await done.wait()

    assert "ValueError: no good" in caplog.text


async def test_a_nearer_appointment_is_kept_although_a_later_one_was_made_first() -> None:
    """And although one nearer still was cancelled."""
    time, done = WallTime(look_every_s=3_600), asyncio.Event()
    time.call_later(3_600, done.set)
    cancelled = time.call_later(0.001, done.set)
    time.call_later(0.005, done.set)
    cancelled.cancel()

    await done.wait()


def test_what_was_cancelled_does_not_pile_up() -> None:
    """As time-outs would, most of which are never reached."""
    agenda = Agenda()
    kept = [agenda.add(float(number), lambda: None) for number in range(10)]
    for _ in range(10_000):
        agenda.add(1e9, lambda: None).cancel()

    assert len(agenda._heap) < 1_000
    taken = []
    while (entry := agenda.take(1e9)) is not None:
        taken.append(entry)
    assert taken == kept
