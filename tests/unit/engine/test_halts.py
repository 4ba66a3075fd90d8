"""Losses that reach a cap: the latch, the way to flat, and how it ends."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.journal import DayOpened, HaltCause, HaltChanged, HaltPhase
from domain.orders import OrderKind
from engine.engine import EngineState
from engine.flatten import WIDEST_BPS, band_bps
from engine.watch import NEXT, HaltEvent, IllegalHalt, Watch, after
from tests.unit.brokers.samples import START, Row, at_once, flat, tape_of
from tests.unit.engine.samples import House, calm, caps, passes, reasons

D = Decimal
DAY = 24


def house_of(rows: list[Row | None], **own: Any) -> House:
    """100 BTC's worth of room: 10,000 USD of cash, at 100 a coin."""
    return House(caps(**own), tape_of({"BTC": rows, "ETH": calm(10.0, len(rows))}))


def again(house: House) -> House:
    """Another process: what it has is what a checkpoint holds."""
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(house.engine.state), type=EngineState)
    venue = msgspec.msgpack.decode(msgspec.msgpack.encode(house.venue.state), type=type(house.venue.state))
    return House(house.caps, house.tape, state=state, venue_state=venue, bars_closed=house.next)


# The table.


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(HaltPhase, HaltEvent)))
def test_a_halt_moves_as_its_table_says(phase: HaltPhase, event: HaltEvent) -> None:
    """Three steps, in a ring; each other one is an error that names both."""
    ring = {
        (HaltPhase.ACTIVE, HaltEvent.BREACHED): HaltPhase.FLATTENING,
        (HaltPhase.FLATTENING, HaltEvent.FLAT): HaltPhase.HALTED,
        (HaltPhase.HALTED, HaltEvent.LIFTED): HaltPhase.ACTIVE,
    }
    if (phase, event) in ring:
        assert after(phase, event) is ring[phase, event] is NEXT[phase][event]
    else:
        with pytest.raises(IllegalHalt, match=f"{phase}.*{event.value}"):
            after(phase, event)


@pytest.mark.parametrize("is_flattening", [False, True])
def test_a_reset_that_is_not_due_changes_nothing(*, is_flattening: bool) -> None:
    """An account that isn't halted, or not flat yet, can't be lifted: state and journal stay as they were."""
    house = house_of([flat(100), (100, 100, 80, 80, 0.0), *calm(80, volume=0.0)], daily_loss_pct=D(10))
    if is_flattening:
        house.buy("100")
        house.step(3)
    before, entries = msgspec.json.encode(house.engine.state), house.journal.count
    with pytest.raises(IllegalHalt, match="can't be lifted"):
        at_once(house.engine.reset_halt(house.ts))
    assert (msgspec.json.encode(house.engine.state), house.journal.count) == (before, entries)


# The level.


@pytest.mark.parametrize(("name", "cause"), [("daily_loss_pct", "daily"), ("max_drawdown_pct", "drawdown")])
@pytest.mark.parametrize(("low", "is_halted"), [(90.1, False), (90.0, True), (60.0, True)])
def test_a_loss_that_reaches_its_cap_halts(name: str, cause: str, low: float, *, is_halted: bool) -> None:
    """Ten per cent of 10,000 with 100 coins at 100: at 90 and not above, inside the bar, open profit counted."""
    house = house_of([flat(100), (100, 100, low, 95, 1e6), *calm(95)], **{name: D(10)})
    house.buy("100")
    house.step(2)
    assert house.engine.is_halted is is_halted
    if is_halted:
        (latch,) = [each for each in house.entries if isinstance(each, HaltChanged)]
        assert latch.phase is HaltPhase.FLATTENING
        assert (latch.equity, latch.level) == (9000, 9000)
        assert cause in latch.cause
        house.step()
        assert (house.phases, house.size(), house.orders) == (["flattening", "halted"], 0, [])


def test_a_gap_through_the_level_halts_at_the_open() -> None:
    """The close is sent at once and fills at that very open."""
    house = house_of([flat(100), flat(80), *calm(80)], daily_loss_pct=D(10))
    house.buy("100")
    house.step(2)
    assert house.phases == ["flattening", "halted"]
    assert [fill.px for fill in house.fills] == [100, 80]
    assert house.engine.equity == 8000


