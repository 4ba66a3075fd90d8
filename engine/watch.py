"""The loss watch: the day's baseline, the peak, and the halt with its table. Pure; the engine acts on it.

A day's loss is counted from its first equity, a drawdown from the peak. Both become one level of equity, the higher of
the two, so that watching costs one comparison: at or below it the account is halted.
"""

from decimal import Decimal
from enum import Enum

import msgspec

from domain.caps import Caps
from domain.journal import HaltCause, HaltPhase
from domain.money import ONE, PERCENT, ZERO
from domain.time import DAY_MS, floor_to


class HaltEvent(Enum):
    """What can happen to a halt."""

    BREACHED = "breached"
    FLAT = "flat"
    LIFTED = "lifted"


_P, _E = HaltPhase, HaltEvent

NEXT: dict[HaltPhase, dict[HaltEvent, HaltPhase]] = {
    _P.ACTIVE: {_E.BREACHED: _P.FLATTENING},
    _P.FLATTENING: {_E.FLAT: _P.HALTED},
    _P.HALTED: {_E.LIFTED: _P.ACTIVE},
}
"""phase × event → phase; anything else is an error that changes nothing."""


class IllegalHalt(Exception):
    """A halt was told something that can't happen to it in its phase."""


def after(phase: HaltPhase, event: HaltEvent) -> HaltPhase:
    """The phase after an event. Raises IllegalHalt naming both."""
    try:
        return NEXT[phase][event]
    except KeyError:
        raise IllegalHalt(f"an account that is {phase} can't be {event.value}") from None


class Watch(msgspec.Struct):
    """What is remembered of an account's losses. `baseline` and `peak` are USD, `day_ends` is UTC ms."""

    baseline: Decimal
    peak: Decimal
    day_ends: int
    phase: HaltPhase = HaltPhase.ACTIVE
    cause: HaltCause | None = None
    since: int = 0
    attempts: int = 0

    @classmethod
    def start(cls, equity: Decimal, ts: int) -> "Watch":
        """On day one the baseline is the starting equity."""
        return cls(baseline=equity, peak=equity, day_ends=end_of_day(ts))

    def levels(self, caps: Caps) -> dict[HaltCause, Decimal]:
        """The equity at or below which each cap is breached; a cap that is off has none."""
        found = {}
        if caps.daily_loss_pct is not None:
            found[HaltCause.DAILY_LOSS] = _below(self.baseline, caps.daily_loss_pct)
        if caps.max_drawdown_pct is not None:
            found[HaltCause.DRAWDOWN] = _below(self.peak, caps.max_drawdown_pct)
        return found

    def level(self, caps: Caps) -> Decimal | None:
        """The higher of the levels while the account is active, else None: a halt is judged once."""
        if self.phase is not HaltPhase.ACTIVE:
            return None
        return max(self.levels(caps).values(), default=None)

    def breach(self, caps: Caps, equity: Decimal) -> tuple[HaltCause, Decimal] | None:
        """Which cap this equity breaches, with its level; a drawdown before a daily loss, since it lasts longer."""
        levels = self.levels(caps)
        for cause in (HaltCause.DRAWDOWN, HaltCause.DAILY_LOSS):
            if cause in levels and equity <= levels[cause]:
                return cause, levels[cause]
        return None

    def lifts_with_the_day(self, caps: Caps) -> bool:
        """Whether a new day ends the halt: a daily loss's, once flat, where the Skill says so."""
        is_daily = self.phase is HaltPhase.HALTED and self.cause is HaltCause.DAILY_LOSS
        return is_daily and caps.halt_lifts == "next_day"


def end_of_day(ts: int) -> int:
    """The next 00:00 UTC after an instant."""
    return floor_to(ts, DAY_MS) + DAY_MS


def _below(usd: Decimal, percent: Decimal) -> Decimal:
    return max(ZERO, usd * (ONE - percent * PERCENT))
