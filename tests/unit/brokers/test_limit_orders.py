"""Limits: marketable or resting, touched or traded through, and those that may only add (§2.5)."""

from decimal import Decimal

import pytest

from brokers.paper.costs import Costs
from domain.orders import Liquidity, Side, Tif
from tests.unit.brokers.samples import Desk, flat, tape_of

D = Decimal

WIDE = Costs(half_spread_bps=D(10), impact_bps_at_10pct=D(0))
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("side", "limit", "paid"),
    [(BUY, "100.1", "100.1"), (BUY, "105", "100.1"), (SELL, "99.9", "99.9"), (SELL, "95", "99.9")],
)
def test_a_limit_that_the_worsened_open_reaches_takes_there(side: Side, limit: str, paid: str) -> None:
    """It pays what a taker pays, which may be better than its limit, and the taker's fee."""
    desk = Desk(tape_of({"BTC": [flat(100)]}), costs=WIDE)

    number = desk.place(desk.order(side, "1", limit_px=limit))
    desk.open()

    (fill,) = desk.fills
    assert (fill.px, fill.liquidity, fill.cause) == (D(paid), Liquidity.TAKER, "limit")
    assert fill.fee == D(paid) * D("0.00045")
    assert desk.last(number).state == "filled"


@pytest.mark.parametrize(("side", "limit"), [(BUY, "99.9"), (SELL, "100.1")])
def test_a_limit_that_the_open_does_not_reach_rests(side: Side, limit: str) -> None:
    """A tick short of the market it goes into the book."""
    desk = Desk(tape_of({"BTC": [flat(100)]}), costs=WIDE)

    number = desk.place(desk.order(side, "1", limit_px=limit))
    desk.step()

    assert desk.outcome(number) == ("resting", "")
    assert not desk.fills


@pytest.mark.parametrize(("side", "limit"), [(BUY, "100.1"), (SELL, "99.9")])
def test_a_limit_between_the_open_and_the_worsened_open_fills_as_the_path_begins(
    side: Side, limit: str
) -> None:
    """Too poor to take, but already traded through: at its limit, as maker."""
    dear = Costs(half_spread_bps=D(20), impact_bps_at_10pct=D(0))
    desk = Desk(tape_of({"BTC": [flat(100)]}), costs=dear)
    number = desk.place(desk.order(side, "1", limit_px=limit))

    assert desk.open()
    assert desk.last(number).state == "resting"
    desk.close()

    assert [(fill.px, fill.liquidity) for fill in desk.fills] == [(D(limit), Liquidity.MAKER)]


@pytest.mark.parametrize(
    ("side", "extreme", "fills"),
    [(BUY, 95.0, False), (BUY, 94.9, True), (SELL, 105.0, False), (SELL, 105.1, True)],
)
def test_a_resting_limit_fills_when_the_price_trades_through_it(
    side: Side, extreme: float, fills: bool
) -> None:
    """A touch is not a fill; beyond it fills at the limit, for the maker's fee."""
    limit = "95" if side is BUY else "105"
    bar = (100.0, max(100.0, extreme), min(100.0, extreme), 100.0, 1000.0)
    desk = Desk(tape_of({"BTC": [bar]}), costs=Costs())

    desk.place(desk.order(side, "1", limit_px=limit))
    desk.step()

    assert [(f.px, f.liquidity, f.fee) for f in desk.fills] == (
        [(D(limit), Liquidity.MAKER, D(limit) * D("0.00015"))] if fills else []
    )


