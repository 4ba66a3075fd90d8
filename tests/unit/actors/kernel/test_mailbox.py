"""The laws of a mailbox: bounded, in order, two lanes, and nothing lost that is not counted."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel import Lane, Mail, MailboxFull, settle
from actors.kernel.mailbox import Envelope, Mailbox
from tests.unit.actors.kernel.clerk import Courier, Note, Parcel, Price, Urgent, Volume

MAIL = st.one_of(
    st.builds(Note, st.sampled_from("abc")),
    st.builds(Urgent, st.sampled_from("abc")),
    st.builds(Price, st.sampled_from(["BTC", "ETH"]), st.integers(1, 9)),
    st.builds(Parcel, st.sampled_from("abc")),
)
STEPS = st.lists(st.one_of(MAIL, st.sampled_from(["take", "send"])), max_size=60)


def envelope(message: Mail[Any, Any], came_s: float = 0.0) -> Envelope:
    """A message as it is told."""
    return message, None, 0.0, came_s


async def send(mailbox: Mailbox, message: Mail[Any, Any]) -> None:
    """Put a message in, and wait for room."""
    is_in = mailbox.put_or_wait(envelope(message))
    if is_in is not None:
        await is_in


def everything(mailbox: Mailbox) -> list[Any]:
    """Take all that waits."""
    taken = []
    while (found := mailbox.take()) is not None:
        taken.append(found[0])
    return taken


@given(STEPS, st.integers(1, 5))
def test_nothing_is_lost_but_what_is_counted(steps: list[Any], capacity: int) -> None:
    """What was put is taken, or refused, or dropped for something newer; and never does more wait than may."""
    mailbox = Mailbox("clerk", capacity)
    came, taken, refused = 0, 0, 0
    for step in steps:
        if isinstance(step, Mail):
            came += 1
            try:
                mailbox.put(envelope(step))
            except MailboxFull:
                refused += 1
        elif mailbox.take() is not None:
            taken += 1
        assert len(mailbox.user) <= capacity
        assert len(mailbox.system) <= capacity

    assert mailbox.refused == refused
    assert came == taken + refused + mailbox.dropped + len(mailbox)
    assert len(everything(mailbox)) == came - taken - refused - mailbox.dropped


@given(st.lists(st.one_of(MAIL, st.just("take")), max_size=60))
def test_messages_are_taken_in_order_the_system_s_first(steps: list[Any]) -> None:
    """Against the plainest model: two lists."""
    mailbox = Mailbox("clerk", capacity=1000)
    lanes: dict[Lane, list[Any]] = {Lane.SYSTEM: [], Lane.USER: []}
    for step in steps:
        if isinstance(step, Mail):
            mailbox.put(envelope(step))
            lanes[step.lane].append(step)
            continue
        waiting = lanes[Lane.SYSTEM] or lanes[Lane.USER]
        found = mailbox.take()
        assert (found[0] if found else None) is (waiting.pop(0) if waiting else None)

    assert everything(mailbox) == lanes[Lane.SYSTEM] + lanes[Lane.USER]


@given(st.lists(st.builds(Price, st.sampled_from(["BTC", "ETH", "SOL"]), st.integers(1, 99)), max_size=60))
def test_of_prices_the_newest_of_each_symbol_waits(prices: list[Price]) -> None:
    """A full mailbox drops older ones of the same symbol only, so that each that was let in is there or replaced."""
    mailbox = Mailbox("clerk", capacity=3)
    model: list[Price] = []
    for price in prices:
        like = next((old for old in model if old.key == price.key), None)
        if len(model) == 3 and like is None:
            with pytest.raises(MailboxFull):
                mailbox.put(envelope(price))
            continue
        if len(model) == 3 and like is not None:
            model.remove(like)
        mailbox.put(envelope(price))
        model.append(price)

    assert everything(mailbox) == model


def test_a_newer_price_never_drops_a_message_of_another_type() -> None:
    """Where there is no older price of its symbol, it is refused like anything else."""
    mailbox = Mailbox("clerk", capacity=2)
    mailbox.put(envelope(Volume("BTC", 1)))
    mailbox.put(envelope(Price("BTC", 1)))
    mailbox.put(envelope(Price("BTC", 2)))
    with pytest.raises(MailboxFull):
        mailbox.put(envelope(Price("ETH", 3)))

    assert everything(mailbox) == [Volume("BTC", 1), Price("BTC", 2)]
    assert (mailbox.dropped, mailbox.refused) == (1, 1)


async def test_whoever_asked_with_a_message_that_is_dropped_is_told() -> None:
    """Rather than left to wait."""
    mailbox = Mailbox("clerk", capacity=1)
    answer = asyncio.get_running_loop().create_future()
    mailbox.put((Price("BTC", 1), answer, 5.0, 0.0))
    mailbox.put(envelope(Price("BTC", 2)))

    with pytest.raises(MailboxFull, match="a newer Price took its place"):
        await answer


@given(st.lists(st.sampled_from(["send", "send urgent", "take", "cancel"]), max_size=40), st.integers(1, 3))
def test_those_who_wait_for_room_get_in_in_their_order(steps: list[str], capacity: int) -> None:
    """Each is let in once, or has given up; and as soon as there is room nobody waits."""
    asyncio.run(_send_and_take(steps, capacity))


async def _send_and_take(steps: list[str], capacity: int) -> None:
    mailbox = Mailbox("clerk", capacity)
    senders: dict[int, asyncio.Task[None]] = {}
    taken: list[int] = []
    for number, step in enumerate(steps):
        if step == "send":
            senders[number] = asyncio.create_task(send(mailbox, Parcel(str(number))))
        elif step == "take" and (found := mailbox.take()):
            taken.append(int(found[0].text))
        elif step == "cancel" and (waiting := [n for n, sender in senders.items() if not sender.done()]):
            senders[waiting[0]].cancel()
        await settle(3)
        assert len(mailbox.user) <= capacity
        assert len(mailbox.user) == capacity or all(sender.done() for sender in senders.values())
    while any(not sender.done() for sender in senders.values()) or len(mailbox):
        taken.extend(int(message.text) for message in everything(mailbox))
        await settle(3)

    assert taken == sorted(taken)
    assert Counter(taken) == Counter(number for number, sender in senders.items() if not sender.cancelled())


async def test_those_who_gave_up_waiting_do_not_pile_up() -> None:
    """Before an actor that takes nothing any more, however long that lasts."""
    mailbox = Mailbox("clerk", capacity=3)
    for _ in range(3):
        mailbox.put(envelope(Parcel("in")))
    patient = mailbox.put_or_wait(envelope(Parcel("patient")))
    for _ in range(1_000):
        is_in = mailbox.put_or_wait(envelope(Parcel("hasty")))
        assert is_in is not None
        is_in.cancel()

    assert len(mailbox._waiting[Lane.USER]) <= 4
    assert [message.text for message in everything(mailbox)] == ["in", "in", "in", "patient"]
    assert patient is not None
    await patient


async def test_who_waits_for_one_lane_is_not_behind_who_waits_for_the_other() -> None:
    """Each lane has room of its own."""
    mailbox = Mailbox("clerk", capacity=1)
    for message in (Parcel("a"), Courier("u")):
        mailbox.put(envelope(message))
    user, system = (mailbox.put_or_wait(envelope(message)) for message in (Parcel("b"), Courier("v")))
    assert user is not None
    assert system is not None

    assert mailbox.take() == envelope(Courier("u"))
    assert (user.done(), system.done()) == (False, True)
    assert [message.text for message in everything(mailbox)] == ["v", "a", "b"]
    assert user.done()


async def test_a_closed_mailbox_gives_everything_back() -> None:
    """What waits, what waits for room, and what comes later."""
    mailbox, gone = Mailbox("clerk", capacity=1), []
    mailbox.put(envelope(Urgent("u")))
    mailbox.put(envelope(Note("a")))
    sender = asyncio.create_task(send(mailbox, Parcel("b")))
    await settle()

    mailbox.close(lambda envelope: gone.append(envelope[0]))
    await sender
    mailbox.put(envelope(Note("c")))
    mailbox.put(envelope(Urgent("d")))
    await send(mailbox, Parcel("e"))

    assert gone == [Urgent("u"), Note("a"), Parcel("b"), Note("c"), Urgent("d"), Parcel("e")]
    assert len(mailbox) == 0


async def test_an_arrival_wakes_whoever_waits_for_one() -> None:
    """And so does a wake without a message."""
    mailbox = Mailbox("clerk", capacity=5)
    for wake in (lambda: mailbox.put(envelope(Note("a"))), mailbox.wake):
        waiting = asyncio.create_task(mailbox.arrival())
        await settle()
        assert not waiting.done()
        wake()
        await waiting


def test_the_oldest_message_of_both_lanes_is_known() -> None:
    """It is the first of one of them."""
    mailbox = Mailbox("clerk", capacity=5)
    assert mailbox.oldest() is None
    mailbox.put(envelope(Urgent("u"), came_s=2.0))
    mailbox.put(envelope(Note("a"), came_s=1.0))
    mailbox.put(envelope(Note("b"), came_s=3.0))

    assert mailbox.oldest() == 1.0


def test_a_mailbox_has_room() -> None:
    """One without any is a mistake."""
    with pytest.raises(ValueError, match="room for 1 message at least; found 0"):
        Mailbox("clerk", capacity=0)
