"""How often, how far from the mark, with which stop, and when not: every other cap, on both sides of its edge."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers.paper.costs import Costs
from domain.caps import LOOSEST, StopGuard, tightest
from domain.journal import IntentRecorded
from domain.orders import Order, OrderKind, Side, Tif
from domain.time import HOUR_MS, iso
from engine.book import Book, guarded_until, orders_within
from tests.unit.brokers.samples import START, Row, flat, tape_of
from tests.unit.engine.samples import House, calm, caps, passes, proposal, reasons

D = Decimal


# How often.


def test_orders_per_hour_are_counted_over_the_last_hour() -> None:
    """Two in an hour: the third is refused, and goes when the first is exactly an hour old."""
    house = House(caps(max_orders_per_hour=2))
    assert passes(house.buy("1"))
    assert passes(house.buy("1"))
    assert reasons(house.buy("1")) == {"max_orders_per_hour": ("2", "3")}
    house.step()
    assert passes(house.buy("1"))


def test_orders_per_day_are_counted_over_the_last_day() -> None:
    """One at 00:00 and one at 01:00: the third is refused until 00:00 of the next day, a fourth until 01:00."""
    house = House(caps(max_orders_per_day=2))
    house.buy("1")
    house.step()
    house.buy("1")
    house.step(22)
    assert reasons(house.buy("1")) == {"max_orders_per_day": ("2", "3")}
    house.step()
    assert passes(house.buy("1"))
    assert reasons(house.buy("1")) == {"max_orders_per_day": ("2", "3")}
    house.step()
    assert passes(house.buy("1"))


def test_a_window_is_open_at_its_beginning_and_closed_at_its_end() -> None:
    """(t − w, t]: what happened exactly w ago is out, what happens now is in."""
    assert orders_within((0, 1, 100), 100, 100) == 2
    assert orders_within((0, 1, 100), 101, 100) == 1
    assert orders_within((), 100, 100) == 0


def test_orders_count_by_their_instants_and_not_in_the_order_of_the_journal() -> None:
    """A person closes something while a tick thinks, whose own orders bear the instant at which it began."""
    book = Book()
    for number, ts in enumerate((90_000, 0)):
        order = Order(number, f"0x{number}", "BTC", Side.BUY, OrderKind.MARKET, D(1), created_ts=ts)
        book.apply(IntentRecorded(ts, str(number), proposal(Side.BUY, "1"), (order,), ()))
    assert orders_within(book.order_times, HOUR_MS + 30_000, HOUR_MS) == 1


def test_what_the_venue_turned_away_was_sent_and_counts() -> None:
    """It was an order all the same."""
    house = House(caps(max_orders_per_hour=1, max_leverage=D(50)), symbols=("BTC",))
    turned_away = house.buy("4500")  # 45 ×, and BTC goes to 40
    assert set(reasons(turned_away)) == {"venue"}
    assert reasons(turned_away)["venue"] == ("an order it takes", "perpMargin")
    assert "max_orders_per_hour" in reasons(house.buy("1"))


def test_reducing_is_not_held_to_rates_and_is_counted() -> None:
    """Closing goes when no order is left; it is an order sent, so raising after it is refused."""
    house = House(caps(max_orders_per_hour=2, max_orders_per_day=2))
    house.buy("2")
    house.buy("1")
    house.step()
    for _ in range(3):
        assert passes(house.sell("0.5", reduce_only=True))
        house.step()
    assert reasons(house.buy("1")) == {"max_orders_per_day": ("2", "6")}


def test_actions_of_a_tick_are_counted_and_closing_is_always_heard() -> None:
    """The sixth action of five is refused, unless all it does is reduce."""
    house = House(caps(max_actions_per_tick=5))
    house.buy("2")
    house.step()
    buy = proposal(Side.BUY, "1")
    assert passes(house.do(buy, index=4))
    assert reasons(house.do(buy, index=5)) == {"max_actions_per_tick": ("5", "6")}
    assert passes(house.do(proposal(Side.SELL, "1", reduce_only=True), index=5))


# How far from the mark.


@pytest.mark.parametrize(
    ("side", "edge", "beyond", "would_be"),
    [
        (Side.BUY, "105", "105.1", "5.1"),
        (Side.BUY, "95", "94.9", "5.1"),
        (Side.SELL, "105", "105.1", "5.1"),
    ],
)
def test_prices_are_held_to_a_band_around_the_mark(side: Side, edge: str, beyond: str, would_be: str) -> None:
    """Five per cent away goes, a step more doesn't; on either side of the mark."""
    own = caps(price_band_pct=D(5))
    assert passes(House(own).do(proposal(side, "1", limit_px=edge)))
    assert reasons(House(own).do(proposal(side, "1", limit_px=beyond))) == {"price_band_pct": ("5", would_be)}


