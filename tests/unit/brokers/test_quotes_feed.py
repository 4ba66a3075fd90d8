"""What a live feed may tell, when it is fresh, and what is left aside (docs/trading-rules.md §2, "On live quotes")."""

from decimal import Decimal

import msgspec
import pytest

from brokers.paper.live import Unfit
from brokers.paper.venue import VenueState
from domain.feeds import Quote
from domain.orders import OrderKind, Side
from domain.time import DAY_MS, HOUR_MS
from tests.unit.brokers.live_samples import START, HandTime, Stand

D = Decimal


def waiting() -> Stand:
    """An account with a market order, a bid and a stop, all of which any sound quote or mark below 95 would fill."""
    desk = Stand(cash="100000")
    desk.market(100, 100)
    desk.buy("1")
    desk.market(100, 100)
    desk.buy("1", limit_px="99")
    desk.market(100, 100)
    desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.buy("1")
    desk.wait(1000)
    return desk


def kept(state: VenueState) -> VenueState:
    """The state as the next process reads it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=VenueState)


# Quotes and marks that are left aside.


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        (("98", "1", "97", "1"), Unfit.CROSSED),
        (("0", "1", "98", "1"), Unfit.NO_NUMBER),
        (("-97", "1", "98", "1"), Unfit.NO_NUMBER),
        (("97", "1", "0", "1"), Unfit.NO_NUMBER),
        (("NaN", "1", "98", "1"), Unfit.NO_NUMBER),
        (("97", "1", "sNaN", "1"), Unfit.NO_NUMBER),
        (("97", "1", "Infinity", "1"), Unfit.NO_NUMBER),
        (("97", "0", "98", "1"), Unfit.NO_NUMBER),
        (("97", "1", "98", "-1"), Unfit.NO_NUMBER),
        (("97", "1", "98", "NaN"), Unfit.NO_NUMBER),
        (("97", "1", "98", "1e13"), Unfit.NO_NUMBER),
        (("97", "1", "1e13", "1"), Unfit.NO_NUMBER),
        (("1e-7", "1", "98", "1"), Unfit.NO_NUMBER),
        (("79.9", "1", "80", "1"), Unfit.FAR),
        (("97", "1", "120.1", "1"), Unfit.FAR),
    ],
)
def test_a_quote_that_can_t_be_is_counted_and_fills_nothing(
    prices: tuple[str, str, str, str], why: Unfit
) -> None:
    """Crossed, no number, nothing displayed, or more than a fifth from the mark."""
    desk = waiting()
    before = desk.venue.state.orders.copy()

    happened = desk.tell(Quote(desk.now, "BTC", *map(Decimal, prices)))

    assert happened == []
    assert desk.venue.unfit == {why: 1}
    assert desk.venue.state.orders == before
    desk.mark(100)
    desk.quote(97, 98)  # of the same instant: the one before was never heard
    assert len(desk.fills) == 3


@pytest.mark.parametrize(("later_ms", "why"), [(0, Unfit.TWICE), (-1, Unfit.LATE), (-60_000, Unfit.LATE)])
def test_a_quote_or_mark_that_is_no_newer_than_the_one_before_it_is_left_aside(
    later_ms: int, why: Unfit
) -> None:
    """Told twice, after a reconnection say, or out of order: what it displays is not there a second time."""
    desk = Stand(cash="100000")
    desk.market(100, 100)
    told = desk.now
    desk.buy("1", created_ts=0)
    desk.market(100, 101, 1)

    happened = desk.quote(90, 91, ts=told + 1000 + later_ms)
    happened += desk.mark(90, ts=told + 1000 + later_ms)

    assert happened == []
    assert desk.venue.unfit == {why: 2}
    assert desk.venue.mark("BTC") == D("100.5")


@pytest.mark.parametrize("px", ["0", "-5", "NaN", "-Infinity", "1e13", "1e-7"])
def test_a_mark_that_is_no_price_moves_nothing(px: str) -> None:
    """No stop fires, nobody is liquidated, and the mark before it stands."""
    desk = waiting()

    desk.mark(px)

    assert desk.venue.unfit == {Unfit.NO_NUMBER: 1}
    assert desk.venue.mark("BTC") == 100
    assert desk.size() == 1


@pytest.mark.parametrize(("px", "taken"), [("49.9", False), ("50", True), ("200", True), ("200.1", False)])
def test_a_mark_that_leaps_is_left_aside_while_the_one_before_it_is_fresh(px: str, taken: bool) -> None:
    """By more than a factor of two within 15 s: a slip of the feed. If it is none, it is believed after that."""
    desk = Stand()
    desk.market(100, 100)
    desk.wait(3000)

    desk.mark(px)

    assert (desk.venue.mark("BTC") == D(px)) is taken
    desk.wait(12_001)
    desk.mark(px)
    assert desk.venue.mark("BTC") == D(px)


def test_a_symbol_that_the_venue_does_not_have_is_left_aside_and_not_remembered() -> None:
    """Whatever a feed tells of: the state holds the venue's own symbols."""
    desk = Stand()

    desk.mark(100, symbol="SOL"), desk.quote(99, 101, symbol="SOL"), desk.fund("0.001", 100, symbol="SOL")

    assert desk.venue.unfit == {Unfit.UNKNOWN: 3}
    assert (desk.venue._market.marks, desk.venue._market.quotes) == ({}, {})


