"""Funding: each recorded rate once, at its hour, on the last closed price (§2.8)."""

from decimal import Decimal
from typing import Any

import pytest

from domain.events import FundingPaid
from domain.orders import Side
from domain.time import HOUR_MS
from tests.unit.brokers.samples import START, Desk, flat, tape_of

D = Decimal
TWO = {"BTC": [(100, 110, 90, 105, 1000), flat(105), flat(105)]}


def payments(desk: Desk) -> list[tuple[int, Decimal]]:
    """Hour and amount of each payment."""
    return [((e.ts - START) // HOUR_MS, e.amount) for e in desk.events if isinstance(e, FundingPaid)]


@pytest.mark.parametrize(
    ("side", "rate", "amount"),
    [
        (Side.BUY, 0.0001, "-0.0105"),
        (Side.BUY, -0.0001, "0.0105"),
        (Side.SELL, 0.0001, "0.0105"),
        (Side.SELL, -0.0001, "-0.0105"),
    ],
)
def test_the_long_pays_when_the_rate_is_positive(side: Side, rate: float, amount: str) -> None:
    """Size × the bar's close × rate, once."""
    desk = Desk(tape_of(TWO, rates={"BTC": {1: rate}}))
    desk.place(desk.order(side, "1"))
    desk.steps(3)

    assert payments(desk) == [(1, D(amount))]
    assert desk.venue.state.account.funding == D(amount)
    assert desk.cash == 1000 + D(amount)


@pytest.mark.parametrize(("side", "amount"), [(Side.BUY, "-0.000012"), (Side.SELL, "0.000012")])
def test_an_amount_is_cut_towards_zero(side: Side, amount: str) -> None:
    """0.001 × 105 × 0.000123 = 0.000012915 USD, paid or received."""
    desk = Desk(tape_of(TWO, rates={"BTC": {1: 0.000123}}))
    desk.place(desk.order(side, "0.001"))
    desk.step()

    assert payments(desk) == [(1, D(amount))]


def test_whoever_holds_nothing_pays_nothing_and_the_row_is_done_with() -> None:
    """A position opened at the very hour of a settlement does not pay for the hour before."""
    desk = Desk(tape_of(TWO, rates={"BTC": {0: 0.5, 1: 0.5, 2: 0.0001}}))
    desk.step()
    desk.buy("1")
    desk.steps(2)

    assert payments(desk) == [(2, D("-0.0105"))]


def test_a_settlement_at_the_runs_first_instant_is_not_charged_to_what_opens_then() -> None:
    """Funding comes before opens; an account that starts flat owes nothing for it."""
    desk = Desk(tape_of(TWO, rates={"BTC": {0: 0.5}}))
    desk.buy("1")
    desk.step()

    assert payments(desk) == []


def test_settling_twice_pays_once() -> None:
    """A row is remembered as settled."""
    desk = Desk(tape_of(TWO, rates={"BTC": {1: 0.0001}}))
    desk.buy("1")
    desk.step()
    desk.settle()

    assert len(payments(desk)) == 1


def test_rows_inside_a_bar_are_settled_at_its_close() -> None:
    """Rates of hours that no bar closes at are each paid at the next close, on its price."""
    rows: dict[str, list[Any]] = {"BTC": [flat(100), None, None, flat(100)]}
    desk = Desk(tape_of(rows, rates={"BTC": {1: 0.0001, 2: 0.0002, 3: 0.0003}}))
    desk.buy("1")
    desk.open(), desk.close()
    desk.open(), desk.close()
    desk.settle()

    assert payments(desk) == [(2, D("-0.01")), (2, D("-0.02"))]


def test_symbols_are_settled_by_name() -> None:
    """In one instant, BTC before ETH, whatever was bought first."""
    desk = Desk(
        tape_of({"BTC": [flat(100)], "ETH": [flat(10)]}, rates={"ETH": {1: 0.001}, "BTC": {1: 0.001}})
    )
    desk.buy("1", symbol="ETH"), desk.buy("1")
    desk.step()

    assert [e.symbol for e in desk.events if isinstance(e, FundingPaid)] == ["BTC", "ETH"]


def test_the_mark_is_what_funding_is_paid_on() -> None:
    """Where there is a mark series, its close and not the trades'; in a hole, the last one there was."""
    trades: dict[str, list[Any]] = {"BTC": [flat(100), None, flat(100)]}
    marks: dict[str, list[Any]] = {"BTC": [flat(102), None, flat(100)]}
    desk = Desk(tape_of(trades, marks=marks, rates={"BTC": {1: 0.0001, 2: 0.0001}}))
    desk.buy("1")
    desk.steps(2)

    assert payments(desk) == [(1, D("-0.0102")), (2, D("-0.0102"))]


def test_a_position_that_the_bar_closed_pays_nothing() -> None:
    """The path comes before the settlement."""
    desk = Desk(tape_of({"BTC": [(100, 100, 90, 100, 1000)]}, rates={"BTC": {1: 0.0001}}))
    desk.buy("1", stop_px="95")
    desk.step()

    assert payments(desk) == []
