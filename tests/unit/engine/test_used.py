"""How much of its caps an account uses, as a further order would be held against it."""

from decimal import Decimal

from domain.caps import StopGuard
from domain.time import HOUR_MS
from tests.unit.brokers.samples import START, flat, tape_of
from tests.unit.engine.samples import House, caps

D = Decimal


def test_an_untouched_account_uses_nothing() -> None:
    """All is zero, and nothing is paused."""
    used = House(caps()).engine.used(START)
    assert (used.gross_usd, used.position_usd, used.leverage, used.open_positions) == (0, 0, 0, 0)
    assert (used.orders_per_hour, used.orders_per_day, used.paused_until) == (0, 0, None)
    assert (used.daily_loss_pct, used.drawdown_pct) == (0, 0)


def test_positions_and_orders_in_hand_count_together() -> None:
    """As the exposure that they could come to: two symbols, one held, one about to be."""
    house = House(caps())
    house.buy("10")
    house.step()
    house.buy("5", limit_px=D(90))
    house.buy("20", "ETH", limit_px=D(9))
    used = house.engine.used(house.ts)
    assert used.gross_usd == D(1500) + D(200)
    assert used.position_usd == D(1500)
    assert used.leverage == D(1700) / house.venue.equity()
    assert (used.open_positions, used.orders_per_day) == (2, 3)


def test_what_is_used_is_what_a_refusal_counts_from() -> None:
    """The value that a refused order would have had is what is used and the order's own."""
    house = House(caps(max_gross_usd=D(2000)))
    house.buy("15")
    house.step()
    used = house.engine.used(house.ts)
    (reason,) = house.buy("6").refusals
    assert used.gross_usd is not None
    assert D(reason.would_be) == used.gross_usd + 6 * D(100)


def test_losses_are_in_percent_of_the_day_and_of_the_peak() -> None:
    """Counted as the halt counts them."""
    house = House(caps(), tape_of({"BTC": [flat(100), flat(90), flat(90)]}), symbols=("BTC",))
    house.buy("10")
    house.step(2)
    used = house.engine.used(house.ts)
    assert used.daily_loss_pct == used.drawdown_pct
    assert used.daily_loss_pct == (D(10_000) - house.venue.equity()) / 100


def test_a_pause_ends_when_the_last_of_its_causes_does() -> None:
    """A cool-down after a loss, until it is over."""
    guard = StopGuard(1, HOUR_MS, 2 * HOUR_MS)
    tape = tape_of({"BTC": [flat(100), flat(90), *[flat(90)] * 9]})
    house = House(caps(cooldown_after_loss_ms=5 * HOUR_MS, stop_guard=guard), tape, symbols=("BTC",))
    house.buy("1")
    house.step()
    house.close()
    house.step()
    lost = house.fills[-1].ts
    assert house.engine.used(house.ts).paused_until == lost + 5 * HOUR_MS
    house.step(5)
    assert house.engine.used(house.ts).paused_until is None