@pytest.mark.parametrize(("ahead_ms", "taken"), [(60_000, True), (60_001, False), (1000 * START, False)])
def test_an_instant_far_ahead_of_the_feed_s_time_is_a_slip(ahead_ms: int, taken: bool) -> None:
    """Taken seriously, it would make everything else look old, and every later quote of its symbol late."""
    desk = Stand()
    desk.market(100, 100)

    desk.mark(101, ts=desk.now + ahead_ms)
    assert (Unfit.AHEAD not in desk.venue.unfit) is taken
    desk.wait(61_000)
    desk.mark(102)

    assert desk.venue.mark("BTC") == 102


def test_a_machine_that_slept_takes_up_the_feed_s_time_again() -> None:
    """Its clock of seconds stood still: for 15 s all that comes is taken for a slip, and then believed."""
    desk = Stand()
    desk.market(100, 100)
    desk.buy("1", stop_px="90")
    desk.market(100, 100)
    desk.time.instant_ms += 8 * HOUR_MS

    for _ in range(15):
        desk.market(80, 80)
    assert desk.size() == 1
    desk.market(80, 80)

    assert desk.venue.mark("BTC") == 80
    assert desk.size() == 0


@pytest.mark.parametrize("symbol", ["BTC", "ETH"])
def test_a_restart_after_the_clock_was_set_back_trades_on(symbol: str) -> None:
    """What was kept lies hours ahead of the wall and of what is told now: it makes nothing late, and is not fresh."""
    desk = Stand()
    desk.market(100, 100)
    desk.buy("1", stop_px="90")
    desk.market(100, 100)
    after = Stand(state=kept(desk.venue.state))
    after.time.instant_ms = desk.now - 5 * HOUR_MS

    after.market(80, 80, symbol=symbol)
    assert (after.venue.mark("BTC") is None) is (symbol == "ETH")
    after.market(80, 80)

    assert after.size() == 0


def test_an_old_word_sets_no_feed_s_time_back() -> None:
    """A feed that begins with what it last had, after a short restart, does not make that fresh."""
    desk = Stand()
    desk.market(100, 100)
    after = Stand(state=kept(desk.venue.state))
    after.time.instant_ms = desk.now

    after.mark(90, symbol="ETH", ts=desk.now - 20_000)

    assert after.venue.mark("ETH") is None


def test_the_very_first_instant_may_be_a_day_from_the_wall_s() -> None:
    """There is nothing else to hold it against, and a wall's clock may be wrong."""
    desk = Stand()

    desk.mark(100, ts=desk.now + DAY_MS + 1)
    assert desk.venue.mark("BTC") is None
    desk.mark(100, ts=desk.now + DAY_MS)

    assert desk.venue.mark("BTC") == 100


# Freshness.