def test_the_band_holds_what_reduces_too() -> None:
    """A slip of the finger is one whatever the order is for."""
    house = House(caps(price_band_pct=D(5)))
    house.buy("1")
    house.step()
    assert set(reasons(house.sell("1", limit_px="94.9", reduce_only=True))) == {"price_band_pct"}
    assert passes(house.sell("1", limit_px="95", reduce_only=True))


def test_a_close_at_the_market_is_never_outside_the_band() -> None:
    """Where the band is narrower than the slippage allowed, it is the market order's bound."""
    house = House(caps(price_band_pct=D("0.1"), max_slippage_bps=D(500)))
    assert passes(house.buy("1"))
    assert house.orders[0].limit_px == D("100.1")
    house.step()
    assert passes(house.close())
    assert house.orders[0].limit_px == D("99.9")


@pytest.mark.parametrize("tif", [Tif.GTC, Tif.IOC])
def test_a_limit_that_takes_is_held_to_the_slippage(tif: Tif) -> None:
    """Half a per cent beyond the mark goes; what adds liquidity, waits or reduces is not held to it."""
    house = House(caps(max_slippage_bps=D(50)))
    assert reasons(house.buy("1", limit_px="100.6", tif=tif)) == {"max_slippage_bps": ("50", "60")}
    assert reasons(house.sell("1", limit_px="99.4", tif=tif)) == {"max_slippage_bps": ("50", "60")}
    assert passes(house.buy("1", limit_px="100.5", tif=tif))
    assert passes(house.buy("1", limit_px="90", tif=tif))
    house.step()
    assert passes(house.sell("1", limit_px="95", tif=tif, reduce_only=True))


def test_a_market_order_is_bounded_inwards() -> None:
    """50 bps above 100.03 is 100.53…, below it 99.52…: the legal prices just inside."""
    house = House(caps(max_slippage_bps=D(50)), tape_of({"BTC": calm(100.03)}))
    house.buy("1")
    house.sell("1")
    assert [order.limit_px for order in house.orders] == [D("100.5"), D("99.6")]


def test_a_value_just_beyond_a_limit_never_looks_like_the_limit() -> None:
    """What is shown is rounded up: 5.00000001 is not written as 5."""
    house = House(caps(max_leverage=D(1)), cash="100000000000")
    assert reasons(house.buy("1000000000.00001")) == {"max_leverage": ("1", "1.0001")}


# Stops.


def test_a_stop_is_demanded_of_what_raises_and_of_nothing_else() -> None:
    """No entry without its stop; closing needs none."""
    house = House(caps(require_stop=True))
    assert reasons(house.buy("2")) == {"require_stop": ("a stop", "none")}
    assert passes(house.buy("2", stop_px="95"))
    house.step()
    assert passes(house.sell("1"))
    assert passes(house.sell("1", reduce_only=True))


