"""Stops and take-profits (§2.6), and which comes first inside a bar (§2.7)."""

from decimal import Decimal

import pytest

from brokers.paper.costs import Costs
from domain.orders import OrderKind, Side
from tests.unit.brokers.samples import FREE, PLAIN, Desk, flat, tape_of

D = Decimal
STOP, PROFIT = OrderKind.STOP, OrderKind.TAKE_PROFIT
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("side", "kind", "level", "extreme", "fires"),
    [
        (BUY, STOP, "95", 95.0, True),
        (BUY, STOP, "95", 95.1, False),
        (BUY, PROFIT, "105", 105.0, True),
        (BUY, PROFIT, "105", 104.9, False),
        (SELL, STOP, "105", 105.0, True),
        (SELL, STOP, "105", 104.9, False),
        (SELL, PROFIT, "95", 95.0, True),
        (SELL, PROFIT, "95", 95.1, False),
    ],
)
def test_a_protection_fires_where_the_mark_touches_its_level(
    side: Side, kind: OrderKind, level: str, extreme: float, fires: bool
) -> None:
    """At the level, for the whole position, as a taker; a tick short of it nothing happens."""
    bar = (100.0, max(100.0, extreme), min(100.0, extreme), 100.0, 1000.0)
    desk = Desk(tape_of({"BTC": [flat(100), bar]}))
    desk.place(desk.order(side, "1"))
    desk.step()

    number = desk.protect(kind, side.opposite, level)
    desk.step()

    closing = [(f.px, f.size, f.cause, f.liquidity.value) for f in desk.fills[1:]]
    assert closing == ([(D(level), 1, kind.value, "taker")] if fires else [])
    assert desk.last(number).state == ("filled" if fires else "resting")


@pytest.mark.parametrize(
    ("side", "level", "opened"), [(BUY, "95", 90.0), (SELL, "105", 110.0), (BUY, "95", 95.0)]
)
def test_a_gap_beyond_the_stop_fires_at_the_open(side: Side, level: str, opened: float) -> None:
    """Nobody traded at the level, so nobody gets it."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(opened)]}))
    desk.place(desk.order(side, "1"))
    desk.step()
    desk.protect(STOP, side.opposite, level)

    desk.open()

    assert desk.fills[-1].px == D(str(opened))
    assert desk.size() == 0


def test_a_gap_beyond_the_profit_fires_at_the_better_open() -> None:
    """The trader keeps what the gap gave."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(120)]}))
    desk.buy("1", take_profit_px="110")
    desk.step()

    desk.open()

    assert desk.fills[-1].px == 120


def test_a_trigger_is_worsened_like_any_taker() -> None:
    """Half a spread below the level for a long's stop: 95 × 0.999 = 94.905, downwards."""
    desk = Desk(
        tape_of({"BTC": [flat(100), (100, 100, 90, 100, 1000)]}),
        costs=Costs(half_spread_bps=D(10), impact_bps_at_10pct=D(0)),
    )
    desk.buy("1", stop_px="95")
    desk.steps(2)

    assert (desk.fills[-1].px, desk.fills[-1].reference_px) == (D("94.9"), 95)


def test_triggers_watch_the_marks_and_fills_stay_within_the_trades() -> None:
    """The mark falls to the stop while nothing traded below 97: the fill is at 97."""
    trades, marks = [flat(100), (100, 101, 97, 100, 1000)], [flat(100), (100, 101, 94, 100, 0)]
    desk = Desk(tape_of({"BTC": trades}, marks={"BTC": marks}))
    desk.buy("1", stop_px="95")
    desk.steps(2)

    assert desk.fills[-1].px == 97


def test_trades_beyond_the_level_fire_nothing_while_the_mark_holds() -> None:
    """A wick in the trades that the mark did not follow."""
    trades, marks = [flat(100), (100, 101, 80, 100, 1000)], [flat(100), (100, 101, 96, 100, 0)]
    desk = Desk(tape_of({"BTC": trades}, marks={"BTC": marks}))
    desk.buy("1", stop_px="95")
    desk.steps(2)

    assert desk.size() == 1


