"""Telling and asking: answers, order, and what a sender hears when there is no answer."""

import asyncio

import pytest

from actors.kernel import ActorFailed, AskTimeout, MailboxFull, Stopped, settle
from tests.unit.actors.kernel.clerk import Count, Fail, Hold, Note, Office, Parcel, Unheard, Urgent


async def test_an_answer_comes_back_to_whoever_asked() -> None:
    """What was told before is done by then."""
    office = Office()
    office.clerk.tell(Note("a"))

    assert await office.clerk.ask(Count(), timeout_s=5) == 2
    assert office.written == ["started", "a"]


async def test_messages_of_one_lane_are_taken_in_their_order() -> None:
    """Whether they are told or asked."""
    office = Office()
    office.clerk.tell(Note("a"))
    asked = asyncio.create_task(office.clerk.ask(Parcel("b"), timeout_s=5))
    await asyncio.sleep(0)
    office.clerk.tell(Note("c"))
    await office.system.quiet()

    assert office.written[1:] == ["a", "b", "c"]
    assert await asked == 3


async def test_the_lane_of_the_system_overtakes_but_does_not_interrupt() -> None:
    """What is in hand is finished first."""
    office = Office()
    held = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=5))
    await settle()
    office.clerk.tell(Note("user"))
    office.clerk.tell(Urgent("system"))
    await settle()
    assert office.written == ["started", "holding held"]

    office.book.gate.set()
    await office.system.quiet()

    assert office.written[2:] == ["system", "user"]
    assert await held == "held"


async def test_an_ask_that_takes_too_long_fails_at_its_time_out() -> None:
    """Not a millisecond earlier; the actor is not disturbed, and its late answer is dropped and counted."""
    office = Office()
    asked = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=5))
    await office.time.advance(4_999)
    assert not asked.done()

    await office.time.advance(1)
    with pytest.raises(AskTimeout, match="clerk did not answer Hold within 5 s"):
        await asked
    office.book.gate.set()
    await office.system.quiet()

    [stats] = office.system.stats()
    assert (stats.counts.late, stats.counts.expired, stats.counts.handled) == (1, 0, 1)
    assert await office.clerk.ask(Count(), timeout_s=5) == 2


async def test_a_request_that_has_run_out_is_not_begun() -> None:
    """Whoever asked believes that it did not happen, unless it had begun."""
    office = Office()
    holding = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=60))
    await settle()
    asked = asyncio.create_task(office.clerk.ask(Parcel("too late"), timeout_s=5))
    await office.time.advance(5_000)
    office.book.gate.set()
    await office.system.quiet()

    with pytest.raises(AskTimeout):
        await asked
    assert await holding == "held"
    assert "too late" not in office.written
    assert office.system.stats()[0].counts.expired == 1


async def test_a_request_that_ran_out_while_the_loop_was_blocked_is_not_begun() -> None:
    """The clock counts, not whether its time-out has been noticed."""
    office = Office()
    holding = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=60))
    asked = asyncio.create_task(office.clerk.ask(Parcel("too late"), timeout_s=5))
    await settle()
    office.book.gate.set()
    office.time._passed_ms += 5_000  # nobody had a turn meanwhile
    await holding
    await office.system.quiet()

    assert "too late" not in office.written
    await office.time.advance(0)
    asked.cancel()


async def test_a_request_whose_asker_was_cancelled_is_not_begun() -> None:
    """Nobody waits for its answer."""
    office = Office()
    office.clerk.tell(Hold())
    asked = asyncio.create_task(office.clerk.ask(Parcel("unwanted"), timeout_s=5))
    await settle()
    asked.cancel()
    await settle()
    office.book.gate.set()
    await office.system.quiet()

    assert asked.cancelled()
    assert "unwanted" not in office.written
    assert office.system.stats()[0].counts.expired == 1


async def test_time_outs_of_different_lengths_run_out_in_their_own_order() -> None:
    """A short one that began later fails before a long one that began earlier."""
    office = Office()
    office.clerk.tell(Hold())
    failed: list[str] = []

    async def ask(name: str, timeout_s: float) -> None:
        with pytest.raises(AskTimeout):
            await office.clerk.ask(Count(), timeout_s)
        failed.append(name)

    asks = [asyncio.create_task(ask("long", 9)), asyncio.create_task(ask("first short", 3))]
    await office.time.advance(1_000)
    asks.append(asyncio.create_task(ask("second short", 3)))
    for passed_ms, expected in ((2_000, 1), (1_000, 2), (4_999, 2), (1, 3)):
        await office.time.advance(passed_ms)
        assert len(failed) == expected

    await asyncio.gather(*asks)
    assert failed == ["first short", "second short", "long"]


async def test_a_time_out_that_nobody_waits_for_any_more_does_nothing() -> None:
    """Answers that came leave nothing behind."""
    office = Office()
    for _ in range(3):
        await office.clerk.ask(Count(), timeout_s=5)
        await office.time.advance(3_000)

    await office.time.advance(60_000)

    assert office.system.stats()[0].counts.handled == 3


async def test_an_answered_ask_leaves_nothing_behind() -> None:
    """Not even until its time-out; what has been asked may be large."""
    office = Office()
    await office.clerk.ask(Count(), timeout_s=5)

    assert list(office.system._around.deadlines._rows.values()) == [{}]


