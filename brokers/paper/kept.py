"""A paper account whose venue outlives the process: its state is saved by itself, as an exchange would.

What it tells is numbered. It hands out each event once, and keeps it until it is told that the event is in somebody
else's journal; so after a crash nothing that happened is told twice, or never.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

import msgspec

from brokers.base import Approved, Found, Lost
from brokers.paper.replay import Place
from brokers.paper.venue import PaperVenue, VenueState
from domain.events import VenueEvent
from domain.instruments import Instrument
from domain.orders import Order
from domain.snapshots import AccountView

V = TypeVar("V", bound=PaperVenue)


class VenueStore(Protocol):
    """Where a venue's state is kept."""

    async def save(self, state: bytes) -> None:
        """Keep it. Raises when that can't be: then nothing has happened."""


class Kept(msgspec.Struct):
    """A venue as it is saved. `place` is where it stands on its tape, if it has one.

    `told` events came before those that are kept here.
    """

    state: VenueState
    place: Place | None = None
    told: int = 0
    events: list[VenueEvent] = []


class KeptVenue(Generic[V]):
    """A broker: the venue `inner`, saved whenever an order reaches it and whenever it is asked to.

    `heard` is how many of its events are in the journal already. `place_of` says where the venue stands on its tape.
    `is_ours` is asked just before an order is taken, and raises when the account belongs to somebody else.
    """

    def __init__(
        self,
        inner: V,
        store: VenueStore,
        kept: Kept,
        heard: int,
        place_of: Callable[[V], Place | None] = lambda venue: None,
        is_ours: Callable[[], None] = lambda: None,
    ) -> None:
        self.inner = inner
        self._store = store
        self._place_of = place_of
        self._is_ours = is_ours
        known = heard - kept.told
        self._given: list[VenueEvent] = kept.events[
            :known
        ]  # handed out, and kept until they are safe elsewhere
        self._pending: list[VenueEvent] = kept.events[known:]
        self._told = kept.told
        self._changed = False
        self._in_step = False

    # Keeping.

    @property
    def heard(self) -> int:
        """How many events were handed out so far, by this process and those before it."""
        return self._told + len(self._given)

    def forget(self, heard: int) -> None:
        """The first `heard` events are safe elsewhere."""
        known = max(0, heard - self._told)
        if known:
            del self._given[:known]
            self._told += known
            self._changed = True

    @contextmanager
    def step(self) -> Iterator[None]:
        """Do what can't be resumed in the middle, such as passing a bar: nothing is saved until it is done."""
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False
            self._changed = True

    async def save(self) -> None:
        """Have the state kept, if it changed. In the middle of a step nothing is."""
        if (state := self.unsaved()) is not None:
            await self._store.save(state)
            self.saved()

    def unsaved(self) -> bytes | None:
        """The state as it is to be kept by whoever keeps more with it; None where it is kept, and in a step."""
        self._collect()
        if self._in_step or not self._changed:
            return None
        place = self._place_of(self.inner)
        return msgspec.msgpack.encode(
            Kept(self.inner.state, place, self._told, [*self._given, *self._pending])
        )

    def saved(self) -> None:
        """What `unsaved` gave is kept."""
        self._changed = False

    def _collect(self) -> None:
        if events := self.inner.drain():
            self._pending.extend(events)
            self._changed = True

    # The broker.

    async def place(self, order: Approved[Order]) -> None:
        self._is_ours()
        await self.inner.place(order)
        self._changed = True
        await self.save()

    async def cancel(self, number: Approved[int]) -> None:
        self._is_ours()
        await self.inner.cancel(number)
        self._changed = True
        await self.save()

    async def look_up(self, client_id: str) -> Found | Lost:
        return await self.inner.look_up(client_id)

    def take_number(self) -> int:
        self._changed = True
        return self.inner.take_number()

    def set_leverage(self, symbol: str, leverage: int) -> None:
        self.inner.set_leverage(symbol, leverage)

    def set_alarm(self, equity_usd: Decimal | None) -> None:
        self.inner.set_alarm(equity_usd)

    def drain(self) -> Sequence[VenueEvent]:
        """Hand out what happened since the last call; it is kept until it is safe elsewhere."""
        events = self.inner.drain()
        if not self._pending and not events:
            return ()
        given = [*self._pending, *events]
        self._pending = []
        self._given += given
        self._changed = True
        return given

    def account(self, ts: int) -> AccountView:
        return self.inner.account(ts)

    def equity(self) -> Decimal:
        return self.inner.equity()

    def mark(self, symbol: str) -> Decimal | None:
        return self.inner.mark(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        return self.inner.instrument(symbol)


def read_kept(saved: bytes | None, start: VenueState) -> Kept:
    """What was saved of a venue; where nothing was, its beginning."""
    return Kept(start) if saved is None else msgspec.msgpack.decode(saved, type=Kept)
