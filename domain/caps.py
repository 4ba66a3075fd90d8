"""Risk caps: what the engine holds an account to, whatever a Skill's prompt or its model says.

A Skill leaves out what it does not care about and gets the safe default written here. The platform has caps
of its own, which only ever tighten a Skill's.
"""

from collections.abc import Callable
from decimal import Decimal
from operator import and_, or_
from typing import Any, Literal

import msgspec

HaltLifts = Literal["next_day", "by_hand"]


class StopGuard(msgspec.Struct, frozen=True):
    """After `stops` stop-loss fills within `window_ms`, nothing may raise exposure for `pause_ms`."""

    stops: int
    window_ms: int
    pause_ms: int


class Caps(msgspec.Struct, frozen=True):
    """Every cap there is, with its safe default. None: no such cap. USD caps are compared with notional."""

    max_leverage: Decimal = Decimal(3)  # gross notional over equity; rounded up, the venue's setting
    max_order_usd: Decimal | None = None  # notional of one order
    max_position_usd: Decimal | None = None  # exposure in one symbol, orders included
    max_gross_usd: Decimal | None = None  # exposure over all symbols, orders included
    max_open_positions: int = 10  # symbols held, or about to be, at once
    max_orders_per_hour: int = 60  # in a rolling hour, (t − 1 h, t]
    max_orders_per_day: int = 300  # in a rolling day, (t − 24 h, t]
    max_actions_per_tick: int = 5  # proposals, cancels, protections and closes of one decision
    allow_short: bool = False  # whether a position may be below zero
    price_band_pct: Decimal = Decimal(5)  # how far from the mark a price may lie
    max_slippage_bps: Decimal = Decimal(50)  # a market order is an IOC bounded this far from the mark
    require_stop: bool = False  # whether an order that raises exposure must carry a stop
    max_stop_distance_pct: Decimal | None = None  # how far from the entry a stop may lie
    cooldown_after_loss_ms: int | None = None  # no raising for this long after a loss was realized
    stop_guard: StopGuard | None = None  # a pause after a run of stops
    daily_loss_pct: Decimal | None = Decimal(10)  # of the day's first equity; reaching it halts and flattens
    max_drawdown_pct: Decimal | None = Decimal(30)  # of peak equity; reaching it halts and flattens
    halt_lifts: HaltLifts = "next_day"  # how a daily-loss halt ends; a drawdown halt always ends by hand
    max_inference_usd_per_day: Decimal = Decimal(5)  # model calls of a deployment, per UTC day
    max_inference_usd_per_run: Decimal = Decimal(50)  # model calls of one simulation


DEFAULTS = Caps()
"""What a Skill gets for every cap it leaves out."""

LOOSEST = Caps(
    max_leverage=Decimal(50),
    max_open_positions=50,
    max_orders_per_hour=10_000,
    max_orders_per_day=100_000,
    max_actions_per_tick=100,
    allow_short=True,
    price_band_pct=Decimal(50),
    max_slippage_bps=Decimal(1000),
    daily_loss_pct=None,
    max_drawdown_pct=None,
    max_inference_usd_per_day=Decimal(1000),
    max_inference_usd_per_run=Decimal(10_000),
)
"""The far end of what a Skill may ask for: the bounds of its schema, and a platform that tightens nothing."""


def tightest(skill: Caps, platform: Caps) -> Caps:
    """Give the caps that hold a Skill on a platform: each at least as tight as both say."""
    pairs = {name: (getattr(skill, name), getattr(platform, name)) for name in _TIGHTER}
    return Caps(**{name: _TIGHTER[name](*pair) for name, pair in pairs.items()})


def _unless_none(pick: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let None give way to the other, because None is no cap."""

    def chosen(one: Any, other: Any) -> Any:
        if one is None or other is None:
            return other if one is None else one
        return pick(one, other)

    return chosen


def _tighter_guard(one: StopGuard, other: StopGuard) -> StopGuard:
    """Pause whenever either guard would, and for at least as long."""
    return StopGuard(
        stops=min(one.stops, other.stops),
        window_ms=max(one.window_ms, other.window_ms),
        pause_ms=max(one.pause_ms, other.pause_ms),
    )


def _tighter_lift(one: HaltLifts, other: HaltLifts) -> HaltLifts:
    return "by_hand" if "by_hand" in (one, other) else "next_day"


_lower = _unless_none(min)
_longer = _unless_none(max)

_TIGHTER: dict[str, Callable[[Any, Any], Any]] = {
    "max_leverage": _lower,
    "max_order_usd": _lower,
    "max_position_usd": _lower,
    "max_gross_usd": _lower,
    "max_open_positions": _lower,
    "max_orders_per_hour": _lower,
    "max_orders_per_day": _lower,
    "max_actions_per_tick": _lower,
    "allow_short": and_,
    "price_band_pct": _lower,
    "max_slippage_bps": _lower,
    "require_stop": or_,
    "max_stop_distance_pct": _lower,
    "cooldown_after_loss_ms": _longer,
    "stop_guard": _unless_none(_tighter_guard),
    "daily_loss_pct": _lower,
    "max_drawdown_pct": _lower,
    "halt_lifts": _tighter_lift,
    "max_inference_usd_per_day": _lower,
    "max_inference_usd_per_run": _lower,
}
"""cap → which of two values holds. Spelled out, so that a new cap must say which way is tighter."""
