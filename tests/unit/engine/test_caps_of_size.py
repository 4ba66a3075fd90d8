"""How much may be held: every cap on notional, on both sides of its edge."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.orders import OrderState, Side, Tif
from tests.unit.brokers.samples import flat, tape_of
from tests.unit.engine.samples import House, calm, caps, passes, reasons

D = Decimal
ROOMY: list[tuple[dict[str, Any], str, str, str, str]] = [
    # caps, what is bought at 100 and just passes, what doesn't, the cap's limit, the would-be value
    ({"max_order_usd": D(500)}, "5", "5.00001", "500", "500.001"),
    ({"max_position_usd": D(500)}, "5", "5.00001", "500", "500.001"),
    ({"max_gross_usd": D(500)}, "5", "5.00001", "500", "500.001"),
    ({"max_leverage": D("0.5")}, "50", "50.00001", "0.5", "0.5001"),
    ({"max_leverage": D("2.5")}, "250", "250.00001", "2.5", "2.5001"),
]


@pytest.mark.parametrize(("own", "most", "more", "limit", "would_be"), ROOMY)
def test_notional_may_reach_a_cap_and_not_pass_it(
    own: dict[str, Any], most: str, more: str, limit: str, would_be: str
) -> None:
    """At the cap an order goes; one lot beyond it the refusal has the limit and the value it would have had."""
    (name,) = own
    assert reasons(House(caps(**own)).buy(more)) == {name: (limit, would_be)}
    assert reasons(House(caps(**own)).sell(more)) == {name: (limit, would_be)}
    assert passes(House(caps(**own)).buy(most))


def test_a_limit_above_the_mark_counts_at_its_own_price() -> None:
    """A bid at 104 with the mark at 100 may come to cost 104."""
    own = caps(max_order_usd=D(1040))
    assert passes(House(own).buy("10", limit_px="104"))
    assert reasons(House(own).buy("10.00001", limit_px="104")) == {"max_order_usd": ("1040", "1040.00104")}


def test_a_limit_below_the_mark_counts_at_the_mark() -> None:
    """What is bid below the mark is worth the mark."""
    verdict = House(caps(max_order_usd=D(999))).buy("10", limit_px="96")
    assert reasons(verdict) == {"max_order_usd": ("999", "1000")}


def test_symbols_and_their_spelling_are_held_to_the_skill() -> None:
    """A symbol that the Skill doesn't name is refused with those that it names, though the venue has it."""
    house = House(symbols=("BTC",))
    assert reasons(house.buy("1", "ETH")) == {"symbols": ("BTC", "ETH")}
    assert reasons(house.buy("1", "btc")) == {"symbols": ("BTC", "btc")}
    assert reasons(house.sell("1", "ETH", reduce_only=True)) == {"symbols": ("BTC", "ETH")}


def test_a_symbol_that_the_venue_does_not_have_is_refused() -> None:
    """The Skill names DOGE and the tape has none."""
    assert "instrument" in reasons(House().buy("100", "DOGE"))


def test_what_is_held_may_be_closed_in_a_symbol_that_is_no_longer_the_skills() -> None:
    """The list of symbols is a cap, and no cap stands in the way of getting out."""
    house = House()
    house.buy("10", "ETH")
    house.step()
    later = House(
        tape=house.tape,
        symbols=("BTC",),
        state=house.engine.state,
        venue_state=house.venue.state,
        bars_closed=house.next,
    )
    assert reasons(later.buy("10", "ETH")) == {"symbols": ("BTC", "ETH")}
    assert passes(later.protect(stop="9", symbol="ETH"))
    assert passes(later.close("ETH"))


def test_shorting_is_refused_from_the_first_lot_below_zero() -> None:
    """Without `allow_short` the whole position may be sold, and not one lot more."""
    house = House(caps(allow_short=False))
    assert reasons(house.sell("1")) == {"allow_short": ("false", "a position of -1")}
    house.buy("2")
    house.step()
    assert reasons(house.sell("2.00001")) == {"allow_short": ("false", "a position of -0.00001")}
    assert passes(house.sell("2"))