def test_a_mark_is_fresh_for_fifteen_seconds_and_the_books_go_on_with_it_after_that() -> None:
    """Nothing was told since: time passes all the same."""
    desk = Stand()
    assert desk.venue.mark("BTC") is None
    desk.mark("100.5")

    desk.wait(15_000)
    assert desk.venue.mark("BTC") == D("100.5")
    desk.wait(1)
    assert desk.venue.mark("BTC") is None


def test_a_mark_s_age_is_measured_by_what_the_feed_tells_of_other_symbols() -> None:
    """One symbol has fallen silent while another goes on."""
    desk = Stand()
    desk.mark(100)
    for _ in range(16):
        desk.wait(1000)
        desk.mark(10, symbol="ETH")

    assert (desk.venue.mark("BTC"), desk.venue.mark("ETH")) == (None, 10)


@pytest.mark.parametrize(("behind_ms", "counts"), [(15_000, True), (15_001, False)])
def test_what_comes_long_after_its_instant_fills_and_fires_nothing(behind_ms: int, counts: bool) -> None:
    """A symbol whose quotes and marks hang behind those of the others: what they show is over."""
    desk = Stand(cash="100000")
    desk.market(100, 100)
    desk.buy("2")
    desk.market(100, 100)
    desk.buy("1", limit_px="99")
    desk.market(100, 100)
    desk.protect(OrderKind.STOP, Side.SELL, "95")
    desk.wait(20_000)
    newest = desk.now
    desk.mark(10, symbol="ETH")

    desk.mark(95, ts=newest - behind_ms)
    desk.quote(94, 95, ts=newest - behind_ms)

    assert len(desk.fills) == (3 if counts else 1)


def test_what_comes_a_little_late_bears_the_feed_s_newest_instant() -> None:
    """A quote of 100 ms before the newest mark, heard 300 ms after that: the venue's time never goes back."""
    desk = Stand(cash="100000")
    desk.market(100, 100)
    desk.buy("1", symbol="BTC")
    desk.wait(1000)
    newest = desk.now
    desk.mark(10, symbol="ETH")
    desk.wait(300)

    desk.quote(100, 100, ts=newest - 100)

    assert desk.fills[0].ts == newest


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS, 300 * DAY_MS])
def test_a_wall_clock_that_jumps_makes_nothing_stale_or_fresh_or_due(jump_ms: int) -> None:
    """Orders fill as before, at the feed's time, and what is old is old."""
    desk = Stand(cash="100000")
    desk.market(100, 100)
    told = desk.now
    desk.time.instant_ms += jump_ms
    assert desk.venue.mark("BTC") == 100
    number = desk.buy("1", created_ts=desk.now)

    desk.wait(500)
    desk.mark(100, ts=told + 500)
    desk.quote(100, 100, ts=told + 500)
    assert desk.outcome(number) == ("filled", "")
    assert desk.fills[0].ts == told + 500

    desk.wait(15_001)
    assert desk.venue.mark("BTC") is None


def test_a_feed_whose_clock_is_hours_from_ours_is_traded_on_all_the_same() -> None:
    """Its instants are compared with each other."""
    desk = Stand(cash="100000")
    feed = HandTime(START - 7 * HOUR_MS)
    desk.mark(100, ts=feed.now_ms())
    number = desk.buy("1")
    for time in (desk.time, feed):
        time.pass_ms(1000)

    desk.quote(100, 101, ts=feed.now_ms())

    assert desk.outcome(number) == ("filled", "")


def test_what_the_venue_tells_bears_the_feed_s_time() -> None:
    """A fill that of its quote; what is asked of it, the feed's time as it passes."""
    desk = Stand(cash="100000")
    desk.market(100, 100)
    desk.wait(300)
    number = desk.buy("1", limit_px="90")
    desk.wait(300)
    desk.cancel(number)

    stamps = [event.ts - START for event in desk.events]
    assert stamps == [1300, 1600]


def test_a_mark_of_any_number_of_digits_is_kept_to_what_the_books_carry_exactly() -> None:
    """Six decimals; below a dollar, six places after the leading digit."""
    desk = Stand()
    desk.mark("60000.12345678901234567890123456789"), desk.mark("0.00012345678999", symbol="DOGE")

    assert desk.venue.mark("BTC") == D("60000.123457")
    assert desk.venue.mark("DOGE") == D("0.0001234568")