async def test_a_request_over_which_the_actor_crashes_fails_with_the_cause() -> None:
    """And is not tried again."""
    office = Office(0.0)

    with pytest.raises(ActorFailed, match="clerk failed with Fail in hand: ValueError: it slipped") as caught:
        await office.clerk.ask(Fail(), timeout_s=5)

    assert isinstance(caught.value.__cause__, ValueError)
    assert await office.clerk.ask(Count(), timeout_s=5) == 2
    assert office.written == ["started", "started"]


async def test_a_message_without_a_handler_is_a_crash_that_says_what_to_write() -> None:
    """It can't pass unnoticed."""
    office = Office(0.0)
    office.clerk.tell(Unheard())
    await office.system.quiet()

    assert office.system.stats()[0].last_error == (
        "TypeError: Clerk has no handler for Unheard; mark one with @handles(Unheard)"
    )


async def test_a_full_mailbox_refuses() -> None:
    """The sender is told at once, by tell and by ask alike, and the lane of the system has room of its own."""
    office = Office(capacity=2)
    office.clerk.tell(Hold())
    await settle()
    office.clerk.tell(Note("a"))
    office.clerk.tell(Note("b"))

    with pytest.raises(MailboxFull, match="clerk has no room for Note: 2 messages wait"):
        office.clerk.tell(Note("c"))
    with pytest.raises(MailboxFull):
        await office.clerk.ask(Count(), timeout_s=5)
    office.clerk.tell(Urgent("u"))
    office.book.gate.set()
    await office.system.quiet()

    assert office.written[2:] == ["u", "a", "b"]
    assert office.system.stats()[0].refused == 2


async def test_an_ask_may_wait_for_room_within_its_time_out() -> None:
    """It is in the mailbox when there is room, and gone when its time has run out."""
    office = Office(capacity=1)
    office.clerk.tell(Hold())
    await settle()
    office.clerk.tell(Note("a"))
    patient = asyncio.create_task(office.clerk.ask(Parcel("patient"), timeout_s=60))
    hasty = asyncio.create_task(office.clerk.ask(Parcel("hasty"), timeout_s=5))
    await office.time.advance(5_000)
    office.book.gate.set()
    await office.system.quiet()

    with pytest.raises(AskTimeout):
        await hasty
    assert await patient == 4
    assert office.written[2:] == ["a", "patient"]


async def test_a_sender_may_wait_for_room() -> None:
    """Those who wait get in in their order, and nobody who comes later gets in before them."""
    office = Office(capacity=1)
    office.clerk.tell(Hold())
    await settle()
    await office.clerk.send(Note("a"))
    senders = [asyncio.create_task(office.clerk.send(Parcel(text))) for text in ("b", "c", "d")]
    await settle()
    with pytest.raises(MailboxFull):
        office.clerk.tell(Parcel("pushy"))
    senders[1].cancel()
    office.book.gate.set()
    await office.system.quiet()

    assert office.written[2:] == ["a", "b", "d"]
    assert [sender.cancelled() for sender in senders] == [False, True, False]


async def test_what_waits_when_the_actor_ends_is_answered_or_lost() -> None:
    """Requests fail with Stopped, those that wait for room too; what was told is a dead letter."""
    office = Office(capacity=1)
    holding = asyncio.create_task(office.clerk.ask(Hold(), timeout_s=60))
    await settle()
    waiting = [asyncio.create_task(office.clerk.ask(Parcel(text), timeout_s=60)) for text in ("a", "b")]
    sender = asyncio.create_task(office.clerk.send(Parcel("c")))
    await settle()
    stopped = asyncio.create_task(office.system.stop(office.clerk))
    await settle()
    office.book.gate.set()
    await stopped
    await settle()

    assert await holding == "held"
    for asked in waiting:
        with pytest.raises(Stopped, match="clerk has ended"):
            await asked
    assert sender.done()
    assert [letter.type for letter in office.system.dead_letters.last] == ["Parcel"]


async def test_an_actor_that_has_ended_takes_nothing() -> None:
    """Asking it fails at once; what it is told is counted, and what is sent is kept from nobody."""
    office = Office()
    await office.system.stop(office.clerk)

    with pytest.raises(Stopped):
        await office.clerk.ask(Count(), timeout_s=5)
    office.clerk.tell(Note("a"))
    await office.clerk.send(Parcel("b"))

    letters = office.system.dead_letters
    assert letters.count == 2
    assert [(letter.to, letter.type) for letter in letters.last] == [("clerk", "Note"), ("clerk", "Parcel")]


@pytest.mark.parametrize(("is_ending", "warnings"), [(False, 1), (True, 0)])
async def test_what_is_lost_at_the_end_of_all_warns_nobody(
    caplog: pytest.LogCaptureFixture, is_ending: bool, warnings: int
) -> None:
    """It is counted all the same; before the end there is a warning."""
    office = Office()
    await office.system.stop(office.clerk)
    office.system.dead_letters.is_ending = is_ending
    office.clerk.tell(Note("a"))

    assert office.system.dead_letters.count == 1
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == warnings
