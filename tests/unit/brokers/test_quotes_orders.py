"""Orders on live quotes: which quote they meet, at what price, and for how much (docs/trading-rules.md §2)."""

from decimal import Decimal

import pytest

from brokers.paper.costs import Costs
from domain.orders import Liquidity, OrderKind, Side, Tif
from tests.unit.brokers.live_samples import Stand

D = Decimal


def stand(bid: str = "99.5", ask: str = "100.5", **more: object) -> Stand:
    """An account in a market that has just been seen."""
    made = Stand(**{"cash": "100000", **more})  # type: ignore[arg-type]
    made.market(bid, ask)
    return made


# Market orders.


@pytest.mark.parametrize(("side", "px"), [(Side.BUY, "101"), (Side.SELL, "100")])
def test_a_market_order_crosses_the_next_quote_and_pays_no_more_than_that(side: Side, px: str) -> None:
    """A buyer gets the offer, a seller the bid: no half-spread is added and no impact, though costs have both."""
    desk = stand(costs=Costs())
    number = desk.place(desk.order(side, "2"))

    desk.wait(1000)
    desk.quote(100, 101, 3)

    (fill,) = desk.fills
    assert (fill.px, fill.reference_px, fill.size, fill.ts) == (D(px), D(px), 2, desk.now)
    assert (fill.liquidity, fill.cause) == (Liquidity.TAKER, "market")
    assert fill.fee == 2 * D(px) * D("0.00045")
    assert desk.outcome(number) == ("filled", "")


def test_the_quote_that_stands_when_an_order_is_made_fills_nothing() -> None:
    """It was published before the order: whoever saw it can't have it any more."""
    desk = stand()

    desk.buy("1")

    assert not desk.fills


@pytest.mark.parametrize(("published", "fills"), [(-1, False), (0, True), (1, True)])
def test_a_quote_that_was_published_before_the_order_and_comes_after_it_fills_nothing(
    published: int, fills: bool
) -> None:
    """It was on its way; what counts is its own instant, to the millisecond."""
    desk = stand()
    desk.wait(500)
    made = desk.now
    desk.buy("1")

    desk.wait(200)
    desk.quote("99.5", "100.5", ts=made + published)

    assert bool(desk.fills) is fills


@pytest.mark.parametrize(("after_ms", "fills"), [(299, False), (300, True)])
def test_an_order_needs_its_latency_before_it_can_fill(after_ms: int, fills: bool) -> None:
    """With 300 ms, the first quote that is at least so much later."""
    desk = stand(costs=Costs(latency_ms=300))
    desk.buy("1")

    desk.wait(after_ms)
    desk.quote("99.5", "100.5")

    assert bool(desk.fills) is fills


def test_an_order_of_a_tick_that_was_long_decided_meets_no_quote_from_while_it_was() -> None:
    """It bears the tick's nominal time; what counts is when the venue got it."""
    desk = stand()
    nominal = desk.now
    desk.wait(8000)
    made = desk.now
    desk.mark(100)
    desk.place(desk.order(Side.BUY, "1", created_ts=nominal))

    desk.quote(99, 100, ts=made - 1)
    assert not desk.fills
    desk.quote(100, 101, ts=made)

    assert desk.fills[0].px == 101


@pytest.mark.parametrize(
    ("side", "bound", "fills"),
    [
        (Side.BUY, "100.5", True),
        (Side.BUY, "100.4", False),
        (Side.SELL, "99.5", True),
        (Side.SELL, "99.6", False),
    ],
)
def test_a_market_order_never_fills_outside_its_bound(side: Side, bound: str, fills: bool) -> None:
    """A tick beyond it nothing does, and the order goes."""
    desk = stand()
    number = desk.place(desk.order(side, "1", kind=OrderKind.MARKET, limit_px=bound))

    desk.market("99.5", "100.5")

    assert bool(desk.fills) is fills
    assert desk.outcome(number) == (("filled", "") if fills else ("cancelled", "iocCancelRejected"))


def test_no_more_than_what_is_displayed_fills_at_once_and_the_rest_is_cancelled() -> None:
    """Two of the three that are wanted are on offer."""
    desk = stand()
    number = desk.buy("3")

    desk.wait(1000)
    desk.quote(99, 100, 5, ask_size=2)

    assert [(fill.size, fill.px) for fill in desk.fills] == [(2, 100)]
    assert desk.outcome(number) == ("cancelled", "iocCancel")


def test_what_a_quote_displays_is_taken_once_in_the_order_of_approval_and_each_side_apart() -> None:
    """Buyers of 3 and 3 share an offer of 4; sellers of 3 and 3 a bid of 5."""
    desk = stand()
    first, second = desk.buy("3"), desk.buy("3")
    third, fourth = desk.sell("3"), desk.sell("3")

    desk.wait(1000)
    desk.quote(99, 100, 5, ask_size=4)

    assert [(f.order, f.size) for f in desk.fills] == [(first, 3), (second, 1), (third, 3), (fourth, 2)]