def test_the_stop_comes_before_the_profit_in_one_bar() -> None:
    """A bar that reaches both goes to the adverse extreme first; the other protection is cancelled."""
    for side, stop, profit in ((BUY, "95", "105"), (SELL, "105", "95")):
        desk = Desk(tape_of({"BTC": [flat(100), (100, 110, 90, 100, 1000)]}))
        desk.place(desk.order(side, "1", stop_px=stop, take_profit_px=profit))
        desk.steps(2)

        assert [fill.cause for fill in desk.fills] == ["market", "stop"]
        assert desk.outcome(3) == ("cancelled", "siblingFilledCanceled")
        assert not desk.venue.state.orders


def test_protections_live_in_the_bar_whose_open_filled_their_entry() -> None:
    """They are placed at the entry's first fill and hold from then on."""
    desk = Desk(tape_of({"BTC": [(100, 101, 94, 100, 1000)]}))

    desk.buy("1", stop_px="95", take_profit_px="120")
    desk.step()

    assert [(fill.cause, fill.px) for fill in desk.fills] == [("market", 100), ("stop", 95)]


def test_an_entry_that_opens_beyond_its_own_stop_leaves_at_the_market() -> None:
    """The level was passed before the position existed; it can't be sold at a price above the market."""
    desk = Desk(tape_of({"BTC": [flat(100), (90, 97, 89, 96, 1000)]}))
    desk.step()

    desk.buy("1", stop_px="95")
    desk.step()

    assert [(fill.cause, fill.px) for fill in desk.fills] == [("market", 90), ("stop", 90)]
    assert desk.cash == 1000


def test_a_bid_filled_below_its_own_stop_leaves_where_it_was_filled() -> None:
    """Inside the bar too: a stop above the price at which its position came to be gets that price."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 80, 99, 1000)]}))
    desk.buy("1", limit_px="90", stop_px="95")
    desk.steps(2)

    assert [(fill.cause, fill.px) for fill in desk.fills] == [("limit", 90), ("stop", 90)]


def test_a_position_opened_inside_a_bar_takes_no_profit_in_it_but_may_be_stopped() -> None:
    """The bar's high may have come before the fill; the profit waits for the next bar."""
    inside = (100, 120, 90, 100, 1000)
    desk = Desk(tape_of({"BTC": [flat(100), inside, inside]}))
    desk.buy("1", limit_px="95", take_profit_px="110")
    desk.steps(2)
    assert [fill.cause for fill in desk.fills] == ["limit"]
    desk.step()
    assert [(fill.cause, fill.px) for fill in desk.fills] == [("limit", 95), ("take_profit", 110)]

    desk = Desk(tape_of({"BTC": [flat(100), inside]}))
    desk.buy("1", limit_px="95", stop_px="92", take_profit_px="110")
    desk.steps(2)
    assert [(fill.cause, fill.px) for fill in desk.fills] == [("limit", 95), ("stop", 92)]