def test_funding_is_a_loss_too() -> None:
    """What is paid at the close of a bar is judged at that close."""
    tape = tape_of({"BTC": calm()}, rates={"BTC": {2: 0.1}})
    house = House(caps(daily_loss_pct=D(10)), tape)
    house.buy("100")
    house.step()
    assert not house.engine.is_halted
    house.step()
    assert house.engine.is_halted


def test_a_drawdown_is_counted_from_the_peak() -> None:
    """From 12,000 the level of ten per cent is 10,800; the day's loss is counted from 10,000."""
    rows: list[Row | None] = [flat(100), flat(120), (120, 120, 107, 110, 1e6), *calm(110)]
    house = house_of(rows, max_drawdown_pct=D(10), daily_loss_pct=D(10))
    house.buy("100")
    house.step(2)
    assert house.engine.state.watch.peak == 12_000
    house.step()
    assert house.engine.state.watch.cause is HaltCause.DRAWDOWN
    halted = next(each for each in house.entries if isinstance(each, HaltChanged))
    assert halted.level == 10_800


def test_the_peak_is_of_equity_points_alone() -> None:
    """A high inside a bar is no equity point."""
    house = house_of([flat(100), (100, 150, 100, 105, 1e6), *calm(105)], max_drawdown_pct=D(10))
    house.buy("100")
    house.step(2)
    assert house.engine.state.watch.peak == 10_500


def test_a_loss_below_both_levels_is_a_drawdown() -> None:
    """It is the one that does not end with the day."""
    house = house_of([flat(100), flat(50), *calm(50)], max_drawdown_pct=D(10), daily_loss_pct=D(10))
    house.buy("100")
    house.step(2)
    assert house.engine.state.watch.cause is HaltCause.DRAWDOWN


def test_watches_levels() -> None:
    """The higher of the two is watched, none while halted, none below zero."""
    watch = Watch.start(D(1000), START)
    watch.peak = D(2000)
    both = caps(daily_loss_pct=D(10), max_drawdown_pct=D(50))
    assert watch.level(both) == 1000
    assert watch.breach(both, D(1000)) == (HaltCause.DRAWDOWN, D(1000))
    assert watch.breach(both, D("1000.000001")) is None
    watch.baseline = D(2000)
    assert watch.level(both) == 1800
    assert watch.level(caps()) is None
    watch.baseline = D(-5)
    assert watch.levels(both)[HaltCause.DAILY_LOSS] == 0
    watch.phase = HaltPhase.HALTED
    assert watch.level(both) is None


# The day.


def test_the_days_baseline_is_its_first_equity_after_funding() -> None:
    """At 00:00 the settlement of that hour is in it; the level moves with it."""
    tape = tape_of({"BTC": calm(100, 60)}, rates={"BTC": {24: 0.01}})
    house = House(caps(daily_loss_pct=D(10)), tape)
    house.buy("100")
    house.step(23)
    assert house.engine.state.watch.baseline == 10_000
    house.step()
    assert house.engine.state.watch.baseline == 9_900
    assert [each.equity for each in house.entries if isinstance(each, DayOpened)] == [9_900]
    house.step(24)
    assert len([each for each in house.entries if isinstance(each, DayOpened)]) == 2


def test_a_restart_does_not_move_the_baseline() -> None:
    """Two losses of six per cent on one day halt, with another process in between."""
    house = house_of([flat(100), flat(94), *calm(88)], daily_loss_pct=D(10))
    house.buy("100")
    house.step(2)
    assert not house.engine.is_halted
    later = again(house)
    assert later.engine.state.watch.baseline == 10_000
    later.step()
    assert later.engine.is_halted


# Flattening.


def test_while_halted_nothing_is_raised_and_reducing_goes_on() -> None:
    """Raising orders are cancelled and refused, in every symbol; protections stay until the position is gone."""
    rows: list[Row | None] = [flat(100), (100, 100, 85, 85, 1e6), None, None, *calm(85)]
    house = house_of(rows, daily_loss_pct=D(10))
    house.buy("100", stop_px="60", take_profit_px="300")
    house.step()
    house.buy("1", limit_px="70")
    house.buy("10", "ETH", limit_px="7")
    house.step()
    assert house.engine.is_halted
    protections = [order for order in house.orders if order.kind.is_protection]
    assert len(protections) == 2
    assert {order.kind for order in house.orders} == {OrderKind.STOP, OrderKind.TAKE_PROFIT, OrderKind.MARKET}
    assert all(order.reduce_only for order in house.orders)
    assert set(reasons(house.buy("10", "ETH"))) == {"halt"}
    for order in house.orders:
        assert set(reasons(house.cancel(order.number))) == {"halt"}
    assert set(reasons(house.protect(stop="61"))) == {"halt"}
    assert passes(house.protect(stop="61", profit="300"))
    assert set(reasons(house.close())) == {"position"}  # the engine is closing all of it
    house.step(4)
    assert (house.phases[-1], house.size(), house.orders) == ("halted", 0, [])
    assert set(reasons(house.buy("1"))) == {"halt"}


