"""The engine with a real journal: an intent is safe before anything is sent, and the book is what was written down."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest

from brokers.base import Approved
from brokers.paper.replay import Alarm, ReplayVenue
from brokers.paper.venue import VenueState
from db.connection import Connection
from db.errors import DatabaseError
from db.journal import CommittedJournal
from db.pool import Database
from domain.account import Account
from domain.actions import CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.caps import Caps
from domain.journal import Entry, HaltChanged, HaltPhase, IntentRecorded
from domain.orders import Order, OrderState, Side
from domain.time import HOUR_MS
from engine.book import Book
from engine.engine import Engine, EngineState, start
from tests.integration.db.accounts import entries_of, new_account, open_journal
from tests.unit.brokers.samples import INSTRUMENTS, PLAIN, START, Row, flat, tape_of

D = Decimal
CASH = D(10_000)
CAPS = Caps(
    max_leverage=D(10), allow_short=True, daily_loss_pct=D(10), max_drawdown_pct=None, price_band_pct=D(50)
)
ROWS: list[Row | None] = [flat(100, 1e6), (100, 130, 90, 100, 1e6), flat(100, 1e6), *([flat(80, 400.0)] * 9)]


class Venue(ReplayVenue):
    """A paper venue that tells what it was sent, and dies on demand before an order gets through."""

    def __init__(self) -> None:
        tape = tape_of({"BTC": ROWS})
        super().__init__(tape, VenueState(Account(CASH)), INSTRUMENTS, PLAIN)
        self.sent: list[int] = []
        self.is_dying = False

    async def place(self, order: Approved[Order]) -> None:
        self.sent.append(order.what.number)
        if self.is_dying:
            raise ConnectionError("the line was cut")
        await super().place(order)

    async def cancel(self, number: Approved[int]) -> None:
        self.sent.append(-number.what)
        await super().cancel(number)


def engine_of(venue: Venue, journal: CommittedJournal, state: EngineState | None = None) -> Engine:
    return Engine(
        venue,
        journal,
        account="live",
        symbols=("BTC",),
        caps=CAPS,
        state=state or start(CASH, START),
    )


def fold(entries: list[Entry]) -> Book:
    book = Book()
    for entry in entries:
        book.apply(entry)
    return book


def buy(size: str, **more: Decimal) -> ProposeOrder:
    return ProposeOrder("BTC", Side.BUY, D(size), **more)


async def test_an_intent_is_found_again_after_the_broker_died_under_it(
    database: Database, owner: UUID
) -> None:
    """It was committed before it was sent: with its order, its name, and as one whose fate is unknown."""
    account, venue = await new_account(database, owner), Venue()
    venue.is_dying = True
    journal = await open_journal(database, account)
    with pytest.raises(ConnectionError):
        await engine_of(venue, journal).submit(buy("1"), ts=START, decision="d", index=0)
    (intent,) = await entries_of(database, account)
    assert isinstance(intent, IntentRecorded)
    assert [order.number for order in intent.orders] == venue.sent == [1]
    book = fold([intent])
    assert (book.decided, book.is_resolved("BTC")) == ("d", False)
    assert [order.state for order in book.orders.values()] == [OrderState.RECORDED]

    again = await open_journal(database, account)
    state = EngineState(book, start(CASH, START).watch)
    later = engine_of(Venue(), again, state)
    verdict = await later.submit(buy("1"), ts=START, decision="e", index=0)
    assert [refusal.cap for refusal in verdict.refusals] == ["unresolved"]


async def close_the_pool(database: Database, admin: Connection) -> None:
    await database.close()


async def refuse_the_rows(database: Database, admin: Connection) -> None:
    await admin.execute("revoke insert on journal_entries from agentic_worker")


@pytest.mark.parametrize("break_it", [close_the_pool, refuse_the_rows])
async def test_nothing_is_sent_when_it_could_not_be_written_down(
    database: Database, admin: Connection, owner: UUID, break_it: Callable[..., object]
) -> None:
    """Neither an order, nor a cancel, nor the way out of a halt: the engine raises and the venue hears nothing."""
    venue = Venue()
    journal = await open_journal(database, await new_account(database, owner))
    engine = engine_of(venue, journal)
    await engine.submit(buy("99"), ts=START, decision="d", index=0)
    venue.open_bar(0)
    venue.close_bar()
    await engine.observe(START + HOUR_MS)
    await engine.submit(buy("1", limit_px=D(90)), ts=START + HOUR_MS, decision="e", index=0)
    assert venue.sent == [1, 2]

    await break_it(database, admin)  # type: ignore[misc]
    for action in (buy("1"), CancelOrder(2), ClosePosition("BTC"), SetProtection("BTC", D(50))):
        with pytest.raises(DatabaseError):
            await engine.submit(action, ts=START + HOUR_MS, decision="f", index=0)
    with pytest.raises(DatabaseError):
        await engine.halt(START + HOUR_MS, D(1))
    assert venue.sent == [1, 2]


async def test_the_latch_is_safe_though_there_is_nothing_to_send(database: Database, owner: UUID) -> None:
    """All of the position is being closed already; the halt is written down all the same, at once."""
    account, venue = await new_account(database, owner), Venue()
    journal = await open_journal(database, account)
    engine = engine_of(venue, journal)
    await engine.submit(buy("50"), ts=START, decision="d", index=0)
    venue.open_bar(0)
    venue.close_bar()
    await engine.observe(START + HOUR_MS)
    await engine.submit(ClosePosition("BTC"), ts=START + HOUR_MS, decision="e", index=0)
    await engine.halt(START + HOUR_MS, D(9000))
    assert venue.sent == [1, 2]
    latch = (await entries_of(database, account))[-1]
    assert isinstance(latch, HaltChanged)
    assert (latch.phase, latch.equity, latch.level) == (HaltPhase.FLATTENING, 9000, 9000)


async def test_the_book_is_what_was_written_down(database: Database, owner: UUID) -> None:
    """Orders, fills, protections, refusals, a halt with its way out: folded from the database it is the same book."""
    account, venue = await new_account(database, owner), Venue()
    journal = await open_journal(database, account)
    engine = engine_of(venue, journal)
    for hour in range(len(ROWS)):
        ts = START + hour * HOUR_MS
        actions = [buy("80", stop_px=D(10), take_profit_px=D(120)), buy("5", limit_px=D(70)), buy("0.01")]
        for index, action in enumerate(actions):
            await engine.submit(action, ts=ts, decision=f"{hour}", index=index)
        await halted(engine, lambda hour=hour: venue.open_bar(hour))
        await halted(engine, venue.close_bar)
        await engine.observe(ts + HOUR_MS)
        await journal.commit()
        entries = await entries_of(database, account)
        assert fold(entries) == engine.book
    assert engine.is_shut
    phases = [entry.phase for entry in entries if isinstance(entry, HaltChanged)]
    assert phases == [HaltPhase.FLATTENING, HaltPhase.HALTED]


async def halted(engine: Engine, call: Callable[[], Alarm | None]) -> None:
    """Let the venue go on, and the engine judge each alarm on the way."""
    while (alarm := call()) is not None:
        await engine.halt(alarm.ts, alarm.equity)