def test_a_position_that_was_held_before_the_bar_takes_its_profit_though_it_grew_inside() -> None:
    """Only what was opened inside the bar has to wait."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 120, 90, 100, 1000)]}))
    desk.buy("1", take_profit_px="110")
    desk.buy("1", limit_px="95")
    desk.steps(2)

    assert [(f.cause, f.px, f.size) for f in desk.fills][1:] == [("limit", 95, 1), ("take_profit", 110, 2)]


def test_a_protection_covers_the_position_as_it_is_when_it_fires() -> None:
    """Grown or shrunk, the whole of it and no more."""
    for more, held in ((BUY, D(3)), (SELL, D(1))):
        desk = Desk(tape_of({"BTC": [flat(100), flat(100), (100, 100, 90, 100, 1000)]}))
        desk.buy("2", stop_px="95")
        desk.step()
        desk.place(desk.order(more, "1"))
        desk.step()
        desk.step()

        assert desk.fills[-1].size == held
        assert desk.size() == 0


def test_what_a_bar_does_not_fill_of_a_stop_is_worked_on_at_the_next_opens() -> None:
    """It has fired: later opens fill it whatever the mark is by then, and its sibling stays cancelled."""
    thin = (100, 100, 90, 100, 10)
    desk = Desk(tape_of({"BTC": [flat(100), thin, flat(100, 0), None, flat(102, 5), flat(103)]}))
    desk.buy("3", stop_px="95", take_profit_px="104")
    desk.steps(6)

    sold = [(f.px, f.size) for f in desk.fills[1:]]
    assert sold == [(95, 1), (102, D("0.5")), (103, D("1.5"))]
    assert {f.cause for f in desk.fills[1:]} == {"stop"}
    assert desk.last(2).state == "filled"
    assert desk.last(2).size == desk.last(2).filled == 3


def test_a_protection_needs_a_position_on_the_other_side() -> None:
    """Flat, or on the same side as the position, it is refused."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100)]}))
    none = desk.protect(STOP, SELL, "95")
    desk.buy("1")
    desk.step()
    same = desk.protect(STOP, BUY, "105")

    assert desk.outcome(none) == desk.outcome(same) == ("rejected", "reduceOnly")


def test_a_new_protection_replaces_the_one_of_its_kind_alone() -> None:
    """Moving the stop leaves the profit where it is."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100)]}))
    desk.buy("1", stop_px="95", take_profit_px="110")
    desk.step()

    moved = desk.protect(STOP, SELL, "97")

    assert desk.outcome(2) == ("cancelled", "replaced")
    assert sorted(desk.venue.state.orders) == [3, moved]


@pytest.mark.parametrize("away", ["close", "flip"])
def test_protections_go_with_the_position_they_protect(away: str) -> None:
    """Closed or turned round, what could only have closed it is cancelled."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100)]}))
    desk.buy("1", stop_px="95", take_profit_px="110")
    desk.step()

    desk.sell("1" if away == "close" else "2", stop_px=None if away == "close" else "105")
    desk.step()

    assert desk.outcome(2) == desk.outcome(3) == ("cancelled", "reduceOnlyCanceled")
    assert [o.trigger_px for o in desk.venue.state.orders.values()] == ([] if away == "close" else [105])


def test_an_order_that_reduces_brings_no_protection() -> None:
    """Its stop would be on the wrong side of what is left."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100)]}))
    desk.buy("2")
    desk.step()
    desk.sell("1", stop_px="105")
    desk.step()

    assert not desk.venue.state.orders


def test_protections_come_once_with_the_first_part_of_an_entry() -> None:
    """A bid that fills in parts brings one stop, which covers all that has filled."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 94, 94, 10), flat(94, 10), (94, 94, 80, 80, 1000)]}))
    desk.buy("2", limit_px="95", stop_px="90")
    desk.steps(4)

    assert [(f.cause, f.size) for f in desk.fills] == [("limit", 1), ("limit", 1), ("stop", 2)]
    assert len({f.order for f in desk.fills}) == 2


def test_what_is_left_of_an_entry_brings_its_protections_again_when_it_opens_anew() -> None:
    """A bid that filled in part and was stopped fills again: what it opens then has its stop as well."""
    thin, thinner = (100, 100, 85, 88, 20), (88, 94, 88, 94, 10)
    desk = Desk(tape_of({"BTC": [flat(100), thin, thinner, flat(94, 10), (94, 94, 80, 80, 1000)]}))
    desk.buy("4", limit_px="95", stop_px="90")
    desk.steps(5)

    assert [(f.order, f.cause, f.size, f.px) for f in desk.fills] == [
        (
            1,
            "limit",
            2,
            95,
        ),  # all that the bar lets through, so that the stop at 90 fires and finds nothing left
        (2, "stop", 1, 88),
        (2, "stop", 1, 94),
        (1, "limit", 2, 95),
        (3, "stop", 2, 90),
    ]


