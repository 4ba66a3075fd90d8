"""Liquidation along the path by the venue's tiers, the backstop, what can't be paid, and the engine's alarm (§2.10)."""

from decimal import Decimal

from brokers.paper.costs import Costs
from domain.events import Adjusted, Liquidated, VenueEvent
from domain.orders import Side
from domain.time import HOUR_MS
from tests.unit.brokers.samples import FREE, START, Desk, flat, tape_of

D = Decimal


def liquidations(events: list[VenueEvent]) -> list[Liquidated]:
    """The liquidations among the events."""
    return [event for event in events if isinstance(event, Liquidated)]


def adjustments(events: list[VenueEvent]) -> list[tuple[str, Decimal]]:
    """The adjustments among the events: reason and USD."""
    return [(event.reason, event.amount) for event in events if isinstance(event, Adjusted)]


def test_a_long_is_liquidated_where_equity_meets_maintenance() -> None:
    """Long 100 at 100 with 1,000: 1000 + 100 (m − 100) = 100 m / 80 → m = 9000 / 98.75 = 91.139240…"""
    for low, gone in ((91.2, False), (91.1, True)):
        desk = Desk(tape_of({"BTC": [flat(100), (100, 100, low, 100, 1000)]}))
        desk.buy("100")
        desk.steps(2)
        assert bool(liquidations(desk.events)) is gone
        if gone:
            (event,) = liquidations(desk.events)
            assert event.marks == {"BTC": D("91.139241")}
            assert event.equity == event.maintenance == D("113.924051")  # 91.139240… × 100 / 80
            assert desk.fills[-1].px == D("91.1")
            assert desk.fills[-1].cause == "liquidation"
            assert desk.cash == 1000 - 890


def test_a_short_is_liquidated_above() -> None:
    """Short 100 at 100 with 1,000: 1000 − 100 (m − 100) = 100 m / 80 → m = 11000 / 101.25 = 108.641975…"""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 110, 100, 100, 1000)]}))
    desk.sell("100")
    desk.steps(2)

    assert liquidations(desk.events)[0].marks == {"BTC": D("108.641975")}
    assert desk.fills[-1].px == D("108.7")


def test_a_large_position_is_held_to_its_tier() -> None:
    """Above 150 M USD the second tier's 2.5 % less the deduction of 1,875,000 holds.

    Long 4,000 at 60,000 (240 M) with 30 M: 30 M + 4000 (m − 60000) = 100 m − 1.875 M → m = 208.125 M / 3900
    = 53365.384615…; the first tier alone would have let it fall to 53164.56.
    """
    rows = [flat(60_000, 1e9), (60_000.0, 60_000.0, 53_300.0, 60_000.0, 1e9)]
    desk = Desk(tape_of({"BTC": rows}), cash="30000000")
    desk.buy("4000")
    desk.steps(2)

    assert liquidations(desk.events)[0].marks == {"BTC": D("53365.384615")}


def test_the_tier_changes_along_the_path() -> None:
    """A long that falls below 150 M on its way is held to the first tier from there.

    Long 3,000 at 60,000 with 31 M: 31 M + 3000 (m − 60000) = 37.5 m → m = 149 M / 2962.5 = 50295.358649…,
    a notional of 150.9 M: still the second tier, 31 M + 3000 (m − 60000) = 75 m − 1.875 M → m = 50299.145299….
    With 32 M: 148 M / 2962.5 = 49957.805907…, a notional of 149.9 M, the first.
    """
    rows = [flat(60_000, 1e9), (60_000.0, 60_000.0, 49_000.0, 60_000.0, 1e9)]
    for cash, mark in (("31000000", "50299.145299"), ("32000000", "49957.805907")):
        desk = Desk(tape_of({"BTC": rows}), cash=cash)
        desk.buy("3000")
        desk.steps(2)
        assert liquidations(desk.events)[0].marks == {"BTC": D(mark)}


