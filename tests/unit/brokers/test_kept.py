"""A venue that is kept: whoever opens it again, wherever it stood, finds the same future and misses no event."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.kept import KeptVenue, read_kept
from brokers.paper.replay import Place, ReplayVenue
from brokers.paper.venue import VenueState
from db.errors import DatabaseError
from domain.account import Account
from domain.events import VenueEvent
from domain.orders import Order, OrderKind, Side
from engine.approval import approve
from tests.unit.brokers.samples import INSTRUMENTS, PLAIN, Row, tape_of

D = Decimal
ROWS: list[Row | None] = [
    (100, 104, 97, 101, 40.0),
    (101, 109, 100, 108, 60.0),
    (108, 108, 92, 94, 30.0),
    (94, 99, 90, 98, 80.0),
    (98, 112, 96, 110, 50.0),
    (110, 111, 88, 90, 20.0),
]
TAPE = tape_of({"BTC": ROWS})


class Memory:
    """A store of bytes. It fails on demand."""

    def __init__(self) -> None:
        self.saved: bytes | None = None
        self.is_out = False
        self.saves = 0

    async def save(self, state: bytes) -> None:
        if self.is_out:
            raise DatabaseError("out of reach")
        self.saved, self.saves = state, self.saves + 1


def opened(store: Memory, heard: int) -> KeptVenue[ReplayVenue]:
    """The venue as a new process opens it, which has `heard` of its events."""
    kept = read_kept(store.saved, VenueState(Account(D(10_000))))
    inner = ReplayVenue.at(kept.place or Place(), TAPE, kept.state, INSTRUMENTS, PLAIN)
    return KeptVenue(inner, store, kept, heard, lambda venue: venue.standing)


def order(venue: KeptVenue[ReplayVenue], kind: str, size: int, at: int) -> Order:
    number, ts = venue.take_number(), venue.inner.now
    side = Side.BUY if kind != "sell" else Side.SELL
    limit = D(at) if kind == "limit" else None
    return Order(
        number=number,
        client_id=f"c{number}",
        symbol="BTC",
        side=side,
        kind=OrderKind.LIMIT if limit else OrderKind.MARKET,
        size=D(size),
        created_ts=ts,
        limit_px=limit,
        stop_px=D(at) - 8 if side is Side.BUY else None,
    )


Step = tuple[str, int, int, bool]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["none", "buy", "sell", "limit"]),
        st.integers(1, 9),
        st.integers(90, 100),
        st.booleans(),
    ),
    min_size=12,
    max_size=12,
)


async def replayed(steps: list[Step], *, restarts: bool) -> tuple[list[VenueEvent], VenueState]:
    """Go over the tape, half a bar a step; where a step says so, and restarts are wanted, open the venue anew."""
    store, heard = Memory(), [0]
    venue = opened(store, 0)
    told: list[VenueEvent] = []
    for half, (kind, size, at, restart) in enumerate(steps):
        if kind != "none":
            await venue.place(approve(order(venue, kind, size, at)))
        with venue.step():
            while (venue.inner.open_bar(half // 2) if half % 2 == 0 else venue.inner.close_bar()) is not None:
                pass
            if half % 2:
                venue.inner.settle_funding()
        told += venue.drain()
        await venue.save()
        venue.forget(len(told))
        if restart and restarts:
            heard[0] = len(told)
            venue = opened(store, heard[0])
    return told, venue.inner.state


@given(STEPS)
async def test_opened_again_at_any_place_it_goes_on_the_same(steps: list[Step]) -> None:
    """Before a bar's open or behind it, with orders in any state: the same events, the same books."""
    assert await replayed(steps, restarts=True) == await replayed(steps, restarts=False)


async def test_an_event_is_told_again_until_somebody_has_written_it_down() -> None:
    """What was handed out and not written down comes again after a crash; what was, does not."""
    store = Memory()
    venue = opened(store, 0)
    await venue.place(approve(order(venue, "buy", 1, 100)))
    first = venue.drain()
    assert len(first) == 1
    assert opened(store, 0).drain() == first
    assert opened(store, 1).drain() == ()
    assert venue.heard == 1


async def test_in_the_middle_of_a_step_nothing_is_saved() -> None:
    """A bar is passed whole or not at all."""
    store = Memory()
    venue = opened(store, 0)
    await venue.place(approve(order(venue, "buy", 1, 100)))
    saves = store.saves
    with venue.step():
        venue.inner.open_bar(0)
        await venue.save()
        assert store.saves == saves
    await venue.save()
    assert store.saves == saves + 1
    assert opened(store, 0).inner.standing.is_open


async def test_an_order_that_could_not_be_kept_has_not_reached_the_venue() -> None:
    """The engine hears of it, and a new process finds the venue without it."""
    store = Memory()
    venue = opened(store, 0)
    await venue.save()
    store.is_out = True
    with pytest.raises(DatabaseError):
        await venue.place(approve(order(venue, "buy", 1, 100)))
    assert opened(store, 0).inner.state.orders == {}
