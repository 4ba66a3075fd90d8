"""Margin, liquidation and the engine's alarm on live marks (docs/trading-rules.md §2.10, §4.6)."""

from decimal import Decimal

import pytest

from brokers.paper.costs import Costs
from brokers.paper.replay import Alarm
from domain.account import Position
from domain.events import Adjusted, Liquidated
from domain.orders import OrderKind, Side
from tests.unit.brokers.live_samples import Stand

D = Decimal


def holding(size: str = "90", cash: str = "1000", **more: object) -> Stand:
    """Long so much at 100, with a leverage of ten."""
    desk = Stand(cash=cash, **more)  # type: ignore[arg-type]
    desk.market(100, 100)
    desk.buy(size)
    desk.market(100, 100)
    assert desk.size() == D(size)
    return desk


def liquidations(desk: Stand) -> list[Liquidated]:
    return [event for event in desk.events if isinstance(event, Liquidated)]


def test_margin_is_asked_when_an_order_is_accepted() -> None:
    """1,000 USD carry 100 at 100 with a leverage of ten, and not a lot more."""
    desk = Stand()
    desk.market(100, 100)
    fine, too_much = desk.buy("100"), desk.buy("0.001")
    desk.market(100, 100)

    assert desk.outcome(fine) == ("filled", "")
    assert desk.outcome(too_much) == ("rejected", "perpMargin")


def test_margin_is_asked_again_when_it_fills() -> None:
    """It was affordable at the mark, and is not at the offer."""
    desk = Stand()
    desk.market(100, 100)
    number = desk.buy("100")

    desk.wait(1000)
    desk.mark("101")
    desk.quote(100, 101)

    assert desk.outcome(number) == ("cancelled", "marginCanceled")
    assert not desk.fills


def test_a_maker_needs_margin_too() -> None:
    """What was free when the bid was placed is bound by the time it would fill."""
    desk = Stand(cash="1000")
    desk.market(100, 100)
    bid = desk.buy("50", limit_px="90")
    desk.market(100, 100)
    desk.buy("50")
    desk.market(100, 100)

    desk.market(89, "89.9")  # at a loss of 500: nothing is left for 50 more

    assert desk.outcome(bid) == ("cancelled", "marginCanceled")


def test_liquidation_comes_with_the_mark_at_which_equity_meets_maintenance() -> None:
    """Long 90 at 100 with 1,000: equity 90 m − 8,000, maintenance 90 m / 80. They meet just above 90.01."""
    desk = holding()
    desk.market("90.1", "90.1")
    assert not liquidations(desk)

    desk.wait(1000)
    desk.mark("90.01")

    (liquidated,) = liquidations(desk)
    assert not liquidated.backstop
    assert liquidated.equity == D("100.9")
    assert (desk.fills[-1].cause, desk.size()) == ("liquidation", 0)
    assert desk.cash > 0


def test_a_liquidation_goes_at_the_mark_worsened_as_where_a_bar_has_no_volume() -> None:
    """One basis point and 5 × √10 more; it asks for no quote, pays the taker's fee, and ends all orders."""
    desk = holding(costs=Costs(), cash="1020")
    bid = desk.buy("0.5", limit_px="80")
    stop = desk.protect(OrderKind.STOP, Side.SELL, "60")

    desk.wait(1000)
    desk.mark("89.6")

    fill = desk.fills[-1]
    worsened = D("89.6") * (1 - (1 + 5 * D(10).sqrt()) / 10_000)
    assert fill.reference_px == D("89.6")
    assert fill.px == worsened.quantize(D("0.1"), rounding="ROUND_FLOOR")
    assert fill.fee == (90 * fill.px * D("0.00045")).quantize(D("0.000001"), rounding="ROUND_DOWN")
    assert {desk.outcome(number) for number in (bid, stop)} == {("cancelled", "liquidatedCanceled")}


@pytest.mark.parametrize(
    ("px", "reason"), [("89.64", None), ("89.63", "backstop"), ("89", "backstop"), ("85", "bankrupt")]
)
def test_below_two_thirds_of_maintenance_the_account_is_taken_over(px: str, reason: str | None) -> None:
    """They meet at 89.634; below it, what is left goes with the account, and what is owed is written off."""
    desk = holding()

    desk.wait(1000)
    desk.mark(px)

    assert liquidations(desk)[0].backstop is (reason is not None)
    assert [event.reason for event in desk.events if isinstance(event, Adjusted)] == [reason] * bool(reason)
    assert desk.size() == 0
    assert (desk.cash == 0) is (reason is not None)


