"""Stops and take-profits on live quotes: they fire on the mark and fill on a quote (docs/trading-rules.md §2.6)."""

from decimal import Decimal

import pytest

from domain.orders import OrderKind, Side
from tests.unit.brokers.live_samples import Stand

D = Decimal


def holding(size: str = "4", *, side: Side = Side.BUY, **more: object) -> Stand:
    """An account that got `size` at 100, a second ago."""
    desk = Stand(**{"cash": "10000", **more})  # type: ignore[arg-type]
    desk.market(100, 100)
    desk.place(desk.order(side, size))
    desk.market(100, 100)
    assert abs(desk.size()) == D(size)
    return desk


@pytest.mark.parametrize(
    ("held", "kind", "trigger", "calm", "reached"),
    [
        (Side.BUY, OrderKind.STOP, "95", "95.01", "95"),
        (Side.BUY, OrderKind.TAKE_PROFIT, "105", "104.99", "105"),
        (Side.SELL, OrderKind.STOP, "105", "104.99", "105"),
        (Side.SELL, OrderKind.TAKE_PROFIT, "95", "95.01", "95"),
    ],
)
def test_a_protection_fires_on_the_mark_and_fills_on_the_next_quote(
    held: Side, kind: OrderKind, trigger: str, calm: str, reached: str
) -> None:
    """Quotes beyond the level do nothing by themselves, nor does a mark short of it."""
    desk = holding(side=held)
    number = desk.protect(kind, held.opposite, trigger)

    desk.wait(1000)
    desk.mark(calm)
    desk.quote(90, 110)
    assert len(desk.fills) == 1
    desk.wait(1000)
    desk.mark(reached)
    assert desk.venue.state.orders[number].triggered
    desk.wait(10)
    desk.quote(94, 106)

    fill = desk.fills[-1]
    assert (fill.cause, fill.size) == (kind.value, 4)
    assert fill.px == (94 if held is Side.BUY else 106)
    assert desk.size() == 0


def test_it_fills_at_once_on_a_quote_that_is_as_new_as_the_mark() -> None:
    """The quote of that very instant came first; the mark fires, and that quote is there to be taken."""
    desk = holding()
    desk.protect(OrderKind.STOP, Side.SELL, "95")

    desk.wait(1000)
    desk.quote(94, 95)
    desk.mark("94.5")

    assert (desk.fills[-1].px, desk.size()) == (94, 0)


def test_it_does_not_fill_on_a_quote_that_is_older_than_the_mark_that_fired_it() -> None:
    """A fall shows in the mark first: the bid of a moment ago is not there any more, also when it comes late."""
    desk = holding()
    desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.wait(100)
    desk.quote(99, 100)
    desk.wait(100)
    desk.mark(94)
    assert desk.size() == 4

    desk.quote(98, 99, ts=desk.now - 1)
    assert desk.size() == 4
    desk.wait(50)
    desk.quote(93, 94)

    assert (desk.fills[-1].px, desk.size()) == (93, 0)


def test_a_quote_far_from_the_mark_that_fires_fills_nothing() -> None:
    """It was near the mark before; a third above the new one it is no price for anybody."""
    desk = holding(leverage=1)
    desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.wait(1000)
    desk.quote(100, 100)

    desk.mark(75)
    assert desk.size() == 4
    desk.wait(1)
    desk.quote(74, 75)

    assert desk.fills[-1].px == 74


def test_a_gap_is_filled_at_the_quote_and_not_at_the_level() -> None:
    """The mark jumps from 100 to 80; nobody pays 95."""
    desk = holding()
    desk.protect(OrderKind.STOP, Side.SELL, "95")

    desk.market(79, 81)

    assert desk.fills[-1].px == 79


def test_what_is_not_displayed_is_worked_on_at_the_next_quotes() -> None:
    """Four are to be sold: three quotes show two, one and five."""
    desk = holding()
    number = desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.wait(1000)
    desk.mark(94)
    for bid, size in ((93, 2), (96, 1), (92, 5)):
        desk.wait(1000)
        desk.mark(bid)
        desk.quote(bid, bid + 1, size)

    assert [(fill.px, fill.size) for fill in desk.fills[1:]] == [(93, 2), (96, 1), (92, 1)]
    assert desk.outcome(number) == ("filled", "")


def test_the_first_that_fires_cancels_the_other() -> None:
    """Stop and take-profit of one position: what is left is one order."""
    desk = holding()
    stop = desk.protect(OrderKind.STOP, Side.SELL, "95")
    profit = desk.protect(OrderKind.TAKE_PROFIT, Side.SELL, "105")

    desk.wait(1000)
    desk.mark(106)
    assert desk.outcome(stop) == ("cancelled", "siblingFilledCanceled")
    desk.wait(1)
    desk.quote(106, 107)

    assert desk.outcome(profit) == ("filled", "")


def test_protections_that_an_entry_brings_live_from_its_first_fill() -> None:
    """They come in with the fill, cover what is held however much fills later, and go with the position."""
    desk = Stand(cash="10000")
    desk.market(100, 100)
    desk.buy("4", limit_px="101", stop_px="95", take_profit_px="110")
    desk.wait(1000)
    desk.quote(99, 100, 1)
    assert {o.kind.value for o in desk.venue.state.orders.values()} == {"limit", "stop", "take_profit"}

    desk.market("99.5", "100.5")  # through its limit: the rest
    desk.market(110, 111)

    assert [(fill.cause, fill.size) for fill in desk.fills] == [
        ("limit", 1),
        ("limit", 3),
        ("take_profit", 4),
    ]
    assert not desk.venue.state.orders


def test_protections_shrink_with_the_position_and_go_when_it_is_flat() -> None:
    """Half is sold by hand: the stop sells the other half."""
    desk = holding()
    stop = desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.sell("3")
    desk.market(100, 100)

    desk.market(94, 94)

    assert (desk.fills[-1].size, desk.size()) == (1, 0)
    assert desk.outcome(stop) == ("filled", "")

    desk = holding()
    stop = desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.sell("4")
    desk.market(100, 100)
    assert desk.outcome(stop) == ("cancelled", "reduceOnlyCanceled")


def test_one_that_is_placed_beyond_its_level_fires_with_the_next_mark() -> None:
    """The mark is at 100 already when a stop at 101 is placed for a long."""
    desk = holding()
    desk.protect(OrderKind.STOP, Side.SELL, "101")
    assert desk.size() == 4

    desk.market(100, 100)

    assert desk.fills[-1].px == 100


def test_a_second_of_its_kind_takes_the_place_of_the_first() -> None:
    """There is one stop: the last that was placed."""
    desk = holding()
    first = desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.protect(OrderKind.STOP, Side.SELL, "90")

    desk.market(94, 94)
    assert desk.outcome(first) == ("cancelled", "replaced")
    assert desk.size() == 4
    desk.market(90, 90)

    assert desk.size() == 0