def test_each_symbol_and_each_quote_has_sizes_of_its_own() -> None:
    """Another symbol's offer is not touched, and the next quote is a new one."""
    desk = stand()
    desk.market(9, 10, symbol="ETH")
    desk.buy("5"), desk.buy("5", symbol="ETH")
    desk.wait(1000)
    desk.quote(99, 100, 5)
    desk.quote(9, 10, 5, symbol="ETH")
    desk.buy("5")
    desk.wait(1000)
    desk.quote(99, 100, 5)

    assert (desk.size("BTC"), desk.size("ETH")) == (10, 5)


def test_a_size_that_is_no_whole_number_of_lots_is_cut_down_to_them() -> None:
    """0.000019 BTC on offer are one lot."""
    desk = stand()
    desk.buy("1")

    desk.wait(1000)
    desk.quote(99, 100, 5, ask_size="0.000019")

    assert desk.size() == D("0.00001")


@pytest.mark.parametrize(("side", "px"), [(Side.BUY, "60001"), (Side.SELL, "60000")])
def test_a_price_that_is_not_legal_is_made_so_against_the_trader(side: Side, px: str) -> None:
    """A feed's 60000.4 has six figures: a buyer pays 60001, a seller gets 60000."""
    desk = stand("59999", "60001", cash="1000000")
    desk.place(desk.order(side, "1"))

    desk.wait(1000)
    desk.quote("60000.4", "60000.4")

    assert (desk.fills[0].px, desk.fills[0].reference_px) == (D(px), D("60000.4"))


@pytest.mark.parametrize("tif", [None, Tif.IOC])
@pytest.mark.parametrize(("waits_ms", "outcome"), [(14_999, "filled"), (15_000, "expired")])
def test_what_must_trade_at_once_expires_when_no_quote_comes(
    tif: Tif | None, waits_ms: int, outcome: str
) -> None:
    """Fifteen seconds after it could first have filled; the mark goes on coming all the while."""
    desk = stand()
    number = desk.buy("1") if tif is None else desk.buy("1", limit_px="101", tif=tif)

    desk.wait(waits_ms)
    desk.mark(100)
    desk.quote("99.5", "100.5")

    assert desk.outcome(number)[0] == outcome
    assert bool(desk.fills) is (outcome == "filled")


def test_another_symbol_s_time_is_time_too() -> None:
    """A market order expires though its own symbol has fallen silent."""
    desk = stand()
    number = desk.buy("1")

    desk.wait(15_000)
    desk.mark(10, symbol="ETH")

    assert desk.outcome(number) == ("expired", "no quote came in time")


def test_an_order_for_a_market_without_a_fresh_mark_is_turned_away() -> None:
    """None was told yet, it is too old, or the venue has no such symbol."""
    desk = Stand(cash="100000")
    never = desk.buy("1")
    desk.market(99, 101)
    desk.wait(15_001)
    late = desk.buy("1")
    other = desk.buy("1", symbol="SOL")

    assert [desk.outcome(number) for number in (never, late, other)] == [
        ("rejected", "noMark"),
        ("rejected", "noMark"),
        ("rejected", "unknownSymbol"),
    ]


def test_without_a_fresh_mark_no_quote_fills_anything() -> None:
    """There is nothing to hold the quote against; with the mark, the next one fills."""
    desk = stand()
    bid = desk.buy("1", limit_px="99")
    desk.wait(1000)
    desk.quote("99.5", "100.5")

    desk.wait(15_000)
    desk.quote("98", "98.5")
    assert desk.last(bid).state == "resting"

    desk.mark("98.2")
    desk.wait(1)
    desk.quote("98", "98.5")
    assert desk.outcome(bid) == ("filled", "")


def test_without_costs_any_size_fills_at_the_touch_and_no_bound_holds() -> None:
    """`--costs none` on live quotes."""
    desk = stand(costs=Costs(modelled=False))
    desk.buy("7", kind=OrderKind.MARKET, limit_px="1")

    desk.wait(1000)
    desk.quote(99, 100, "0.5")

    assert [(fill.size, fill.px) for fill in desk.fills] == [(7, 100)]


# Limits.


@pytest.mark.parametrize(("limit", "px"), [("101", "100.5"), ("100.5", "100.5")])
def test_a_limit_that_the_offer_reaches_takes_it(limit: str, px: str) -> None:
    """As taker, at the offer, which may be better than its limit."""
    desk = stand()
    number = desk.buy("1", limit_px=limit)

    desk.market("99.5", "100.5")

    (fill,) = desk.fills
    assert (fill.px, fill.liquidity) == (D(px), Liquidity.TAKER)
    assert desk.outcome(number) == ("filled", "")


def test_what_is_left_of_a_marketable_limit_rests() -> None:
    """It takes what is displayed, and waits at its limit for the rest."""
    desk = stand()
    number = desk.buy("3", limit_px="101")
    desk.wait(1000)
    desk.quote(99, 100, 5, ask_size=2)
    assert (desk.last(number).state, desk.last(number).filled) == ("resting", 2)

    desk.market(100, 101)
    assert desk.size() == 2
    desk.market("99.5", "100.5")

    assert [(fill.size, fill.px, fill.liquidity) for fill in desk.fills] == [
        (2, 100, Liquidity.TAKER),
        (1, 101, Liquidity.MAKER),
    ]