@pytest.mark.parametrize(("opened", "fills_at_open"), [(95.0, False), (94.9, True)])
def test_an_open_beyond_a_resting_limit_fills_it_at_its_limit(opened: float, fills_at_open: bool) -> None:
    """A gap gives no better price than the limit; an open at the limit is a touch."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(opened)]}))
    desk.buy("1", limit_px="95")
    desk.step()

    desk.open()

    assert [fill.px for fill in desk.fills] == ([95] if fills_at_open else [])


@pytest.mark.parametrize(
    ("side", "limit", "outcome"),
    [
        (BUY, "100", ("rejected", "badAloPx")),
        (BUY, "99.9", ("resting", "")),
        (SELL, "100", ("rejected", "badAloPx")),
        (SELL, "100.1", ("resting", "")),
    ],
)
def test_an_order_that_may_only_add_is_refused_where_it_would_touch(
    side: Side, limit: str, outcome: tuple[str, str]
) -> None:
    """The plain open decides: at it refused, a tick away it rests."""
    desk = Desk(tape_of({"BTC": [flat(100)]}), costs=WIDE)

    number = desk.place(desk.order(side, "1", limit_px=limit, tif=Tif.ALO))
    desk.step()

    assert desk.outcome(number) == outcome
    assert not desk.fills


def test_what_a_bar_does_not_fill_of_a_limit_rests_and_fills_later() -> None:
    """Taker for a tenth of the first bar, maker for the rest when the price comes through again."""
    desk = Desk(tape_of({"BTC": [flat(100, 10), flat(101, 10), (100.5, 101, 99, 100, 10)]}), cash="10000")

    number = desk.buy("2", limit_px="100")
    desk.steps(3)

    assert [(f.size, f.liquidity.value) for f in desk.fills] == [(1, "taker"), (1, "maker")]
    assert desk.last(number).state == "filled"


def test_an_immediate_limit_never_rests() -> None:
    """What a bar does not fill of it is cancelled."""
    desk = Desk(tape_of({"BTC": [flat(100, 10)]}))

    far = desk.buy("1", limit_px="99", tif=Tif.IOC)
    near = desk.buy("2", limit_px="100", tif=Tif.IOC)
    desk.open()

    assert desk.outcome(far) == ("cancelled", "iocCancelRejected")
    assert desk.outcome(near) == ("cancelled", "iocCancel")
    assert desk.size() == 1


def test_a_limit_waits_for_a_bar_where_one_is_missing() -> None:
    """Good till cancelled: it neither fills nor expires in a hole."""
    desk = Desk(tape_of({"BTC": [flat(100), None, None, flat(99)]}))
    desk.step()

    number = desk.buy("1", limit_px="99.5")
    desk.steps(2)
    assert desk.last(number).state == "in_flight"
    desk.step()

    assert [fill.px for fill in desk.fills] == [99]


def test_a_resting_limit_does_not_fill_in_a_missing_bar() -> None:
    """A hole stands at the last close, which may lie beyond a limit that a thin bar could not fill."""
    desk = Desk(tape_of({"BTC": [(100, 100, 90, 90, 10), None, (90, 90, 90, 90, 1000)]}))

    desk.buy("3", limit_px="95")
    desk.steps(2)
    assert [fill.size for fill in desk.fills] == [1]
    desk.step()

    assert [fill.size for fill in desk.fills] == [1, 2]


def test_a_cancel_acts_at_once_and_on_a_live_order_alone() -> None:
    """In flight or resting, it is gone before the next price; one that is no longer live is left as it is."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(90)]}))
    resting = desk.buy("1", limit_px="95")
    desk.step()
    waiting = desk.buy("1")

    desk.cancel(resting), desk.cancel(waiting), desk.cancel(waiting), desk.cancel(99)
    desk.step()

    assert not desk.fills
    assert desk.outcome(resting) == desk.outcome(waiting) == ("cancelled", "cancelled")


def test_orders_at_one_price_fill_by_number() -> None:
    """Two bids at one price share what a bar lets through, the older first."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 90, 100, 30)]}))
    first, second = desk.buy("2", limit_px="95"), desk.buy("2", limit_px="95")
    desk.steps(2)

    assert [(fill.order, fill.size) for fill in desk.fills] == [(first, 2), (second, 1)]
