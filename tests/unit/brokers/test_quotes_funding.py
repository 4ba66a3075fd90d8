"""Funding on a live feed: each hour once, on what was held at it, however late (docs/trading-rules.md §2.8)."""

from decimal import Decimal

import pytest

from brokers.paper.live import Unfit
from domain.events import Adjusted, FundingPaid
from domain.orders import OrderKind, Side
from domain.time import DAY_MS, HOUR_MS, SECOND_MS
from tests.unit.brokers.live_samples import START, Stand

D = Decimal


def holding(size: str = "2", side: Side = Side.BUY) -> Stand:
    """An account that got so much at 100, a few seconds after START."""
    desk = Stand(cash="10000")
    desk.market(100, 100)
    desk.place(desk.order(side, size))
    desk.market(100, 100)
    return desk


def at_hour(desk: Stand, hour: int, px: str = "100") -> None:
    """The feed's time comes to this hour after START, and a mark with it."""
    desk.wait(START + hour * HOUR_MS - desk.now)
    desk.mark(px)


def paid(desk: Stand) -> list[Decimal]:
    return [event.amount for event in desk.events if isinstance(event, FundingPaid)]


@pytest.mark.parametrize(
    ("side", "rate", "amount"),
    [
        (Side.BUY, "0.0001", "-0.02"),
        (Side.SELL, "0.0001", "0.02"),
        (Side.BUY, "-0.0001", "0.02"),
        (Side.BUY, "0.00000123456", "-0.000246"),  # 0.000246912, cut towards zero
        (Side.SELL, "0.00000123456", "0.000246"),
    ],
)
def test_longs_pay_a_positive_rate_and_amounts_are_cut_to_a_millionth(
    side: Side, rate: str, amount: str
) -> None:
    """Two at a price of 100."""
    desk = holding(side=side)
    at_hour(desk, 1)

    desk.fund(rate, 100)

    (event,) = [event for event in desk.events if isinstance(event, FundingPaid)]
    assert (event.amount, event.rate, event.price) == (D(amount), D(rate), 100)
    assert (event.cash, event.ts) == (desk.cash, desk.now)
    assert desk.cash == 10_000 + D(amount)


def test_an_hour_is_paid_once_however_often_it_is_told() -> None:
    """At once, a minute later, and after the next hour: only new hours are charged."""
    desk = holding()
    at_hour(desk, 1)
    hour = desk.now
    desk.fund("0.0001", 100), desk.fund("0.0001", 100)
    desk.wait(60 * SECOND_MS)
    desk.fund("0.0001", 100, ts=hour), desk.fund("0.0001", 100, ts=hour + 7)
    at_hour(desk, 2)
    desk.fund("0.0001", 100), desk.fund("0.0001", 100, ts=hour)

    assert paid(desk) == [D("-0.02")] * 2


def test_a_rate_that_comes_late_is_charged_once_on_what_was_held_at_its_hour() -> None:
    """Held two at the first hour and five at the second; told of both when it is flat again, the later one first."""
    desk = holding()
    at_hour(desk, 1)
    desk.buy("3")
    desk.market(100, 100)
    at_hour(desk, 2)
    desk.sell("5")
    desk.market(100, 100)
    assert desk.size() == 0

    first = START + HOUR_MS
    for ts in (first + HOUR_MS, first, first, first + HOUR_MS):
        desk.fund("0.001", 100, ts=ts)

    assert paid(desk) == [D("-0.5"), D("-0.2")]
    assert [e.position for e in desk.events if isinstance(e, FundingPaid)] == [5, 2]


def test_what_was_opened_at_the_hour_or_after_it_pays_nothing_for_it() -> None:
    """As in the simulator, where funding comes before what opens at the same instant."""
    desk = Stand(cash="10000")
    desk.market(100, 100)
    desk.wait(START + HOUR_MS - desk.now - SECOND_MS)
    desk.mark(100)
    desk.buy("2")
    desk.wait(SECOND_MS)
    desk.mark(100)
    desk.quote(100, 100)
    assert desk.fills[0].ts == START + HOUR_MS

    desk.fund("0.001", 100)

    assert paid(desk) == []