def test_all_symbols_are_liquidated_together_where_they_stand() -> None:
    """Both fall along the same λ; what the other orders were is cancelled.

    Equity 1000 − 50 × 20 λ − 500 × 2 λ = 1000 − 2000 λ, maintenance 50 (100 − 20 λ) / 80 + 500 (10 − 2 λ) / 50
    = 162.5 − 32.5 λ, so λ = 837.5 / 1967.5 = 0.4256671…: BTC at 91.486658…, ETH at 9.148665….
    """
    rows = {
        "BTC": [flat(100, 1e6), (100, 100, 80, 90, 1e6)],
        "ETH": [flat(10, 1e6), (10, 10, 8, 9, 1e6)],
    }
    desk = Desk(tape_of(rows), leverage=20)
    desk.buy("50", stop_px="80.5"), desk.buy("500", symbol="ETH")
    desk.step()
    bid = desk.buy("0.1", limit_px="70")
    desk.step()

    assert liquidations(desk.events)[0].marks == {"BTC": D("91.486658"), "ETH": D("9.148666")}
    assert [fill.symbol for fill in desk.fills[2:]] == ["BTC", "ETH"]
    assert desk.outcome(bid) == ("cancelled", "liquidatedCanceled")
    assert not desk.venue.state.orders
    assert not desk.venue.state.positions


def test_the_worst_of_a_hedge_comes_before_its_best() -> None:
    """Long one and short the other: both go to the extreme that hurts first, so an even bar can still liquidate."""
    rows = {
        "BTC": [flat(100, 1e6), (100, 101, 81, 81, 1e6)],
        "ETH": [flat(10, 1e6), (10, 10, 8, 8, 1e6)],
    }
    desk = Desk(tape_of(rows))
    desk.buy("50"), desk.sell("500", symbol="ETH")
    desk.steps(2)

    # BTC has lost 950 at its low, where ETH's adverse extreme is its open; maintenance is 50.625 + 100.
    assert liquidations(desk.events)


def test_a_liquidation_is_worsened_and_pays_the_taker_fee_without_a_limit_of_volume() -> None:
    """A hundred coins in a bar of ten: the share counts ten times, and all of it goes."""
    costs = Costs(half_spread_bps=D(10), impact_bps_at_10pct=D(1))
    desk = Desk(tape_of({"BTC": [flat(100, 1e6), (100, 100, 50, 100, 10)]}), costs=costs)
    desk.buy("95")
    desk.steps(2)

    fill = desk.fills[-1]
    assert fill.size == 95
    # Worsened by 10 + 1 × √95 = 19.74… bps and rounded down to a tenth of a dollar.
    assert fill.px == (fill.reference_px * (1 - D("0.001974"))).quantize(D("0.1"), rounding="ROUND_DOWN")
    assert fill.fee == (95 * fill.px * D("0.00045")).quantize(D("0.000001"), rounding="ROUND_DOWN")


def test_a_nearer_stop_saves_the_account_and_a_farther_one_does_not() -> None:
    """The liquidation of the first test is at 91.139240…: a stop at 91.2 comes before it, one at 91.1 after."""
    for stop, cause in (("91.2", "stop"), ("91.1", "liquidation")):
        desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 80, 100, 1000)]}))
        desk.buy("100", stop_px=stop)
        desk.steps(2)
        assert desk.fills[-1].cause == cause


def test_a_stop_at_the_very_mark_of_a_liquidation_comes_first() -> None:
    """Long 80 at 100 with 1,245.5: 1245.5 + 80 (m − 100) = 80 m / 80 at m = 85.5, where the stop is too."""
    for stop, cause in (("85.5", "stop"), ("85.4", "liquidation")):
        desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 80, 100, 1000)]}), cash="1245.5")
        desk.buy("80", stop_px=stop)
        desk.steps(2)
        assert (desk.fills[-1].cause, desk.fills[-1].reference_px) == (cause, D("85.5"))


