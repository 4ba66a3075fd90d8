"""Fills become trades from flat to flat, and no cent is lost or counted twice on the way."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import FundingPaid
from domain.money import ZERO
from domain.time import HOUR_MS
from simulator.trades import Direction, Trade, slippage_usd, trades
from tests.unit.simulator.samples import START, Books


def at(hour: int) -> int:
    """An hour of the run."""
    return START + hour * HOUR_MS


def led(*steps: tuple[str, str]) -> Books:
    """An account that traded these sizes at these prices, one an hour."""
    books = Books()
    for hour, (size, px) in enumerate(steps):
        books.trade(at(hour), Decimal(size), Decimal(px), slippage_bps=ZERO)
    return books


def of(books: Books) -> list[Trade]:
    """The trades of an account."""
    return trades(books.fills, books.funding)


def test_a_trade_runs_from_flat_to_flat() -> None:
    """Two buys and two sells that end flat are one trade, at the average prices of each way."""
    (trade,) = of(led(("1", "100"), ("3", "104"), ("-2", "110"), ("-2", "106")))

    assert (trade.side, trade.entry_ts, trade.exit_ts) == (Direction.LONG, at(0), at(3))
    assert (trade.entry_px, trade.exit_px) == (Decimal(103), Decimal(108))
    assert (trade.max_size, trade.entry_notional_usd) == (Decimal(4), Decimal(412))
    assert trade.realized == Decimal(20)
    assert trade.fees == Decimal("0.379800")
    assert trade.net == Decimal("19.620200")
    assert trade.return_pct == Decimal("4.762184")
    assert (trade.fills, trade.ended_by) == ((0, 1, 2, 3), "market")


def test_a_short_wins_when_the_price_falls() -> None:
    """What was sold at 110 and bought back at 100 earned 10 a unit."""
    (trade,) = of(led(("-2", "110"), ("2", "100")))

    assert (trade.side, trade.realized) == (Direction.SHORT, Decimal(20))


def test_a_flip_ends_one_trade_and_starts_the_next() -> None:
    """One fill through zero closes the long, opens the short, and its fee is shared in proportion to size."""
    books = led(("1", "100"), ("-4", "110"), ("3", "105"))
    long, short = of(books)

    assert (long.side, long.exit_ts, long.exit_px, long.realized) == (
        Direction.LONG,
        at(1),
        Decimal(110),
        Decimal(10),
    )
    assert (short.side, short.entry_ts, short.entry_px) == (Direction.SHORT, at(1), Decimal(110))
    assert (short.max_size, short.realized) == (Decimal(3), Decimal(15))
    assert (long.fills, short.fills) == ((0, 1), (1, 2))
    assert books.fills[1].fee == Decimal("0.198")
    assert long.fees == books.fills[0].fee + Decimal("0.0495")
    assert short.fees == books.fills[2].fee + Decimal("0.1485")


def test_a_trade_that_was_not_closed_is_open() -> None:
    """It has no way out, and its net is what it has booked so far."""
    books = led(("2", "100"), ("-1", "110"))
    (trade,) = of(books)

    assert trade.is_open
    assert (trade.exit_ts, trade.ended_by, trade.exit_px) == (None, "", Decimal(110))
    assert trade.net == Decimal(10) - sum(fill.fee for fill in books.fills)


def test_symbols_are_kept_apart() -> None:
    """A sale of one does not close the other, and trades come in order of entry."""
    books = Books()
    for hour, (symbol, size) in enumerate([("BTC", "1"), ("ETH", "-1"), ("BTC", "-1"), ("ETH", "1")]):
        books.trade(at(hour), Decimal(size), Decimal(100), symbol=symbol)

    assert [(trade.symbol, trade.fills) for trade in of(books)] == [("BTC", (0, 2)), ("ETH", (1, 3))]


def test_funding_belongs_to_the_trade_that_paid_it() -> None:
    """Of two trades in a row each has its own, also where a payment and a fill share an instant."""
    books = Books()
    books.trade(at(0), Decimal(1), Decimal(100))
    books.settle(at(1), Decimal("0.01"), Decimal(100))
    books.trade(at(1), Decimal(-3), Decimal(100))
    books.settle(at(2), Decimal("0.01"), Decimal(100))
    long, short = of(books)

    assert (long.funding, short.funding) == (Decimal(-1), Decimal(2))


def test_funding_after_a_fill_of_the_same_instant_belongs_to_what_the_fill_left() -> None:
    """A stop inside the bar and the settlement at its close carry one time; the position tells their order."""
    books = Books()
    books.trade(at(0), Decimal(1), Decimal(100))
    books.trade(at(1), Decimal(-3), Decimal(100), cause="stop")
    books.settle(at(1), Decimal("0.01"), Decimal(100))
    long, short = of(books)

    assert (long.funding, short.funding) == (ZERO, Decimal(2))


def test_funding_of_what_was_never_held_is_a_fault_of_the_record() -> None:
    """It says which symbol and when, rather than making a trade up."""
    books = Books()
    books.funding.append(FundingPaid(at(1), "ETH", ZERO, ZERO, Decimal(1), ZERO, ZERO))

    with pytest.raises(ValueError, match=r"funding of ETH at 2025-01-01T01:00:00Z has no position"):
        of(books)


def test_a_trade_names_what_ended_it_and_the_decisions_behind_it() -> None:
    """The last fill's cause, and each order's decision once."""
    books = led(("1", "100"), ("1", "100"))
    books.trade(at(2), Decimal(-2), Decimal(90), cause="liquidation")
    (trade,) = trades(books.fills, order_decisions={1: "first", 2: "first", 9: "other"})

    assert (trade.ended_by, trade.decisions) == ("liquidation", ("first",))


def test_slippage_is_what_was_paid_beyond_the_tape() -> None:
    """A buyer who paid more and a seller who got less both lost; a better price counts against it."""
    books = Books()
    bought = books.trade(at(0), Decimal(2), Decimal(100), slippage_bps=Decimal(10))
    sold = books.trade(at(1), Decimal(-2), Decimal(100), slippage_bps=Decimal(10))

    assert (slippage_usd(bought), slippage_usd(sold)) == (Decimal("0.20"), Decimal("0.20"))
    better = msgspec.structs.replace(bought, px=Decimal(99))
    assert slippage_usd(better) == Decimal(-2)


steps = st.lists(
    st.tuples(
        st.sampled_from(["BTC", "ETH"]),
        st.integers(-50, 50).filter(bool).map(lambda lots: Decimal(lots) / 10),
        st.integers(50_00, 200_00).map(lambda cents: Decimal(cents) / 100),
        st.integers(-20, 20).map(lambda bps: Decimal(bps) / 10_000),
        st.booleans(),
    ),
    max_size=30,
)


@given(steps)
def test_trades_add_up_to_the_account(
    made: list[tuple[str, Decimal, Decimal, Decimal, bool]],
) -> None:
    """Over any stream of fills and funding: every sum of the trades is the account's, to the last digit."""
    books = Books()
    for hour, (symbol, size, px, rate, settles_first) in enumerate(made):
        if settles_first:
            books.settle(at(hour), rate, px, symbol=symbol)
        books.trade(at(hour), size, px, symbol=symbol)
        if not settles_first:
            books.settle(at(hour), rate, px, symbol=symbol)
    found = of(books)

    assert sum((trade.realized for trade in found), ZERO) == books.account.realized
    assert sum((trade.fees for trade in found), ZERO) == books.account.fees
    assert sum((trade.funding for trade in found), ZERO) == books.account.funding
    assert sum((trade.slippage_usd for trade in found), ZERO) == sum(map(slippage_usd, books.fills), ZERO)
    assert sum((trade.net for trade in found), ZERO) == books.account.cash - books.account.start
    assert {place for trade in found for place in trade.fills} == set(range(len(books.fills)))


@given(steps)
def test_trades_are_flat_between_each_other(
    made: list[tuple[str, Decimal, Decimal, Decimal, bool]],
) -> None:
    """At most the last trade of a symbol is open, and exactly when something is held."""
    books = Books()
    for hour, (symbol, size, px, _, _) in enumerate(made):
        books.trade(at(hour), size, px, symbol=symbol)
    found = of(books)

    assert [trade.entry_ts for trade in found] == sorted(trade.entry_ts for trade in found)
    for symbol in ("BTC", "ETH"):
        own = [trade for trade in found if trade.symbol == symbol]
        held = books.positions[symbol].size if own else ZERO
        assert [trade.is_open for trade in own] == [False] * (len(own) - bool(held)) + [True] * bool(held)
        for trade in own:
            assert trade.max_size > 0
            assert trade.net == trade.realized + trade.funding - trade.fees
