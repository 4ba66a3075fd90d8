"""Market orders: where they fill, at what price, how much, and when they don't (docs/trading-rules.md §2.2, §2.4)."""

from decimal import Decimal

import pytest

from brokers.paper.costs import Costs
from domain.orders import Liquidity, OrderKind, Side, Tif
from domain.time import HOUR_MS
from tests.unit.brokers.samples import FREE, PLAIN, Desk, flat, tape_of

D = Decimal

WIDE = Costs(half_spread_bps=D(10), impact_bps_at_10pct=D(0))
"""A tenth of a per cent against the trader, whatever the size."""


def test_a_market_order_fills_at_the_next_open() -> None:
    """Approved between bars, it gets the first price after that, as taker, and reports what the tape said."""
    desk = Desk(tape_of({"BTC": [(100, 110, 90, 105, 1000), (106, 120, 80, 90, 1000)]}))
    desk.step()

    number = desk.buy("1")
    desk.open()

    (fill,) = desk.fills
    assert (fill.px, fill.reference_px, fill.liquidity, fill.cause) == (106, 106, Liquidity.TAKER, "market")
    assert desk.outcome(number) == ("filled", "")


@pytest.mark.parametrize(
    ("side", "opened", "paid"),
    [
        (Side.BUY, 60000.4, "60061"),  # 60060.4004, upwards to five figures
        (Side.SELL, 60000.4, "59940"),  # 59940.3996, downwards
        (Side.BUY, 100.0, "100.1"),  # legal as it is
        (Side.SELL, 33.3, "33.2"),  # 33.2667, BTC has one decimal
    ],
)
def test_a_fill_is_worsened_and_then_made_legal_against_the_trader(
    side: Side, opened: float, paid: str
) -> None:
    """Half a spread of 10 bps, then rounding that never helps."""
    desk = Desk(tape_of({"BTC": [flat(opened)]}), costs=WIDE)

    desk.place(desk.order(side, "0.01"))
    desk.open()

    assert desk.fills[0].px == D(paid)


def test_impact_grows_with_the_root_of_the_share_of_volume() -> None:
    """At 10 % of the volume 5 bps, at 2.5 % half of that."""
    costs = Costs(half_spread_bps=D(0))
    for size, bps in (("100", D(5)), ("25", D("2.5"))):
        desk = Desk(tape_of({"BTC": [flat(20_000)]}), cash="10000000", costs=costs)
        desk.buy(size)
        desk.open()
        assert desk.fills[0].px == 20_000 * (1 + bps / 10_000)


@pytest.mark.parametrize(
    ("side", "bound", "fills"),
    [
        (Side.BUY, "100.1", True),
        (Side.BUY, "100.0", False),
        (Side.SELL, "99.9", True),
        (Side.SELL, "100.0", False),
    ],
)
def test_the_bound_is_held_against_the_worsened_price(side: Side, bound: str, fills: bool) -> None:
    """At the bound it fills, a tick beyond it nothing does and the order goes."""
    desk = Desk(tape_of({"BTC": [flat(100)]}), costs=WIDE)

    number = desk.place(desk.order(side, "1", kind=OrderKind.MARKET, limit_px=bound))
    desk.open()

    assert desk.outcome(number) == (("filled", "") if fills else ("cancelled", "iocCancelRejected"))
    assert bool(desk.fills) is fills


def test_without_a_bound_any_price_is_taken() -> None:
    """A market order that names no bound fills at whatever the open is."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(250)]}), leverage=1)
    desk.step()

    desk.buy("1")
    desk.open()

    assert desk.fills[0].px == 250


@pytest.mark.parametrize(
    ("latency_ms", "missing", "outcome", "hour"),
    [
        (0, (), "filled", 1),
        (1, (), "filled", 2),
        (HOUR_MS, (), "filled", 2),
        (HOUR_MS + 1, (), "filled", 3),
        (0, (1,), "expired", 2),
        (1, (2,), "expired", 3),
        (HOUR_MS, (2,), "expired", 3),
        (HOUR_MS, (1,), "filled", 2),
    ],
)
@pytest.mark.parametrize("tif", [None, Tif.IOC])
def test_it_meets_the_first_open_after_its_latency_or_expires_within_an_interval(
    latency_ms: int, missing: tuple[int, ...], outcome: str, hour: int, tif: Tif | None
) -> None:
    """Approved at hour 1: bars that are missing use up the one interval it has; an IOC limit is no different."""
    rows = [None if index in missing else flat(100) for index in range(5)]
    costs = Costs(latency_ms=latency_ms, half_spread_bps=D(0), impact_bps_at_10pct=D(0))
    desk = Desk(tape_of({"BTC": rows}), costs=costs)
    desk.step()
    number = desk.buy("1") if tif is None else desk.buy("1", limit_px="100", tif=tif)

    desk.steps(4)

    order = desk.last(number)
    assert (order.state.value, order.closed_ts) == (outcome, desk.tape.start_ts + hour * HOUR_MS)


def test_an_order_takes_a_tenth_of_the_volume_and_the_rest_is_cancelled() -> None:
    """Up to the participation it fills whole; one lot more and that lot goes."""
    for size, outcome in (("100", ("filled", "")), ("100.00001", ("cancelled", "iocCancel"))):
        desk = Desk(tape_of({"BTC": [flat(100)]}), cash="100000")
        number = desk.buy(size)
        desk.open()
        assert desk.size() == 100
        assert desk.outcome(number) == outcome


def test_a_bar_has_one_budget_that_is_spent_in_the_order_of_events() -> None:
    """Two orders of 70 share 100 at the open, the earlier first; a bid inside the bar finds nothing left."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 90, 95, 1000), flat(94)]}), cash="100000")
    bid = desk.buy("50", limit_px="95")
    desk.step()

    first, second = desk.buy("70"), desk.buy("70")
    desk.step()

    assert [(fill.order, fill.size) for fill in desk.fills] == [(first, 70), (second, 30)]
    assert desk.outcome(second) == ("cancelled", "iocCancel")
    assert desk.last(bid).state == "resting"
    desk.step()
    assert [(fill.order, fill.size) for fill in desk.fills][2:] == [(bid, 50)]


