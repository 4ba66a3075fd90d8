"""Margin at acceptance and at the fill, and reducing, which needs none (§2.10)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.costs import Costs
from brokers.paper.margin import Priced, initial_margin_usd
from domain.account import Position
from domain.orders import Order, OrderKind, Side
from tests.unit.brokers.samples import Desk, flat, tape_of

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize("side", list(Side))
def test_an_order_is_accepted_up_to_equity_times_leverage(side: Side) -> None:
    """1,000 USD at 10 × carry exactly 100 BTC at 100; one lot more is refused."""
    for size, outcome in (("100", ("in_flight", "")), ("100.00001", ("rejected", "perpMargin"))):
        desk = Desk(tape_of({"BTC": [flat(100)]}))
        assert desk.outcome(desk.place(desk.order(side, size))) == outcome


def test_the_fee_is_part_of_what_must_be_there() -> None:
    """99.552… BTC leave just enough for the taker's 4.5 bps: 1000 ≥ n × 10 + n × 0.045."""
    costs = Costs(half_spread_bps=D(0), impact_bps_at_10pct=D(0))
    for size, state in (("99.55201", "in_flight"), ("99.55202", "rejected")):
        desk = Desk(tape_of({"BTC": [flat(100)]}), costs=costs)
        assert desk.last(desk.buy(size)).state == state


def test_a_limit_is_accepted_on_the_makers_fee() -> None:
    """It is expected to rest: 1000 ≥ n × 10 + n × 0.015 at a limit of 100."""
    for size, state in (("99.85022", "in_flight"), ("99.85023", "rejected")):
        desk = Desk(tape_of({"BTC": [flat(101)]}), costs=Costs())
        assert desk.last(desk.buy(size, limit_px="100")).state == state


def test_the_mark_values_a_market_order_and_the_limit_a_limit_order() -> None:
    """At 10 × 1,000 USD carry 125 BTC at 80, though the mark is 100."""
    desk = Desk(tape_of({"BTC": [flat(100)]}))

    assert desk.last(desk.buy("125.00001", limit_px="80")).state == "rejected"
    assert desk.last(desk.buy("125", limit_px="80")).state == "in_flight"


def test_orders_that_wait_count_with_what_is_held() -> None:
    """Half held, half resting: not a lot more; after the resting one is withdrawn there is room again."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100)]}))
    desk.buy("50")
    desk.step()
    resting = desk.buy("55", limit_px="90")

    assert desk.last(desk.buy("0.51")).state == "rejected"
    assert desk.last(desk.buy("0.5")).state == "in_flight"
    desk.cancel(resting)
    assert desk.last(desk.buy("49.5")).state == "in_flight"


def test_bids_and_offers_do_not_add_up() -> None:
    """Only one side can come to be held; the larger counts."""
    desk = Desk(tape_of({"BTC": [flat(100)]}))

    assert desk.last(desk.buy("100", limit_px="100")).state == "in_flight"
    assert desk.last(desk.sell("99", limit_px="101")).state == "in_flight"


def test_symbols_share_one_margin() -> None:
    """Cross margin: what BTC takes, ETH lacks."""
    desk = Desk(tape_of({"BTC": [flat(100)], "ETH": [flat(10)]}))
    desk.buy("60")

    assert desk.last(desk.buy("400.0001", symbol="ETH")).state == "rejected"
    assert desk.last(desk.buy("400", symbol="ETH")).state == "in_flight"


def test_a_symbol_whose_leverage_was_never_set_is_margined_whole() -> None:
    """Nothing is borrowed that nobody asked for."""
    desk = Desk(tape_of({"BTC": [flat(100)]}))
    del desk.venue.state.leverage["BTC"]

    assert desk.last(desk.buy("10.00001")).state == "rejected"
    desk.venue.set_leverage("BTC", 2)
    assert desk.last(desk.buy("20")).state == "in_flight"


def test_an_order_that_the_open_made_too_large_is_cancelled_there() -> None:
    """Accepted at a mark of 100, it meets an open of 100.1 that its margin does not cover."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100.1)]}))
    desk.step()

    number = desk.buy("100")
    desk.step()

    assert desk.outcome(number) == ("cancelled", "marginCanceled")
    assert not desk.fills