def test_the_latch_comes_before_what_is_sent() -> None:
    """In the journal the halt stands before the first intent of the way out."""
    house = house_of([flat(100), flat(80), *calm(80)], daily_loss_pct=D(10))
    house.buy("100")
    house.step(2)
    kinds = [type(each).__name__ for each in house.entries]
    latch = kinds.index("HaltChanged")
    way_out = [n for n, each in enumerate(house.entries) if each in house.intents and each.action is None]
    assert way_out
    assert min(way_out) > latch
    assert house.entries[latch].phase is HaltPhase.FLATTENING  # type: ignore[union-attr]


def test_the_way_out_widens_until_a_thin_market_takes_it() -> None:
    """Bars that let a tenth of the position through each: the bound doubles, the position shrinks, protections stay."""
    thin = flat(80, 100.0)
    house = house_of([flat(100), flat(80, 0.0), *([thin] * 20)], daily_loss_pct=D(10), max_slippage_bps=D(50))
    house.buy("100", stop_px="10")
    house.step(2)
    sizes = []
    while house.size():
        assert [order.kind for order in house.orders if order.kind.is_protection] == [OrderKind.STOP]
        house.step()
        sizes.append(house.size())
    assert sizes == [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]
    bounds = [o.limit_px for i in house.intents if i.action is None for o in i.orders]
    assert bounds[:4] == [D("79.6"), D("79.2"), D("78.4"), D("76.8")]
    assert bounds[-1] == 40
    assert house.engine.is_shut
    ids = [order.client_id for intent in house.intents for order in intent.orders]
    assert len(set(ids)) == len(ids)


def test_the_band_is_at_most_half_the_price() -> None:
    """However often it was tried."""
    own = caps(max_slippage_bps=D(50))
    assert [band_bps(own, n) for n in (0, 1, 2, 6, 7, 1000)] == [50, 100, 200, 3200, WIDEST_BPS, WIDEST_BPS]


def test_missing_bars_are_waited_for() -> None:
    """What expired in a hole is sent again when there is a price."""
    rows: list[Row | None] = [flat(100), (100, 100, 85, 85, 1e6), None, None, None, flat(85), *calm(85)]
    house = house_of(rows, daily_loss_pct=D(10))
    house.buy("100")
    house.step(5)
    assert (house.phases, house.size()) == (["flattening"], 100)
    house.step(2)
    assert (house.phases, house.size()) == (["flattening", "halted"], 0)


def test_a_small_close_in_hand_does_not_put_the_way_out_off() -> None:
    """It doesn't pass for one that closes all: at the very open of the gap both are sold."""
    house = house_of([flat(100), flat(91), *calm(91)], daily_loss_pct=D(5))
    house.buy("100")
    house.step()
    passes(house.sell("0.2", reduce_only=True))
    house.step()
    assert [(fill.size, fill.px) for fill in house.fills] == [(100, 100), (D("0.2"), 91), (D("99.8"), 91)]
    assert house.phases == ["flattening", "halted"]


def test_a_restart_goes_on_with_the_way_out() -> None:
    """Another process finds the latch and flattens, with orders that were never named before."""
    house = house_of([flat(100), flat(80, 0.0), flat(80, 0.0), *calm(80)], daily_loss_pct=D(10))
    house.buy("100")
    house.step(2)
    later = again(house)
    assert later.engine.is_halted
    assert set(reasons(later.buy("1"))) == {"halt"}
    later.step(2)
    assert (later.engine.is_shut, later.size()) == (True, 0)
    names = [o.client_id for h in (house, later) for i in h.intents for o in i.orders]
    assert len(set(names)) == len(names)