def test_each_symbol_has_its_own_budget() -> None:
    """What one symbol takes is not taken from another."""
    desk = Desk(tape_of({"BTC": [flat(100)], "ETH": [flat(10)]}), cash="100000")

    desk.buy("100"), desk.buy("100", symbol="ETH")
    desk.open()

    assert (desk.size("BTC"), desk.size("ETH")) == (100, 100)


def test_the_budget_is_cut_to_whole_lots() -> None:
    """Ten per cent of 0.00119 is 11.9 lots of BTC; eleven fill."""
    desk = Desk(tape_of({"BTC": [flat(100, volume=0.00119)]}))

    desk.buy("1")
    desk.open()

    assert desk.size() == D("0.00011")


@pytest.mark.parametrize("row", [flat(100, volume=0), None])
def test_a_bar_without_volume_or_a_missing_one_fills_nothing(row: tuple[float, ...] | None) -> None:
    """A market order is cancelled in the first, and waits out its interval in the second."""
    desk = Desk(tape_of({"BTC": [flat(100), row, flat(100)]}))  # type: ignore[list-item]
    desk.step()

    number = desk.buy("1")
    desk.steps(2)

    assert not desk.fills
    assert desk.outcome(number)[0] == ("cancelled" if row else "expired")


def test_a_symbol_that_is_not_on_the_tape_is_refused() -> None:
    """The venue has no such symbol: no instrument, no mark, and an order for it is rejected."""
    desk = Desk(tape_of({"BTC": [flat(100)]}))

    number = desk.buy("1", symbol="ETH")

    assert desk.outcome(number) == ("rejected", "unknownSymbol")
    assert desk.venue.instrument("ETH") is None
    assert desk.venue.mark("ETH") is None


def test_a_missing_bar_has_no_fresh_mark() -> None:
    """The books go on at the last close; what asks for a mark to act on gets none."""
    desk = Desk(tape_of({"BTC": [flat(100), None, flat(100)]}))
    desk.buy("1")
    desk.step()
    assert desk.venue.mark("BTC") == 100

    desk.step()

    assert desk.venue.mark("BTC") is None
    assert desk.equity == 1000


def test_a_hole_in_the_marks_leaves_no_fresh_mark_but_fills_go_on() -> None:
    """Trades are there, so an order that was sent fills; the mark stands at its last close."""
    desk = Desk(tape_of({"BTC": [flat(100)] * 3}, marks={"BTC": [flat(101), None, flat(100)]}))
    desk.step()

    desk.buy("1")
    desk.step()

    assert desk.size() == 1
    assert desk.venue.mark("BTC") is None
    assert desk.equity == 1001


def test_without_costs_the_tape_is_taken_as_it_is() -> None:
    """No spread, no impact, no share of volume, no rounding and no bound; the fee stays."""
    desk = Desk(tape_of({"BTC": [flat(60000.37, volume=0)]}), cash="1000000", costs=FREE)

    desk.buy("7", kind=OrderKind.MARKET, limit_px="1")
    desk.open()

    (fill,) = desk.fills
    assert (fill.px, fill.size) == (D("60000.37"), 7)
    assert fill.fee == D("189.001165")  # 420002.59 × 0.00045 = 189.0011655, cut


def test_a_fee_is_cut_to_a_millionth() -> None:
    """Towards zero, as the venue does: 0.00001 × 100.1 × 4.5 bps is 4.5045e-7."""
    desk = Desk(tape_of({"BTC": [flat(100.1)]}), costs=Costs(half_spread_bps=D(0), impact_bps_at_10pct=D(0)))

    desk.buy("0.00001"), desk.buy("0.00003")  # the second: 1.35e-6
    desk.open()

    assert [fill.fee for fill in desk.fills] == [D(0), D("0.000001")]


def test_orders_meet_the_open_in_order_of_approval() -> None:
    """Numbers, not symbols, say who comes first among new orders."""
    desk = Desk(tape_of({"BTC": [flat(100)], "ETH": [flat(10)]}), costs=PLAIN)

    numbers = [desk.buy("1", symbol="ETH"), desk.buy("1"), desk.sell("1", symbol="ETH")]
    desk.open()

    assert [fill.order for fill in desk.fills] == numbers