def test_an_open_below_maintenance_liquidates_at_the_open() -> None:
    """At two thirds of maintenance it is still a liquidation; below, the backstop takes the account.

    Long 100 at 100 with 1,000: at an open of 90.9 equity is 90, maintenance 113.625, two thirds 75.75; at 90.8
    80 and 75.66…; at 90.7 70 and 75.58….
    """
    for opened, backstop in ((90.9, False), (90.8, False), (90.7, True)):
        desk = Desk(tape_of({"BTC": [flat(100), flat(opened)]}))
        desk.buy("100")
        desk.step()
        desk.open()
        (event,) = liquidations(desk.events)
        assert (event.backstop, event.ts) == (backstop, START + HOUR_MS)
        assert desk.cash == (0 if backstop else D(1000) + 100 * (D(str(opened)) - 100))
        assert adjustments(desk.events) == ([("backstop", D(-70))] if backstop else [])
        assert desk.fills[-1].cause == ("backstop" if backstop else "liquidation")


def test_exactly_two_thirds_is_not_the_backstops_yet() -> None:
    """Short 80 at 100: at 120 maintenance is 120; with 1,680 equity is 80, two thirds to the digit."""
    for cash, backstop in (("1680", False), ("1679.999999", True)):
        desk = Desk(tape_of({"BTC": [flat(100), flat(120)]}), cash=cash)
        desk.sell("80")
        desk.step()
        desk.open()
        assert [event.backstop for event in liquidations(desk.events)] == [backstop]


def test_equity_that_is_exactly_maintenance_is_liquidated() -> None:
    """Short 80 at 100: at 120 equity of 1,720 is the maintenance of 120; a millionth more is enough to live."""
    for cash, gone in (("1720", True), ("1720.000001", False)):
        desk = Desk(tape_of({"BTC": [flat(100), flat(120)]}), cash=cash)
        desk.sell("80")
        desk.step()
        desk.open()
        assert bool(liquidations(desk.events)) is gone


def test_a_deficit_is_written_off() -> None:
    """A gap takes more than there was: the account ends at zero, with the deficit on record."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(80), flat(80)]}))
    desk.buy("100")
    desk.steps(2)

    assert adjustments(desk.events) == [("bankrupt", D(1000))]
    assert (desk.cash, desk.equity) == (0, 0)


def test_a_deficit_that_a_liquidation_leaves_is_written_off() -> None:
    """The mark met maintenance, but the fill was far worse in a bar without volume."""
    costs = Costs(half_spread_bps=D(2000), impact_bps_at_10pct=D(0), participation=D(1), taker_bps=D(0))
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 50, 60, 1000)]}), costs=costs)
    desk.buy("40", limit_px="99"), desk.buy("40", limit_px="98")
    desk.steps(2)

    (reason, amount), *_ = adjustments(desk.events)
    assert reason == "bankrupt"
    assert amount > 0
    assert (desk.cash, desk.equity) == (0, 0)


def test_a_stop_that_leaves_a_deficit_is_written_off_too() -> None:
    """A gapped stop comes before the liquidation; nobody can collect what it owes either."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(80), flat(80)]}))
    desk.buy("100", stop_px="95")
    desk.steps(2)

    assert [fill.cause for fill in desk.fills] == ["market", "stop"]
    assert adjustments(desk.events) == [("bankrupt", D(1000))]
    assert not liquidations(desk.events)
    assert desk.equity == 0


def test_margin_looks_at_marks_and_a_liquidation_trades_at_them() -> None:
    """A wick in the trades alone liquidates nothing; one in the marks alone does, at the mark."""
    calm, wick = (100, 100, 99, 100, 1000), (100, 100, 80, 100, 1000)
    for trades, marks, gone in ((wick, calm, False), (calm, wick, True)):
        desk = Desk(tape_of({"BTC": [flat(100), trades]}, marks={"BTC": [flat(100), marks]}))
        desk.buy("100")
        desk.steps(2)
        assert bool(liquidations(desk.events)) is gone
        if gone:
            assert desk.fills[-1].px == D("91.1")