def test_a_stop_comes_before_the_liquidation_at_the_same_mark() -> None:
    """It sells on a quote that is as new as the mark, and there is nothing left to liquidate."""
    desk = holding()
    desk.protect(OrderKind.STOP, Side.SELL, "91")
    desk.wait(1000)
    desk.quote("90.5", "90.5")

    desk.mark("89.9")

    assert desk.fills[-1].cause == "stop"
    assert not liquidations(desk)


def test_a_spread_that_eats_the_margin_liquidates_at_the_fill() -> None:
    """Equity is judged on every fill, not only on marks."""
    desk = holding("89")
    desk.wait(1000)
    desk.mark("90.2")
    desk.sell("60")

    desk.wait(1)
    desk.quote("88.5", "90.2")

    assert [fill.cause for fill in desk.fills[1:]] == ["market", "liquidation"]


# The alarm.


def test_the_alarm_is_given_at_the_mark_that_meets_the_level_and_once() -> None:
    """Equity 1,000 − 10 × 10 = 900 at a mark of 90; it is disarmed until it is set again."""
    desk = holding("10")
    desk.venue.set_alarm(D(900))
    desk.market("90.1", "90.1")
    assert not desk.alarms

    desk.wait(1000)
    desk.mark(90)
    at = desk.now
    desk.market(89, 89)

    assert desk.alarms == [Alarm(at, D(900))]


def test_the_alarm_is_given_at_a_fill_that_meets_the_level() -> None:
    """Bought ten at 101 while the mark is 100."""
    desk = Stand()
    desk.market(100, 100)
    desk.venue.set_alarm(D(990))
    desk.buy("10")

    desk.wait(1000)
    desk.mark(100)
    desk.quote(99, 101)

    assert desk.alarms == [Alarm(desk.now, D(990))]


def test_what_the_engine_cancels_at_an_alarm_does_not_meet_the_quote_that_is_being_worked_through() -> None:
    """The first fill rings; the bid behind it is withdrawn, and what is sent to close waits for the next quote."""
    desk = Stand()
    desk.market(100, 100)
    desk.venue.set_alarm(D(990))
    first, second = desk.buy("10"), desk.buy("5", limit_px="102")
    closing: list[int] = []

    def halt(alarm: Alarm) -> None:
        desk.cancel(second)
        closing.append(desk.sell("10", reduce_only=True))

    desk.on_alarm = halt
    desk.wait(1000)
    desk.mark(100)
    desk.quote(99, 101)
    assert [fill.order for fill in desk.fills] == [first]
    assert desk.outcome(second) == ("cancelled", "cancelled")

    desk.market(99, 101)

    assert (desk.fills[-1].order, desk.size()) == (closing[0], 0)


@pytest.mark.parametrize("newest", [14_000, 16_000])
def test_nobody_is_judged_while_something_that_is_held_has_no_fresh_mark(newest: int) -> None:
    """A hedge: one side has fallen, the other side's mark is old. Whether that is a loss nobody knows."""
    desk = Stand(cash="1000")
    desk.market(100, 100)
    desk.market(100, 100, symbol="ETH")
    desk.buy("40"), desk.sell("40", symbol="ETH")
    desk.market(100, 100)
    desk.market(100, 100, symbol="ETH")
    desk.venue.set_alarm(D(900))

    desk.wait(newest)
    desk.mark(95)

    assert bool(desk.alarms) is (newest == 14_000)
    assert desk.venue.is_known is (newest == 14_000)


def test_a_wild_fall_of_one_symbol_is_judged_once_the_others_are_known_again() -> None:
    """The other mark comes in, lower too: now it is known that the hedge was too small."""
    desk = Stand(cash="1000")
    for symbol in ("BTC", "ETH"):
        desk.market(100, 100, symbol=symbol)
    desk.buy("90"), desk.sell("9", symbol="ETH")
    for symbol in ("BTC", "ETH"):
        desk.market(100, 100, symbol=symbol)
    desk.wait(60_000)
    desk.mark(88)
    assert not liquidations(desk)

    desk.mark(88, symbol="ETH")

    assert liquidations(desk)[0].backstop


def test_equity_is_raw_usd_and_positions_at_the_last_marks() -> None:
    """Whatever the quotes are, and whether the marks are fresh."""
    desk = holding("10")
    desk.wait(1000)
    desk.mark("103.5")
    desk.quote(50, 120)
    desk.wait(60_000)

    assert desk.equity == 1035
    assert desk.venue.account(desk.now).equity == 1035
    assert desk.venue.state.positions == {"BTC": Position(D(10), D(1000))}