def test_a_demanded_stop_can_be_moved_and_not_taken_away() -> None:
    """Neither a cancel nor a new protection leaves the position without one; a take-profit may go."""
    house = House(caps(require_stop=True))
    house.buy("2", stop_px="95", take_profit_px="110")
    house.step()
    stop, profit = house.orders
    assert set(reasons(house.cancel(stop.number))) == {"require_stop"}
    assert set(reasons(house.protect(profit="120"))) == {"require_stop"}
    assert passes(house.cancel(profit.number))
    assert passes(house.protect(stop="96"))
    assert [order.trigger_px for order in house.orders] == [D(96)]


@pytest.mark.parametrize(
    ("side", "limit", "edge", "beyond"),
    [
        (Side.BUY, None, "98", "97.99"),
        (Side.SELL, None, "102", "102.01"),
        (Side.BUY, "95", "93.1", "93.09"),
        (Side.SELL, "105", "107.1", "107.11"),
    ],
)
def test_a_stop_lies_within_its_distance(side: Side, limit: str | None, edge: str, beyond: str) -> None:
    """Two per cent of the entry: of the mark for a market order, of its price for a limit."""
    house = House(caps(max_stop_distance_pct=D(2)))
    far = reasons(house.do(proposal(side, "1", limit_px=limit, stop_px=beyond)))
    assert set(far) == {"max_stop_distance_pct"}
    assert far["max_stop_distance_pct"][0] == "2"
    assert D(far["max_stop_distance_pct"][1]) > 2
    assert passes(house.do(proposal(side, "1", limit_px=limit, stop_px=edge)))


def test_a_positions_stop_lies_within_its_distance_of_the_entry() -> None:
    """Moved later, it is measured from what was paid; one that locks in a profit is never too far."""
    tape = tape_of({"BTC": [flat(100), *calm(110)]})
    house = House(caps(max_stop_distance_pct=D(2)), tape)
    house.buy("1")
    house.step(2)
    assert set(reasons(house.protect(stop="97.99"))) == {"max_stop_distance_pct"}
    assert passes(house.protect(stop="98"))
    assert passes(house.protect(stop="109"))


# Pauses.


def lost(hours: int, **own: Any) -> House:
    """A position of BTC, half of it sold at a loss at the open of this hour."""
    tape = tape_of({"BTC": [*calm(100, hours), *calm(99)], "ETH": calm(10)})
    house = House(caps(**own), tape)
    house.buy("2")
    house.step(hours)
    house.sell("1")
    house.step()
    return house


def test_after_a_loss_nothing_is_raised_until_the_cool_down_is_over() -> None:
    """Realized at 01:00, cooled down for three hours: refused at 03:00, in every symbol, and taken at 04:00."""
    house = lost(1, cooldown_after_loss_ms=3 * HOUR_MS)
    until = f"nothing before {iso(START + 4 * HOUR_MS)}"
    house.step()
    assert house.ts == START + 3 * HOUR_MS
    assert reasons(house.buy("10", "ETH")) == {"cooldown_after_loss": (until, iso(house.ts))}
    house.step()
    assert passes(house.buy("10", "ETH"))


def test_a_gain_smaller_than_its_fee_is_a_loss() -> None:
    """Realized less fees is what counts: breaking even costs the fee."""
    house = House(
        caps(cooldown_after_loss_ms=HOUR_MS * 5), costs=Costs(half_spread_bps=D(0), impact_bps_at_10pct=D(0))
    )
    house.buy("1")
    house.step()
    assert passes(house.buy("1"))
    house.step()
    house.sell("1")
    house.step()
    assert house.fills[-1].realized == 0
    assert set(reasons(house.buy("1"))) == {"cooldown_after_loss"}


def test_a_gain_cools_nothing_down_and_a_later_loss_begins_anew() -> None:
    """Only losses count, and the last of them."""
    tape = tape_of({"BTC": [flat(100), flat(110), flat(90), *calm(90)]})
    house = House(caps(cooldown_after_loss_ms=2 * HOUR_MS), tape)
    house.buy("3")
    house.step()
    house.sell("1")
    house.step()
    assert passes(house.buy("0.5"))
    house.cancel(house.orders[0].number)
    house.sell("1")
    house.step()
    house.sell("1")
    house.step()
    assert set(reasons(house.buy("1"))) == {"cooldown_after_loss"}
    house.step()
    assert house.ts == START + 5 * HOUR_MS
    assert passes(house.buy("1"))