def test_the_hours_of_an_outage_are_charged_when_their_rates_are_told() -> None:
    """Nothing was heard from the first hour to the fifth; what was held then was held all along."""
    desk = holding()
    at_hour(desk, 5)
    assert desk.venue.owed == {"BTC": tuple(START + hour * HOUR_MS for hour in (1, 2, 3, 4, 5))}

    for hour in (1, 2, 3, 4, 5):
        desk.fund("0.0001", 100, ts=START + hour * HOUR_MS)

    assert paid(desk) == [D("-0.02")] * 5
    assert desk.venue.owed == {}


def test_a_rate_is_not_charged_when_it_comes_after_two_days() -> None:
    """What was held is remembered for so long, and no longer: a feed without funding must not fill the memory."""
    desk = holding()
    for hour in range(1, 60):
        at_hour(desk, hour)

    assert len(desk.venue._market.owed["BTC"]) == 48
    desk.fund("0.0001", 100, ts=START + 59 * HOUR_MS - 2 * DAY_MS)
    assert paid(desk) == []
    desk.fund("0.0001", 100, ts=START + 60 * HOUR_MS - 2 * DAY_MS)
    assert paid(desk) == [D("-0.02")]


def test_an_account_owes_nothing_for_the_hours_before_it_began() -> None:
    """Nor for the one in which it began to listen."""
    desk = Stand(cash="10000")
    desk.market(100, 100)
    desk.buy("2")
    desk.market(100, 100)

    desk.fund("0.0001", 100, ts=START)
    desk.fund("0.0001", 100, ts=START - HOUR_MS)

    assert paid(desk) == []


def test_each_symbol_pays_its_own_rate() -> None:
    """A settlement of one says nothing of another."""
    desk = holding()
    desk.market(10, 10, symbol="ETH")
    desk.sell("30", symbol="ETH")
    desk.market(10, 10, symbol="ETH")
    at_hour(desk, 1)

    desk.fund("0.001", 10, symbol="ETH")

    assert paid(desk) == [D("0.3")]


def test_funding_that_meets_the_alarm_rings_it() -> None:
    """The account is judged after it is charged."""
    desk = holding()
    at_hour(desk, 1)
    desk.venue.set_alarm(D("9999.99"))

    desk.fund("0.0001", 100)

    assert [alarm.equity for alarm in desk.alarms] == [D("9999.98")]


def test_a_charge_that_comes_when_all_is_gone_is_written_off() -> None:
    """Bankrupt already: nobody can collect it."""
    desk = Stand(cash="100", leverage=40)
    desk.market(100, 100)
    desk.buy("30")
    desk.market(100, 100)
    at_hour(desk, 1)
    desk.wait(1)
    desk.mark(60)
    assert (desk.cash, desk.size()) == (0, 0)

    desk.fund("0.001", 100, ts=START + HOUR_MS)

    assert desk.cash == 0
    assert [e.amount for e in desk.events if isinstance(e, Adjusted)][1:] == [D(3)]


@pytest.mark.parametrize(
    ("rate", "price", "why"),
    [
        ("NaN", "100", Unfit.NO_NUMBER),
        ("Infinity", "100", Unfit.NO_NUMBER),
        ("0.041", "100", Unfit.NO_NUMBER),
        ("-0.041", "100", Unfit.NO_NUMBER),
        ("0.001", "0", Unfit.NO_NUMBER),
        ("0.001", "-100", Unfit.NO_NUMBER),
        ("0.001", "NaN", Unfit.NO_NUMBER),
        ("0.001", "201", Unfit.FAR),
        ("0.001", "49", Unfit.FAR),
    ],
)
def test_a_settlement_that_can_t_be_is_left_aside_and_the_right_one_still_charged(
    rate: str, price: str, why: Unfit
) -> None:
    """No number, a rate beyond what the venue allows, or a price far from the mark."""
    desk = holding()
    at_hour(desk, 1)

    desk.fund(rate, price)
    assert (paid(desk), desk.venue.unfit) == ([], {why: 1})
    desk.fund("0.0001", 100)

    assert paid(desk) == [D("-0.02")]


def test_funding_does_not_touch_orders() -> None:
    """Neither those that wait nor protections."""
    desk = holding()
    numbers = [desk.buy("1", limit_px="90"), desk.protect(OrderKind.STOP, Side.SELL, "80")]
    desk.market(100, 100)
    at_hour(desk, 1)

    desk.fund("0.0001", 100)

    assert [desk.last(number).state for number in numbers] == ["resting"] * 2