def test_an_entry_through_zero_that_fills_in_parts_is_protected_once_it_has_opened() -> None:
    """Long 2, an offer of 4 with a stop, one coin a bar: the stop comes with the third."""
    desk = Desk(tape_of({"BTC": [flat(100, 20), *[flat(101, 10)] * 5, (101, 120, 101, 101, 1000)]}))
    desk.buy("2")
    desk.step()
    desk.sell("4", limit_px="100", stop_px="110")
    desk.steps(2)
    assert desk.size() == 0
    assert not [order for order in desk.venue.state.orders.values() if order.kind is STOP]
    desk.step()

    (stop,) = (order for order in desk.venue.state.orders.values() if order.kind is STOP)
    assert (desk.size(), stop.side, stop.trigger_px) == (-1, BUY, 110)
    desk.steps(3)
    assert (desk.fills[-1].cause, desk.fills[-1].size, desk.size()) == ("stop", 2, 0)


def test_a_later_part_of_an_entry_leaves_a_moved_stop_alone() -> None:
    """What the trader set after the first part is not undone by the second."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 94, 94, 10), flat(94, 10), flat(94)]}))
    desk.buy("2", limit_px="95", stop_px="90")
    desk.steps(2)
    moved = desk.protect(STOP, SELL, "92")
    desk.step()

    assert desk.size() == 2
    assert [(o.number, o.trigger_px) for o in desk.venue.state.orders.values()] == [(moved, 92)]


def test_a_stop_that_has_fired_is_not_replaced() -> None:
    """A new one may be placed beside it, but what has fired sells on at the next open."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 90, 100, 0), flat(100)]}))
    desk.buy("1", stop_px="95")
    desk.steps(2)
    assert desk.size() == 1

    later = desk.protect(STOP, SELL, "50")
    desk.open()

    assert (desk.fills[-1].order, desk.fills[-1].px, desk.size()) == (2, 100, 0)
    assert desk.last(later).state == "cancelled"


def test_a_protection_does_not_fire_in_a_missing_bar() -> None:
    """The mark may move where there are no trades; the stop fires at the next bar's open."""
    trades = [flat(100), None, flat(93)]
    marks = [flat(100), (100, 100, 90, 92, 0), flat(93)]
    desk = Desk(tape_of({"BTC": trades}, marks={"BTC": marks}))
    desk.buy("1", stop_px="95")
    desk.steps(2)
    assert desk.size() == 1
    desk.open()

    assert desk.fills[-1].px == 93


def test_without_costs_a_trigger_fills_at_its_level_as_it_is() -> None:
    """No rounding and no share of volume."""
    desk = Desk(tape_of({"BTC": [flat(100, 0), (100, 100, 90, 100, 0)]}), costs=FREE)
    desk.buy("1", stop_px="95.123")
    desk.steps(2)

    assert desk.fills[-1].px == D("95.123")


def test_at_one_open_symbols_fire_by_name_and_then_by_number() -> None:
    """Two gapped stops: the order of names, not of placing."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(90)], "ETH": [flat(10), flat(9)]}), costs=PLAIN)
    desk.buy("1", symbol="ETH", stop_px="9.5"), desk.buy("1", stop_px="95")
    desk.step()
    desk.open()

    assert [fill.symbol for fill in desk.fills[2:]] == ["BTC", "ETH"]


def test_inside_a_bar_the_earlier_place_on_the_path_comes_first() -> None:
    """ETH's stop lies nearer to its open than BTC's does, as shares of the way."""
    fall = {"BTC": [flat(100), (100, 100, 90, 90, 1000)], "ETH": [flat(10), (10, 10, 9, 9, 1000)]}
    desk = Desk(tape_of(fall))
    desk.buy("1", stop_px="94"), desk.buy("1", symbol="ETH", stop_px="9.5")
    desk.steps(2)
    assert [fill.symbol for fill in desk.fills[2:]] == ["ETH", "BTC"]

    desk = Desk(tape_of(fall))
    desk.buy("1", symbol="ETH", stop_px="9.5"), desk.buy("1", stop_px="95")
    desk.steps(2)
    assert [fill.symbol for fill in desk.fills[2:]] == ["BTC", "ETH"]
