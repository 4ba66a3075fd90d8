"""Timers: in time, one message at a time, aligned to their grid, and gone with the life they belong to."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel import Actor, ManualTime, Message, Ref, Spec, System, handles, settle
from tests.unit.actors.kernel.clerk import Pauses

START_TS = 1_000_500


class Ring(Message["Waker"], frozen=True):
    """Sent by a timer."""

    text: str = "ring"


class Do(Message["Waker"], frozen=True):
    """Told: does something with the actor."""

    what: Callable[["Waker"], Any]


class Waker(Actor):
    """Writes down when its timers ring."""

    def __init__(self, rung: list[tuple[int, str]]) -> None:
        self.rung = rung
        self.blocked = False

    @handles(Ring)
    async def ring(self, message: Ring) -> None:
        self.rung.append((self.time.now_ms() - START_TS, message.text))

    @handles(Do)
    async def do(self, message: Do) -> None:
        result = message.what(self)
        if hasattr(result, "__await__"):
            await result


class Room:
    """A system with a waker in it. `rung` has (ms since the start, what)."""

    def __init__(self, *pauses: float, capacity: int = 5) -> None:
        self.time, self.rung = ManualTime(START_TS), list[tuple[int, str]]()
        self.system = System(self.time)
        self.ref: Ref[Waker] = self.system.spawn(
            Spec("waker", lambda: Waker(self.rung), policy=Pauses(pauses), capacity=capacity)
        )

    async def do(self, what: Callable[[Waker], Any]) -> None:
        """Have something done by the actor."""
        self.ref.tell(Do(what))
        await settle()

    @property
    def skipped(self) -> int:
        return self.system.stats()[0].counts.skipped


async def test_a_timer_rings_once_after_a_while_or_at_an_instant() -> None:
    """In the order in which they are due, whatever order they were set in."""
    room = Room()
    await room.do(lambda actor: actor.at(START_TS + 300, Ring("at")))
    await room.do(lambda actor: actor.after(200, Ring("after")))
    await room.do(lambda actor: actor.at(START_TS - 5, Ring("past")))
    await room.time.advance(1_000)

    assert room.rung == [(0, "past"), (200, "after"), (300, "at")]
    assert room.system.stats()[0].timers == 0


async def test_a_repeating_timer_is_aligned_to_its_grid() -> None:
    """To multiples of the period, plus the offset; each message may be made from its instant."""
    room = Room()
    await room.do(lambda actor: actor.every(1_000, lambda ts: Ring(f"at {ts - START_TS}")))
    await room.do(lambda actor: actor.every(1_000, Ring("offset"), offset_ms=200))
    await room.time.advance(2_000)

    assert room.rung == [(500, "at 500"), (700, "offset"), (1_500, "at 1500"), (1_700, "offset")]


async def test_a_timer_takes_the_place_of_the_one_with_its_key() -> None:
    """Without a key each is its own."""
    room = Room()
    await room.do(lambda actor: actor.after(100, Ring("replaced"), key="k"))
    await room.do(lambda actor: actor.every(200, Ring("replaces"), key="k"))
    for _ in range(2):
        await room.do(lambda actor: actor.after(100, Ring("alone")))
    await room.time.advance(150)

    assert room.rung == [(100, "replaces"), (100, "alone"), (100, "alone")]


async def test_what_a_cancelled_timer_has_sent_is_not_taken() -> None:
    """Although it had fired before it was cancelled, or replaced."""
    room = Room()

    async def while_it_handles(actor: Waker) -> None:
        first = actor.after(100, Ring("cancelled"))
        actor.after(100, Ring("replaced"), key="k")
        await room.time.advance(100)
        actor.cancel_timer(first)
        actor.after(100, Ring("second"), key="k")

    room.ref.tell(Do(while_it_handles))
    await room.system.quiet()
    await room.time.advance(1_000)

    assert room.rung == [(200, "second")]


async def test_messages_of_a_repeating_timer_never_pile_up() -> None:
    """An instant at which the last message still waits is skipped, and counted."""
    room = Room()
    await room.do(lambda actor: actor.every(1_000, lambda ts: Ring(str(ts - START_TS))))

    async def block(actor: Waker) -> None:
        await room.time.advance(3_600)

    room.ref.tell(Do(block))
    await room.system.quiet()
    assert room.rung == [(3_600, "3500")]  # the newest instant, though the first of four put it in
    assert room.skipped == 3

    await room.time.advance(1_000)
    assert room.rung[1:] == [(4_500, "4500")]


async def test_the_stats_name_the_message_that_a_timer_sent() -> None:
    """Not the timer."""
    room, gate = Room(), asyncio.Event()
    await room.do(lambda actor: actor.after(100, Do(lambda _: gate.wait())))
    await room.time.advance(100)

    assert room.system.stats()[0].in_hand == "Do"
    gate.set()


async def test_a_full_mailbox_refuses_no_timer() -> None:
    """The actor has asked for it, and each has one message there at most."""
    room = Room(capacity=1)
    await room.do(lambda actor: actor.after(100, Ring("timer")))

    async def block(actor: Waker) -> None:
        room.ref.tell(Ring("told"))
        await room.time.advance(100)

    room.ref.tell(Do(block))
    await room.system.quiet()

    assert [text for _, text in room.rung] == ["told", "timer"]


async def test_a_timer_can_t_repeat_without_a_pause() -> None:
    """It would never let go."""
    room = Room(0.0)
    await room.do(lambda actor: actor.every(0, Ring()))

    assert room.system.stats()[0].last_error == (
        "ValueError: a timer repeats every 1 ms at most; found a period of 0 ms"
    )


async def test_timers_end_with_the_life_they_belong_to() -> None:
    """With what they have sent and was not taken yet; the next life sets its own."""
    room = Room(0.0)
    await room.do(lambda actor: actor.every(1_000, Ring("old")))

    async def crash_late(actor: Waker) -> None:
        await room.time.advance(600)
        raise ValueError("crash")

    room.ref.tell(Do(crash_late))
    await room.system.quiet()
    await room.do(lambda actor: actor.after(100, Ring("new")))
    await room.time.advance(10_000)

    assert room.rung == [(700, "new")]


async def test_a_clock_set_forward_is_followed_at_once() -> None:
    """What is due by then rings, once; the instants in between are skipped and counted."""
    room = Room()
    await room.do(lambda actor: actor.every(1_000, lambda ts: Ring(str(ts - START_TS))))
    await room.do(lambda actor: actor.at(START_TS + 60_000, Ring("at")))
    await room.time.jump(3_600_000)
    await settle()
    assert room.rung == [(3_600_000, "3599500"), (3_600_000, "at")]
    assert room.skipped == 3_599

    await room.time.advance(500)
    assert room.rung[2:] == [(3_600_500, "3600500")]


async def test_a_clock_set_back_makes_nobody_wait_for_ever() -> None:
    """A repeating timer goes on at its pace; one for an instant rings when it would have, had the clock been left."""
    room = Room()
    await room.do(lambda actor: actor.every(1_000, Ring("every")))
    await room.do(lambda actor: actor.at(START_TS + 2_000, Ring("at")))
    await room.time.jump(-3_600_000)
    await room.time.advance(2_600)

    assert room.rung == [
        (-3_600_000 + 500, "every"),
        (-3_600_000 + 1_500, "every"),
        (-3_600_000 + 2_000, "at"),
        (-3_600_000 + 2_500, "every"),
    ]


@given(
    st.integers(1, 50),
    st.integers(0, 100),
    st.lists(st.integers(0, 120), max_size=12),
)
def test_every_instant_is_sent_or_counted(period_ms: int, offset_ms: int, passes: list[int]) -> None:
    """However the handling is delayed, each instant of the grid that has passed is one or the other."""

    async def run() -> tuple[int, int, int]:
        room = Room()
        await room.do(lambda actor: actor.every(period_ms, Ring(), offset_ms=offset_ms))
        for number, pass_ms in enumerate(passes):
            if number % 2:
                room.ref.tell(Do(lambda _, pass_ms=pass_ms: room.time.advance(pass_ms)))
            else:
                await room.time.advance(pass_ms)
            await room.system.quiet()
        last_ts = room.time.now_ms()
        instants = sum((ts - offset_ms) % period_ms == 0 for ts in range(START_TS + 1, last_ts + 1))
        return instants, len(room.rung), room.skipped

    instants, rung, skipped = asyncio.run(run())
    assert instants == rung + skipped


async def test_what_comes_from_the_kernel_is_there_from_the_start_on() -> None:
    """Using it earlier is a mistake that says so."""
    actor = Waker([])

    for use in (lambda: actor.me, lambda: actor.time, lambda: actor.after(5, Ring()), actor.stop):
        with pytest.raises(RuntimeError, match="Waker does not live yet: use this from `started` on"):
            use()
