"""A trading account being opened: owned, read back, put together with its venue, and what was in doubt settled."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from uuid import UUID

import msgspec

from actors.leases import Leases
from brokers.paper.kept import KeptVenue, read_kept
from brokers.paper.quotes import QuoteVenue
from brokers.paper.replay import Place, ReplayVenue
from brokers.paper.venue import VenueState
from db.accounts import AccountRow, PaperStore, load_account
from db.journal import Beside, CommittedJournal
from db.pool import Database
from domain.account import Account
from domain.caps import Caps
from domain.events import Liquidated
from domain.journal import Entry, HaltChanged, HaltPhase
from domain.orders import Fill
from engine.engine import Engine, EngineState, start
from engine.recovery import Recovered, recover
from market.feeds.registry import OpenFeed

Noted = Fill | HaltChanged | Liquidated
"""What others want to hear of: the deployment, and people."""


class Ledger:
    """An account's journal, which also tells what in it is worth telling."""

    def __init__(self, journal: CommittedJournal) -> None:
        self.journal = journal
        self._noted: list[tuple[int, Noted]] = []

    def append(self, entry: Entry) -> None:
        self.journal.append(entry)
        if isinstance(entry, Noted):
            self._noted.append((self.journal.last_seq, entry))

    async def commit(self) -> None:
        await self.journal.commit()

    def point(self, ts: int, equity: Decimal) -> None:
        """Have an equity point written with the next commit."""
        self.journal.point(ts, equity)

    @property
    def is_dirty(self) -> bool:
        """Whether entries wait to be written, or to be told."""
        return self.journal.is_dirty or bool(self._noted)

    def take_noted(self) -> tuple[tuple[int, Noted], ...]:
        """What was noted since the last call, each with its number in the journal."""
        noted, self._noted = self._noted, []
        return tuple(noted)


VenueOf = Callable[[VenueState, Place | None], ReplayVenue | QuoteVenue]
"""Makes the venue of an account from its state, and where it stood on its tape."""


class OpenAccount(msgspec.Struct):
    """An account that is ready to be traded in. An equity point is kept every `point_ms` of a tape.

    `feed` is what its venue hears of the market from, where that moves by itself.
    """

    row: AccountRow
    venue: KeptVenue[ReplayVenue | QuoteVenue]
    engine: Engine
    ledger: Ledger
    recovered: Recovered
    point_ms: int
    feed: OpenFeed | None = None


async def open_account(
    database: Database,
    leases: Leases,
    account_id: UUID,
    venue_of: VenueOf,
    symbols: tuple[str, ...],
    caps: Caps,
    start_ts: int,
    point_ms: int,
    feed: OpenFeed | None = None,
) -> OpenAccount:
    """Own an account, read it back, and settle what a crash left in doubt. `start_ts` is when a new one begins.

    Raises AccountTaken while another process owns it.
    """
    fence = await leases.take(account_id)
    async with database.as_worker() as connection:
        row = await load_account(connection, account_id)
    assert row is not None
    kept = read_kept(row.venue, VenueState(Account(row.start_usd)))
    inner = venue_of(kept.state, kept.place)
    venue = KeptVenue(
        inner,
        PaperStore(database, account_id, fence),
        kept,
        row.heard,
        _standing,
        partial(leases.check, account_id),
    )
    ledger = Ledger(CommittedJournal(database, row, fence))
    state = (
        start(row.start_usd, start_ts)
        if row.engine is None
        else msgspec.msgpack.decode(row.engine, type=EngineState)
    )
    engine = Engine(venue, ledger, account=str(account_id), symbols=symbols, caps=caps, state=state)
    ledger.journal.go_with(
        Beside(
            state=lambda: msgspec.msgpack.encode(engine.state),
            holds=lambda: _holds(engine),
            heard=lambda: venue.heard,
            save=venue.save,
            unsaved=venue.unsaved,
            saved=venue.saved,
            then=venue.forget,
        )
    )
    recovered = await recover(engine, venue, _now(inner, start_ts))
    await ledger.commit()
    return OpenAccount(row, venue, engine, ledger, recovered, point_ms, feed)


def _holds(engine: Engine) -> bool:
    """Whether there is something to look after, be it only a flattening that is not written down as done."""
    book = engine.book
    return bool(book.positions or book.orders) or engine.state.watch.phase is HaltPhase.FLATTENING


def _standing(venue: ReplayVenue | QuoteVenue) -> Place | None:
    return venue.standing if isinstance(venue, ReplayVenue) else None


def _now(venue: ReplayVenue | QuoteVenue, start_ts: int) -> int:
    return venue.now if isinstance(venue, ReplayVenue) else start_ts