def test_two_sales_of_one_tick_see_each_other() -> None:
    """Of a position of 2, a sale of 1.5 leaves half a coin to sell."""
    house = House(caps(allow_short=False))
    house.buy("2")
    house.step()
    assert passes(house.sell("1.5"))
    assert reasons(house.sell("0.50001")) == {"allow_short": ("false", "a position of -0.00001")}
    assert passes(house.sell("0.5"))
    house.step()
    assert house.size() == 0


def test_two_orders_of_one_tick_see_each_other() -> None:
    """Caps hold for what both orders come to, though neither has filled."""
    house = House(caps(max_position_usd=D(1000), max_gross_usd=D(1500)))
    assert passes(house.buy("6"))
    assert reasons(house.buy("4.00001")) == {"max_position_usd": ("1000", "1000.001")}
    assert passes(house.buy("4"))
    assert reasons(house.buy("50.1", "ETH")) == {"max_gross_usd": ("1500", "1501")}
    assert passes(house.buy("50", "ETH"))


def test_resting_orders_of_both_sides_count_on_their_own_side() -> None:
    """Bids and offers can't both be held: the larger side is the exposure, as in max(|p + buys|, |p − sells|)."""
    house = House(caps(max_position_usd=D(1000), max_gross_usd=D(1000)))
    assert passes(house.buy("10", limit_px="99"))
    assert passes(house.sell("9.9", limit_px="101"))
    assert "max_position_usd" in reasons(house.buy("0.2", limit_px="99"))
    assert "max_position_usd" in reasons(house.sell("0.2", limit_px="101"))
    assert "max_gross_usd" in reasons(house.buy("2", "ETH"))


def test_reduce_only_orders_never_credit() -> None:
    """An offer that reduces makes no room for buying more."""
    house = House(caps(max_position_usd=D(1000)))
    house.buy("10")
    house.step()
    assert passes(house.sell("5", limit_px="120", reduce_only=True))
    house.step()
    assert "max_position_usd" in reasons(house.buy("0.2"))


def test_a_cancelled_order_makes_room_at_once() -> None:
    """Cancels act at once, so what they free can be used in the same tick."""
    house = House(caps(max_position_usd=D(1000)))
    house.buy("10", limit_px="90")
    assert "max_position_usd" in reasons(house.buy("10", limit_px="91"))
    assert passes(house.cancel(house.orders[0].number))
    assert passes(house.buy("10", limit_px="91"))


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.RECORDED])
def test_an_order_whose_fate_is_unknown_counts_in_full_and_blocks_raising(state: OrderState) -> None:
    """Nothing raises its symbol; elsewhere it takes its room; and what is held can still be closed."""
    house = House(caps(max_gross_usd=D(1500)))
    house.buy("5")
    house.step()
    house.buy("5", limit_px="90")
    book = house.engine.book
    book.orders = {n: msgspec.structs.replace(o, state=state) for n, o in book.orders.items()}
    assert set(reasons(house.buy("0.2"))) == {"unresolved"}
    assert reasons(house.buy("50.1", "ETH")) == {"max_gross_usd": ("1500", "1501")}
    assert passes(house.buy("50", "ETH"))
    assert passes(house.close())


def test_a_lost_close_does_not_keep_anybody_from_closing() -> None:
    """The venue closes no more than there is, so a second close is safe."""
    house = House()
    house.buy("5")
    house.step()
    assert passes(house.close())
    assert "position" in reasons(house.close())
    book = house.engine.book
    book.orders = {n: msgspec.structs.replace(o, state=OrderState.UNKNOWN) for n, o in book.orders.items()}
    assert passes(house.close())


# Orders through zero.


def long_ten(**own: Any) -> House:
    """Ten held at 100."""
    house = House(caps(**own))
    house.buy("10")
    house.step()
    return house