def stopped_out(times: int, guard: StopGuard) -> House:
    """As many stops as are asked for, one every two hours, each filled at 95 inside its bar."""
    dip: Row = (100, 100, 94, 100, 1e6)
    house = House(caps(stop_guard=guard), tape_of({"BTC": [dip, flat(100)] * 30}))
    for _ in range(times):
        passes(house.buy("1", stop_px="95"))
        house.step(2)
    return house


def test_a_run_of_stops_pauses_raising() -> None:
    """Three within six hours, and five hours' pause after the third."""
    guard = StopGuard(3, 6 * HOUR_MS, 5 * HOUR_MS)
    assert passes(stopped_out(2, guard).buy("1", stop_px="95"))
    house = stopped_out(3, guard)  # at 01:00, 03:00, 05:00; it is 06:00 now
    until = f"nothing before {iso(START + 10 * HOUR_MS)}"
    house.step(3)
    assert reasons(house.buy("1")) == {"stop_guard": (until, iso(house.ts))}
    house.step()
    assert passes(house.buy("1"))


def test_stops_farther_apart_than_the_window_do_not_pause() -> None:
    """Exactly a window apart is not within it: (t − w, t]."""
    assert guarded_until((0, 50, 100), StopGuard(3, 100, 10)) is None
    assert guarded_until((0, 50, 100), StopGuard(3, 101, 10)) == 110
    assert guarded_until((0, 50, 100, 500), StopGuard(3, 101, 1000)) == 1100
    assert guarded_until((7,), StopGuard(1, 1, 10)) == 17
    assert guarded_until((), StopGuard(1, 1, 10)) is None


def test_a_stop_that_fills_in_parts_is_one_stop() -> None:
    """Two stops working on through thin bars, in turns, are two stops and not four."""
    thin = flat(90, 5.0)
    rows: list[Row | None] = [flat(100, 1e6), thin, thin, thin, *calm(90)]
    tape = tape_of({"BTC": rows, "ETH": rows})
    house = House(caps(stop_guard=StopGuard(3, 40 * HOUR_MS, 40 * HOUR_MS)), tape)
    house.buy("1", stop_px="95")
    house.buy("1", "ETH", stop_px="95")
    house.step(6)
    assert [fill.cause for fill in house.fills].count("stop") == 4
    assert len(house.engine.book.stop_times) == 2
    assert passes(house.buy("1"))


def test_reducing_is_never_refused_by_a_pause() -> None:
    """Cooling down and paused, with no orders left: what is held can still be closed."""
    house = lost(
        1,
        cooldown_after_loss_ms=9 * HOUR_MS,
        max_orders_per_hour=1,
        stop_guard=StopGuard(1, HOUR_MS, HOUR_MS),
    )
    house.engine.book.stop_times = (house.ts,)
    house.engine.book.order_times = (house.ts,)
    assert set(reasons(house.buy("1"))) == {"cooldown_after_loss", "max_orders_per_hour", "stop_guard"}
    assert passes(house.sell("0.5", reduce_only=True))
    assert passes(house.close())


# The platform's.


def test_a_platforms_caps_hold_a_skill_that_asks_for_more() -> None:
    """The engine is given the tighter of both, cap by cap."""
    platform = msgspec.structs.replace(LOOSEST, max_order_usd=D(100), require_stop=True)
    house = House(tightest(caps(max_order_usd=D(500), max_position_usd=D(150)), platform))
    assert set(reasons(house.buy("2"))) == {"max_order_usd", "max_position_usd", "require_stop"}
    assert passes(house.buy("1", stop_px="90"))
