"""A system of actors: names, what can be seen from outside, dead letters, and turns for everybody."""

import asyncio
import logging

import pytest

from actors.kernel import Actor, ManualTime, Message, Spec, State, handles, settle
from actors.kernel.dead_letters import KEPT, DeadLetters
from tests.unit.actors.kernel.clerk import Clerk, Count, Fail, Hold, Note, Office, Price


async def test_a_name_is_one_actor_s() -> None:
    """Until that has ended; it finds its Ref."""
    office = Office()
    with pytest.raises(ValueError, match="there is an actor called clerk already"):
        office.system.spawn(Spec("clerk", lambda: Clerk(office.book)))
    assert office.system.find("clerk") is office.clerk
    assert repr(office.clerk) == "<Ref clerk>"

    await office.system.stop(office.clerk)

    assert office.system.find("clerk") is None
    successor = office.system.spawn(Spec("clerk", lambda: Clerk(office.book)))
    assert await successor.ask(Count(), timeout_s=5) == 3


async def test_the_stats_show_what_waits_and_what_is_in_hand() -> None:
    """And since when."""
    office = Office(0.0, capacity=2)
    for message in (Fail(), Hold()):
        office.clerk.tell(message)
    await office.time.advance(1_000)
    office.clerk.tell(Note("a"))
    await office.time.advance(2_000)
    for px in (1, 2):
        office.clerk.tell(Price("BTC", px))
    [stats] = office.system.stats()

    assert (stats.name, stats.state, stats.depth, stats.capacity) == ("clerk", State.RUNNING, 2, 2)
    assert (stats.oldest_s, stats.in_hand, stats.in_hand_s) == (2.0, "Hold", 3.0)
    assert (stats.dropped, stats.refused) == (1, 0)
    assert (stats.counts.starts, stats.counts.crashes, stats.counts.handled) == (2, 1, 0)
    assert stats.last_error == "ValueError: it slipped"


async def test_the_stats_of_one_moment_stay_as_they_are() -> None:
    """They are a copy."""
    office = Office()
    await office.system.quiet()
    [before] = office.system.stats()
    await office.clerk.ask(Count(), timeout_s=5)

    assert before.counts.handled == 0
    assert office.system.stats()[0].counts.handled == 1


def test_dead_letters_are_counted_and_the_last_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Without what they said, and with one line in the log for all within ten seconds."""
    time = ManualTime(7_000)
    letters = DeadLetters(time.now_ms, time.monotonic_s)
    with caplog.at_level(logging.WARNING):
        for number in range(KEPT + 50):
            letters.add("clerk", Note(f"secret {number}"))
        asyncio.run(time.advance(10_000))
        letters.add("clerk", Note("secret"))

    assert (letters.count, len(letters.last)) == (KEPT + 51, KEPT)
    assert letters.last[-1].ts == 17_000
    assert "secret" not in caplog.text + repr(letters.last)
    assert [record.getMessage() for record in caplog.records] == [
        "lost, as their actors have ended: 1 messages, the last a Note to clerk",
        "lost, as their actors have ended: 150 messages, the last a Note to clerk",
    ]


class Echo(Message["Chatterbox"], frozen=True):
    """Told: tells itself again."""


class Chatterbox(Actor):
    """Never has nothing to do, and never waits."""

    @handles(Echo)
    async def echo(self, message: Echo) -> None:
        self.me.tell(Echo())


async def test_an_actor_that_is_never_done_leaves_turns_for_others() -> None:
    """Although it does not wait for anything."""
    office = Office()
    chatterbox = office.system.spawn(Spec("chatterbox", Chatterbox))
    chatterbox.tell(Echo())
    await settle()

    assert await office.clerk.ask(Count(), timeout_s=5) == 1
    assert (await office.system.stop(chatterbox)).error is None


def test_two_handlers_for_one_type_of_message_are_a_mistake() -> None:
    """It shows when the class is made."""
    with pytest.raises(TypeError, match=r"Both\.again handles Echo, as once does"):

        class Both(Actor):
            @handles(Echo)
            async def once(self, message: Echo) -> None: ...

            @handles(Echo)
            async def again(self, message: Echo) -> None: ...


async def test_a_kind_of_actor_takes_what_its_base_takes() -> None:
    """And may handle it in its own way."""

    class Careful(Clerk):
        @handles(Note)
        async def careful_note(self, message: Note) -> None:
            self.book.written.append(message.text.upper())

    office = Office()
    careful = office.system.spawn(Spec("careful", lambda: Careful(office.book)))
    careful.tell(Note("a"))

    assert await careful.ask(Count(), timeout_s=5) == 3
    assert office.written[-1] == "A"