@pytest.mark.parametrize("name", ["max_order_usd", "max_position_usd", "max_gross_usd"])
def test_an_order_through_zero_is_judged_on_what_it_opens_and_refused_whole(name: str) -> None:
    """Of a sale of 20, ten close and ten open: 1,000 USD; one lot more is refused, all of it."""
    house = long_ten(**{name: D(1000)})
    assert reasons(house.sell("20.00001")) == {name: ("1000", "1000.001")}
    house.step()
    assert house.size() == 10
    assert passes(house.sell("20"))
    house.step()
    assert house.size() == -10


def test_an_order_through_zero_can_not_hide_behind_a_position_that_has_grown() -> None:
    """The position grew past the cap with its price; turning it round into one past the cap is refused."""
    tape = tape_of({"BTC": [flat(100), *calm(150)]})
    house = House(caps(max_position_usd=D(1200)), tape)
    house.buy("10")
    house.step(2)
    assert reasons(house.sell("19")) == {"max_position_usd": ("1200", "1350")}
    assert passes(house.sell("18"))


def test_an_order_that_only_closes_passes_every_cap_on_size() -> None:
    """It raises nothing, though it was not sent reduce-only."""
    tape = tape_of({"BTC": [flat(100), *calm(400)]})
    house = House(caps(max_position_usd=D(1200), max_gross_usd=D(1200), max_order_usd=D(1200)), tape)
    house.buy("10")
    house.step(2)
    assert passes(house.sell("10"))


def test_an_order_that_only_closes_opens_nothing_when_the_position_is_gone_before_it() -> None:
    """The stop takes the position away; the offer that was to close it goes with it, and there is no short."""
    rows = [flat(100), (100, 100, 80, 85, 1e6), (85, 130, 85, 130, 1e6), *calm(130)]
    house = House(caps(allow_short=False), tape_of({"BTC": rows}))
    house.buy("10", stop_px="90")
    house.step()
    assert passes(house.sell("10", limit_px="120"))
    house.step(3)
    assert [fill.cause for fill in house.fills] == ["market", "stop"]
    assert (house.size(), house.orders) == (0, [])


def test_what_a_stop_would_close_first_is_not_credited_to_an_order_through_zero() -> None:
    """Should the stop fill first, all of the sale opens: with a stop in hand it is judged on all of it."""
    house = long_ten(max_position_usd=D(1500))
    assert passes(house.protect(stop="80"))
    assert reasons(house.sell("20", limit_px="101"))["max_position_usd"] == ("1500", "2020")
    assert passes(house.cancel(house.orders[0].number))
    assert passes(house.sell("20", limit_px="101"))


@pytest.mark.parametrize(
    ("how", "cap"), [("close", "2019.99"), ("protect", "2019.99"), ("reduce", "1110.99"), ("close", "2020")]
)
def test_what_reduces_withdraws_an_order_through_zero_that_it_would_leave_to_pass_a_cap(
    how: str, cap: str
) -> None:
    """Long ten, an offer of 20 at 101 opens 10. With ten or one of them closed first it opens 20 or 11."""
    house = long_ten(max_position_usd=D(cap))
    assert passes(house.sell("20", limit_px="101"))
    (offer,) = house.orders
    if how == "close":
        assert passes(house.close())
    elif how == "reduce":
        assert passes(house.sell("1", reduce_only=True))
    else:
        assert passes(house.protect(stop="80"))
    assert (offer.number in house.engine.book.orders) is (cap == "2020")


def test_a_close_and_a_sale_of_one_tick_close_once() -> None:
    """What the close takes is not there for the sale, which opens all of its size."""
    house = long_ten(allow_short=False)
    assert passes(house.close())
    assert reasons(house.sell("10")) == {"allow_short": ("false", "a position of -10")}