def test_a_resting_order_is_judged_again_when_it_fills() -> None:
    """The equity that it was accepted on has gone by then."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(100), (100, 100, 93, 94, 1000)]}))
    desk.buy("50")
    bid = desk.buy("55", limit_px="90.9")
    desk.step()
    desk.cancel(bid)
    later = desk.buy("52", limit_px="94")
    desk.steps(2)

    assert desk.outcome(later) == ("cancelled", "marginCanceled")
    assert desk.size() == 50


@pytest.mark.parametrize("reduce_only", [True, False])
def test_reducing_needs_no_margin(reduce_only: bool) -> None:
    """Under water, an order no larger than the position goes through; one lot larger does not."""
    desk = Desk(tape_of({"BTC": [flat(100), flat(93), flat(93)]}))
    desk.buy("100")
    desk.steps(2)

    number = desk.sell("100", reduce_only=reduce_only)
    over = desk.sell("100.00001", reduce_only=False)
    desk.step()

    assert desk.last(number).state == "filled"
    assert desk.outcome(over) == ("rejected", "perpMargin")


def test_a_reduce_only_order_never_opens() -> None:
    """Refused when there is nothing to reduce, cut to what is held, cancelled when that has gone."""
    desk = Desk(tape_of({"BTC": [flat(100)] * 4}))
    none = desk.sell("1", reduce_only=True)
    desk.buy("1")
    desk.step()
    wrong = desk.buy("1", reduce_only=True)
    first, second = desk.sell("5", reduce_only=True), desk.sell("1", reduce_only=True)
    desk.step()

    assert desk.outcome(none) == desk.outcome(wrong) == ("rejected", "reduceOnly")
    assert desk.outcome(first) == desk.outcome(second) == ("cancelled", "reduceOnlyCanceled")
    assert desk.last(first).filled == 1
    assert desk.size() == 0


def test_an_order_through_zero_is_margined_on_what_it_opens() -> None:
    """Long 50, a sale of 150 leaves a short of 100: just covered."""
    for size, state in (("150", "filled"), ("150.00001", "rejected")):
        desk = Desk(tape_of({"BTC": [flat(100, 10_000), flat(100, 10_000)]}))
        desk.buy("50")
        desk.step()
        number = desk.sell(size)
        desk.step()
        assert desk.last(number).state == state


SIZES = st.decimals("-50", "50", places=3)
ORDERS = st.lists(
    st.tuples(st.sampled_from(Side), st.decimals("0.001", "50", places=3), st.decimals("1", "200", places=2)),
    max_size=5,
)


@given(SIZES, ORDERS, st.integers(1, 40), st.decimals("1", "200", places=2))
def test_initial_margin_is_the_larger_of_both_ways(
    size: Decimal, orders: list[tuple[Side, Decimal, Decimal]], leverage: int, mark: Decimal
) -> None:
    """It is never below what is held alone, never falls when an order joins, and ignores reduce-only orders."""

    def order(number: int, side: Side, amount: Decimal, *, reduce_only: bool = False) -> Order:
        return Order(number, "x", "BTC", side, OrderKind.LIMIT, amount, 0, reduce_only=reduce_only)

    positions = {"BTC": Position(size, size * mark)} if size else {}
    priced = [Priced(order(i, side, amount), px) for i, (side, amount, px) in enumerate(orders)]

    def needed(some: list[Priced]) -> Decimal:
        return initial_margin_usd(positions, some, {"BTC": leverage}, lambda _: mark)

    steps = [needed(priced[:count]) for count in range(len(priced) + 1)]
    assert steps[0] == abs(size) * mark / leverage
    assert steps == sorted(steps)
    buys = sum((amount * px for side, amount, px in orders if side is BUY), D(0))
    sells = sum((amount * px for side, amount, px in orders if side is SELL), D(0))
    toward = buys if size >= 0 else sells
    assert steps[-1] * leverage >= (abs(size) * mark + toward) * D("0.999999999")
    assert steps[-1] * leverage <= max(abs(size) * mark + toward, buys, sells) * D("1.000000001")
    assert needed([*priced, Priced(order(99, BUY, D(1000), reduce_only=True), mark)]) == steps[-1]
