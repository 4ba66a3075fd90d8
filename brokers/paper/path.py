"""The path inside a bar: open → adverse extreme → other extreme → close, linear in λ on each of the three legs.

All symbols move together, so an event's place is (leg, λ), with λ an exact fraction. Pure functions.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from brokers.paper.tape import Path
from domain.instruments import Instrument, MarginTier
from domain.money import USD_QUANTUM, ZERO

LEGS = 3


class Leg(NamedTuple):
    """A straight stretch of one symbol's price, in USD, from λ = 0 to λ = 1."""

    start: Decimal
    end: Decimal

    @property
    def lowest(self) -> Decimal:
        """The lower of its ends."""
        return min(self.start, self.end)

    @property
    def highest(self) -> Decimal:
        """The higher of its ends."""
        return max(self.start, self.end)

    def exact(self, lam: Fraction) -> Fraction:
        """The price at λ."""
        start = Fraction(self.start)
        return start + (Fraction(self.end) - start) * lam

    def at(self, lam: Fraction) -> Decimal:
        """The price at λ to 28 digits, exact where it has that few."""
        return self.end if lam == 1 else _decimal(self.exact(lam))


def corners(path: Path, index: int, *, short: bool) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """The four prices that a bar's path runs through; `short`: the adverse extreme is the high, else the low."""
    low, high = path.low[index] * path.tick, path.high[index] * path.tick
    first, second = (high, low) if short else (low, high)
    return path.open[index] * path.tick, first, second, path.close[index] * path.tick


def reaches(
    leg: Leg, level: Decimal, since: Fraction, *, falling: bool, through: bool = False
) -> Fraction | None:
    """The first λ ≥ `since` at which the leg is at or beyond `level`, below it when `falling`, else above it.

    With `through`, touching isn't enough: the leg must go past the level, and λ is where it leaves it.
    """
    if leg.lowest > level if falling else leg.highest < level:
        return None
    sign = 1 if falling else -1
    start, end, goal = sign * leg.start, sign * leg.end, sign * level
    now = sign * leg.exact(since)
    if now < goal or (now == goal and not through):
        return since
    if end > goal or (end == goal and through):
        return None
    if now == goal:
        return since
    return (Fraction(start) - Fraction(goal)) / (Fraction(start) - Fraction(end))


class Held(NamedTuple):
    """A position as it moves along a leg of marks."""

    size: Decimal
    leg: Leg
    instrument: Instrument


def is_past(leg: Leg, level: Decimal, lam: Fraction, *, falling: bool) -> bool:
    """Whether the leg at λ is beyond `level`, below it when `falling`, else above it."""
    now = leg.exact(lam)
    return now < level if falling else now > level


def equity_reaches(
    raw_usd: Decimal, held: Iterable[Held], floor_usd: Decimal, since: Fraction
) -> Fraction | None:
    """The first λ ≥ `since` at which equity is at or below `floor_usd`; equity is linear on a leg."""
    start = end = raw_usd
    for position in held:
        start += position.size * position.leg.start
        end += position.size * position.leg.end
    return reaches(Leg(start, end), floor_usd, since, falling=True)


def maintenance_reaches(raw_usd: Decimal, held: list[Held], since: Fraction) -> Fraction | None:
    """The first λ ≥ `since` at which equity ≤ maintenance margin.

    Equity − maintenance is piecewise linear, with a kink where a notional meets a tier; between kinks it is solved
    exactly.
    """
    if not held or _is_safe(raw_usd, held):
        return None
    places = sorted({since, Fraction(1), *(kink for one in held for kink in _kinks(one) if since < kink < 1)})
    room = [_room(raw_usd, held, place) for place in places]
    if room[0] <= 0:
        return places[0]
    for (left, here), (right, there) in zip(
        zip(places, room, strict=True), list(zip(places, room, strict=True))[1:], strict=False
    ):
        if there <= 0:
            return left + (right - left) * here / (here - there)
    return None


def _is_safe(raw_usd: Decimal, held: list[Held]) -> bool:
    """Whether even all worst ends together, at the largest rates of the tiers, leave more than a trifle."""
    room = raw_usd
    for size, leg, instrument in held:
        worst = size * (leg.lowest if size > ZERO else leg.highest)
        room += worst - abs(worst) * instrument.largest_maintenance_rate
    return room > USD_QUANTUM


def _kinks(position: Held) -> Iterable[Fraction]:
    tiers: tuple[MarginTier, ...] = position.instrument.tiers
    start, end = position.leg
    if start == end:
        return
    for tier in tiers:
        if tier.lower_bound_usd > ZERO:
            mark = Fraction(tier.lower_bound_usd) / abs(Fraction(position.size))
            yield (mark - Fraction(start)) / (Fraction(end) - Fraction(start))


def _room(raw_usd: Decimal, held: list[Held], lam: Fraction) -> Fraction:
    room = Fraction(raw_usd)
    for position in held:
        size, mark = Fraction(position.size), position.leg.exact(lam)
        notional = abs(size) * mark
        rate, deduction = position.instrument.maintenance_terms(_decimal(notional))
        room += size * mark - notional * Fraction(rate) + Fraction(deduction)
    return room


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