@pytest.mark.parametrize(
    ("side", "limit", "touched", "passed"),
    [
        (Side.BUY, "98", ("97.5", "98"), ("97.4", "97.9")),
        (Side.SELL, "102", ("102", "103"), ("102.1", "103")),
    ],
)
def test_a_resting_limit_fills_when_the_other_side_goes_through_it(
    side: Side, limit: str, touched: tuple[str, str], passed: tuple[str, str]
) -> None:
    """A touch is not a fill. Through it, it fills as maker at its limit, for what is displayed."""
    desk = stand(costs=Costs())
    number = desk.place(desk.order(side, "5", limit_px=limit))
    desk.market("99.5", "100.5")
    assert desk.last(number).state == "resting"

    desk.market(*touched)
    assert not desk.fills
    desk.market(*passed, 2)

    (fill,) = desk.fills
    assert (fill.size, fill.px, fill.liquidity) == (2, D(limit), Liquidity.MAKER)
    assert fill.fee == 2 * D(limit) * D("0.00015")
    assert desk.last(number).state == "resting"


@pytest.mark.parametrize(("limit", "outcome"), [("100.5", "rejected"), ("100.4", "resting")])
def test_a_limit_that_may_only_add_is_refused_where_it_would_touch(limit: str, outcome: str) -> None:
    """At the offer it would trade; a tick below it rests."""
    desk = stand()
    number = desk.buy("1", limit_px=limit, tif=Tif.ALO)

    desk.market("99.5", "100.5")

    assert desk.last(number).state == outcome
    assert desk.last(number).reason == ("badAloPx" if outcome == "rejected" else "")


def test_a_limit_waits_for_its_first_quote_as_long_as_it_takes() -> None:
    """Only what must trade at once expires."""
    desk = stand()
    number = desk.buy("1", limit_px="99")

    desk.wait(60_000)
    desk.mark(100)
    desk.quote("99.5", "100.5")

    assert desk.last(number).state == "resting"


def test_protections_then_resting_orders_then_new_ones_meet_a_quote() -> None:
    """By number within each; what is displayed goes to them in this order."""
    desk = stand()
    desk.buy("4")
    desk.market("99.5", "100.5")
    desk.protect(OrderKind.STOP, Side.SELL, "95")
    rests = desk.sell("3", limit_px="96.5")
    desk.market("95.5", "96.4")  # it rests: the bid is below it
    desk.wait(1000)
    desk.mark(95)  # the stop fires
    new = desk.sell("3")

    desk.wait(1000)
    desk.quote(97, 98, 8)

    causes = [(fill.cause, fill.size) for fill in desk.fills[1:]]
    assert causes == [("stop", 4), ("limit", 3), ("market", 1)]
    assert (desk.outcome(rests), desk.outcome(new)) == (("filled", ""), ("cancelled", "iocCancel"))


def test_what_rests_comes_before_what_is_new_though_it_was_approved_later() -> None:
    """The feed's time was taken to be a little later when the first was sent than when the second was."""
    desk = stand()
    desk.wait(300)
    first = desk.buy("5")
    desk.mark(100, ts=desk.now - 100)
    second = desk.buy("5", limit_px="99")
    desk.quote("99.5", "100.5", ts=desk.now - 50)
    assert (desk.last(first).state, desk.last(second).state) == ("in_flight", "resting")

    desk.wait(100)
    desk.quote("98", "98.5", 6)

    assert [(fill.order, fill.size) for fill in desk.fills] == [(second, 5), (first, 1)]


def test_what_has_met_its_quote_is_not_remembered_as_waiting_for_one() -> None:
    """Limits rest for months; nothing is gone through for them at every quote."""
    desk = stand()
    desk.buy("1", limit_px="99"), desk.buy("1")
    assert len(desk.venue._market.due) == 2

    desk.market("99.5", "100.5")
    desk.market("99.5", "100.5")

    assert desk.venue._market.due == {}


def test_a_reducing_order_closes_no_more_than_is_left() -> None:
    """What another order has closed before it is not sold again."""
    desk = stand()
    desk.buy("2")
    desk.market(99, 100)
    closes, more = desk.sell("2"), desk.sell("1", reduce_only=True)

    desk.market(99, 100)

    assert desk.size() == 0
    assert desk.outcome(closes) == ("filled", "")
    assert desk.outcome(more) == ("cancelled", "reduceOnlyCanceled")


def test_a_cancelled_order_is_gone_at_once() -> None:
    """The next quote finds nothing of it."""
    desk = stand()
    number = desk.buy("1")

    desk.cancel(number)
    desk.market("99.5", "100.5")

    assert not desk.fills
    assert desk.outcome(number) == ("cancelled", "cancelled")