def test_every_symbol_is_flattened() -> None:
    """A short in one and a long in another: both are closed, and the account is halted when both are."""
    tape = tape_of({"BTC": [flat(100), flat(80), *calm(80)], "ETH": [flat(10), None, flat(10), *calm(10)]})
    house = House(caps(daily_loss_pct=D(10)), tape)
    house.buy("100")
    house.sell("100", "ETH")
    house.step(2)
    assert (house.size(), house.size("ETH"), house.engine.is_shut) == (0, -100, False)
    house.step(2)
    assert (house.size("ETH"), house.engine.is_shut) == (0, True)


# The end of it.


def halted_at(rows: list[Row | None], **own: Any) -> House:
    """Halted on day one."""
    house = house_of([flat(100), flat(80), *rows], **own)
    house.buy("100")
    house.step(2)
    assert house.engine.is_shut
    return house


def test_a_daily_loss_is_over_with_the_day() -> None:
    """At 00:00 it is lifted, with a new baseline; at 23:00 it is not."""
    house = halted_at(calm(80), daily_loss_pct=D(10))
    house.step(DAY - 3)
    assert set(reasons(house.buy("1"))) == {"halt"}
    house.step()
    assert house.phases == ["flattening", "halted", "active"]
    assert house.engine.state.watch.baseline == 8000
    assert passes(house.buy("1"))


@pytest.mark.parametrize(
    "own", [{"daily_loss_pct": D(10), "halt_lifts": "by_hand"}, {"max_drawdown_pct": D(10)}]
)
def test_what_lifts_by_hand_does_not_lift_by_itself(own: dict[str, Any]) -> None:
    """Two days later it is as halted as before, whatever `halt_lifts` says of a drawdown."""
    house = halted_at(calm(80), **own)
    house.step(2 * DAY)
    assert house.engine.is_shut
    at_once(house.engine.reset_halt(house.ts))
    assert passes(house.buy("1"))


def test_resetting_a_drawdown_says_what_it_resets() -> None:
    """The peak becomes what equity is now; the day's baseline stays. It is written down, level armed anew."""
    house = halted_at(calm(80), max_drawdown_pct=D(10))
    baseline = house.engine.state.watch.baseline
    lifted = at_once(house.engine.reset_halt(house.ts))
    assert (lifted.phase, lifted.cause, lifted.equity, lifted.peak) == (
        HaltPhase.ACTIVE,
        HaltCause.DRAWDOWN,
        8000,
        8000,
    )
    house.step()
    assert lifted in house.entries
    assert (house.engine.state.watch.peak, house.engine.state.watch.baseline) == (8000, baseline)
    assert not house.engine.is_halted


def test_resetting_a_daily_loss_moves_neither_peak_nor_baseline() -> None:
    """So on the same day the loss still stands, and halts again at the next look."""
    house = halted_at(calm(80), daily_loss_pct=D(10), halt_lifts="by_hand")
    lifted = at_once(house.engine.reset_halt(house.ts))
    assert lifted.peak is None
    assert (house.engine.state.watch.peak, house.engine.state.watch.baseline) == (10_000, 10_000)
    house.step()
    assert house.engine.is_shut
    house.step(DAY)
    at_once(house.engine.reset_halt(house.ts))
    house.step()
    assert not house.engine.is_halted


def test_an_account_that_is_halted_again_flattens_again() -> None:
    """The second halt has names of its own for its orders and starts with the narrow band."""
    rows: list[Row | None] = [*calm(80, DAY - 2), flat(80), flat(60), *calm(60)]
    house = halted_at(rows, daily_loss_pct=D(10), max_slippage_bps=D(50))
    house.step(DAY - 2)
    house.buy("90")
    house.step(2)
    assert house.phases == ["flattening", "halted", "active", "flattening", "halted"]
    names = [o.client_id for i in house.intents for o in i.orders]
    assert len(set(names)) == len(names) == 4


def test_a_liquidated_account_is_halted_flat() -> None:
    """With nothing left there is nothing to flatten."""
    rows: list[Row | None] = [flat(100, 1e6), flat(85), *calm(85)]
    house = house_of(rows, max_leverage=D(10), daily_loss_pct=D(50))
    house.buy("900")
    house.step(2)
    assert any(fill.cause in ("liquidation", "backstop") for fill in house.fills)
    assert (house.engine.is_shut, house.size(), house.orders) == (True, 0, [])