def test_leverage_is_of_the_equity_at_this_moment() -> None:
    """After a loss of half the equity, half the position is what the cap allows."""
    tape = tape_of({"BTC": [flat(100), *calm(50)], "ETH": calm(10)})
    house = House(caps(max_leverage=D(1)), tape)
    house.buy("100")
    house.step(2)
    assert house.engine.equity == 5000
    assert reasons(house.buy("1", "ETH")) == {"max_leverage": ("1", "1.002")}
    assert passes(house.sell("2"))
    house.step()
    assert passes(house.buy("10", "ETH"))


def test_without_equity_nothing_is_raised() -> None:
    """There is no leverage of nothing; the refusal says so instead of dividing by it."""
    house = House(cash="0")
    assert reasons(house.buy("1")) == {"max_leverage": ("10", "no equity")}


@pytest.mark.parametrize(("cap", "venue"), [("0.5", 1), ("1", 1), ("2.5", 3), ("3", 3), ("50", 40)])
def test_the_venues_leverage_is_the_cap_rounded_up_within_what_the_venue_has(cap: str, venue: int) -> None:
    """BTC goes to 40; a cap below one is margined whole."""
    house = House(caps(max_leverage=D(cap)))
    passes(house.buy("1"))
    assert house.venue.state.leverage == {"BTC": venue}


def test_what_can_not_be_valued_raises_nothing_elsewhere() -> None:
    """With a position in a symbol that has no fresh price, gross is unknown: buying another is refused."""
    tape = tape_of({"BTC": calm(), "ETH": [flat(10), None, *calm(10)]})
    house = House(tape=tape)
    house.buy("100", "ETH")
    house.step()
    assert passes(house.buy("1"))
    house.step()
    assert set(reasons(house.buy("1"))) == {"fresh_price"}
    assert passes(house.sell("1"))
    house.step()
    assert passes(house.buy("1"))


def test_positions_are_counted_with_those_that_orders_could_open() -> None:
    """With room for one symbol, a resting bid takes it; adding to it goes, a second symbol doesn't."""
    house = House(caps(max_open_positions=1))
    assert passes(house.buy("1", limit_px="90"))
    assert reasons(house.buy("10", "ETH")) == {"max_open_positions": ("1", "2")}
    assert passes(house.buy("1"))
    house.step()
    assert reasons(house.buy("10", "ETH")) == {"max_open_positions": ("1", "2")}
    house.cancel(house.orders[0].number)
    house.close()
    house.step()
    assert passes(house.buy("10", "ETH"))


def test_every_reason_is_given_at_once() -> None:
    """Somebody who is refused learns all that is wrong."""
    own = caps(
        max_order_usd=D(50),
        max_position_usd=D(60),
        max_gross_usd=D(70),
        max_leverage=D("0.001"),
        require_stop=True,
        allow_short=False,
    )
    assert set(reasons(House(own).sell("1"))) == {
        "max_order_usd",
        "max_position_usd",
        "max_gross_usd",
        "max_leverage",
        "require_stop",
        "allow_short",
    }


def test_refused_is_not_sent() -> None:
    """The venue hears nothing of what is refused; the journal does."""
    house = House(caps(max_order_usd=D(50)))
    assert not house.buy("1").approved
    house.step()
    assert (house.fills, house.orders) == ([], [])
    assert house.intents == []
    assert len(house.entries) == 1


@pytest.mark.parametrize("tif", [Tif.GTC, Tif.ALO, Tif.IOC])
@pytest.mark.parametrize("side", list(Side))
def test_a_limit_is_counted_until_it_is_gone(side: Side, tif: Tif) -> None:
    """In flight it takes its room, whatever its life will be."""
    own = caps(max_position_usd=D(1000))
    house = House(own)
    limit = "100.5" if (side is Side.SELL) is (tif is Tif.ALO) else "99.5"
    act = house.buy if side is Side.BUY else house.sell
    assert passes(act("9", limit_px=limit, tif=tif))
    assert "max_position_usd" in reasons(act("2"))