def test_without_costs_a_liquidation_takes_the_mark_itself() -> None:
    """To a millionth of a dollar, without rounding to a legal price."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 80, 100, 1000)]}), costs=FREE, cash="1000")
    desk.buy("99")
    desk.steps(2)

    assert desk.fills[-1].px == desk.fills[-1].reference_px
    assert desk.fills[-1].px % D("0.1")


def test_a_cheap_coins_liquidation_keeps_its_digits() -> None:
    """A mark below a dollar is kept to seven figures, not to a millionth."""
    rows = [flat(0.00512, 1e9), (0.00512, 0.00512, 0.00312, 0.00412, 1e9)]
    desk = Desk(tape_of({"DOGE": rows}), costs=FREE)
    desk.buy("1500000", symbol="DOGE")
    desk.steps(2)

    (event,) = liquidations(desk.events)
    assert len(event.marks["DOGE"].as_tuple().digits) == 7


def test_the_alarm_rings_where_equity_meets_it_and_is_disarmed() -> None:
    """Equity is the level itself on a path; the bar goes on after it was told, and it does not ring twice."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 90, 95, 1000)]}))
    desk.buy("10")
    desk.step()
    desk.venue.set_alarm(D("933.3"))
    desk.step()

    assert [(alarm.ts, alarm.equity) for alarm in desk.alarms] == [(START + 2 * HOUR_MS, D("933.3"))]
    assert desk.size() == 10


def test_a_gap_rings_the_alarm_at_the_open_and_the_flattening_fills_there() -> None:
    """What the engine sends in answer is among the new orders of the same open."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(90)]}))
    desk.buy("10")
    desk.step()
    desk.venue.set_alarm(D(950))

    alarm = desk.venue.open_bar(1)
    assert alarm is not None
    assert (alarm.ts, alarm.equity) == (START + HOUR_MS, 900)
    desk.sell("10", reduce_only=True)
    desk.open()

    assert (desk.size(), desk.cash) == (0, 900)


def test_an_alarm_that_is_set_after_the_open_still_rings_in_that_bar() -> None:
    """A bar that looked calm is looked at again when the level moves."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 90, 95, 1000)]}))
    desk.buy("10")
    desk.step()
    desk.open()
    desk.venue.set_alarm(D(950))
    desk.close()

    assert [alarm.equity for alarm in desk.alarms] == [950]


def test_a_liquidation_comes_before_an_alarm_at_the_same_place() -> None:
    """Both at 85.5 (see above), where equity is 85.5: the liquidation is first, and then the alarm."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 80, 100, 1000)]}), cash="1245.5")
    desk.buy("80")
    desk.step()
    desk.venue.set_alarm(D("85.5"))
    desk.open()

    alarm = desk.venue.close_bar()

    assert alarm is not None
    assert desk.size() == 0


def test_an_alarm_comes_before_a_limit_at_the_same_place() -> None:
    """The bid at 95 would be next; the engine hears of equity at 950 first and can withdraw it."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, 90, 95, 1000)]}))
    desk.buy("10")
    bid = desk.buy("1", limit_px="95")
    desk.step()
    desk.venue.set_alarm(D(950))
    desk.open()

    assert desk.venue.close_bar() is not None
    desk.cancel(bid)
    desk.close()

    assert desk.outcome(bid) == ("cancelled", "cancelled")
    assert desk.size() == 10


def test_a_side_is_liquidated_with_the_other_sides_price_rounded_against_it() -> None:
    """A short buys back upwards."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 120, 100, 100, 1000)]}))
    desk.sell("100")
    desk.steps(2)

    assert desk.fills[-1].side is Side.BUY
    assert desk.fills[-1].px > desk.fills[-1].reference_px
