"""Scales, round ticks, and thinning of series to what a screen can show."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.bars import Floats, Ticks
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime, to_ms
from simulator.report.words import MINUS

BOX = 1000
"""The side of the square that a pane's picture is drawn in, before it is stretched to its size."""

POINTS = 1_400
"""How many points a line keeps at most."""

LOG_FROM = 8.0
"""From this ratio of highest to lowest on, a money axis is logarithmic."""

_CLOCK_STEPS = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS)
_DAY_STEPS = (DAY_MS, 2 * DAY_MS, 7 * DAY_MS)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240)


class Tick(msgspec.Struct, frozen=True):
    """A mark on an axis: where, from 0 to 1000, and what stands there."""

    at: float
    label: str


class Scale(msgspec.Struct, frozen=True):
    """Maps values onto a pane's height, high values up (0), low ones down (1000)."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Where one value lies."""
        return float(self.all_at(np.array([value]))[0])

    def all_at(self, values: Floats) -> Floats:
        """Where many values lie."""
        low, high = self.low, self.high
        if self.is_log:
            values, low, high = np.log(values), math.log(low), math.log(high)
        return np.asarray((high - values) / (high - low) * BOX)


def scale_for(series: Sequence[Floats], *, may_be_log: bool = True) -> Scale:
    """A scale that holds all values with a little room."""
    low = min(float(values.min()) for values in series)
    high = max(float(values.max()) for values in series)
    if may_be_log and low > 0 and high / low >= LOG_FROM:
        room = (high / low) ** 0.04
        return Scale(low / room, high * room, is_log=True)
    room = (high - low) * 0.06 or abs(high) * 0.02 or 1.0
    return Scale(low - room, high + room)


def value_ticks(scale: Scale, most: int) -> list[Tick]:
    """At most so many round values that lie on the scale."""
    values = _log_values(scale, most) if scale.is_log else _even_values(scale.low, scale.high, most)
    labels = _money_labels(values)
    return [Tick(round(scale.at(value), 1), label) for value, label in zip(values, labels, strict=True)]


def percent_ticks(scale: Scale, most: int) -> list[Tick]:
    """The same for fractions, written in percent."""
    values = _even_values(scale.low * 100, scale.high * 100, most)
    places = _places(values)
    return [
        Tick(round(scale.at(value / 100), 1), f"{value:.{places}f}%".replace("-", MINUS)) for value in values
    ]


def _even_values(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    first = math.ceil(low / step)
    return [(first + i) * step or 0.0 for i in range(int(math.floor(high / step) - first) + 1)]


def _log_values(scale: Scale, most: int) -> list[float]:
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**power for power in powers for digit in digits]
        inside = [value for value in values if scale.low <= value <= scale.high]
        if len(inside) <= most:
            return inside
    return inside[:: math.ceil(len(inside) / most)]


def _places(values: Sequence[float]) -> int:
    """How many decimals tell these values apart, and no more."""
    for places in range(9):
        if all(abs(round(value, places) - value) <= 1e-9 * max(1.0, abs(value)) for value in values):
            return places
    return 9


def _money_labels(values: Sequence[float]) -> list[str]:
    largest = max((abs(value) for value in values), default=0.0)
    for unit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        scaled = [value / unit for value in values]
        if largest >= unit * 10 and _places(scaled) <= 1:
            return [f"{value:,.{_places(scaled)}f}{suffix}".replace("-", MINUS) for value in scaled]
    places = _places(values)
    return [f"{value:,.{places}f}".replace("-", MINUS) for value in values]


def tag_label(value: float) -> str:
    """A value short enough for a tag on the axis."""
    for unit, suffix in ((1e9, "B"), (1e6, "M")):
        if abs(value) >= unit:
            return f"{value / unit:,.2f}{suffix}".replace("-", MINUS)
    size = abs(value)
    if 0 < size < 1e-3:
        return f"{value:.2e}".replace("e-0", "e-").replace("-", MINUS)
    places = 0 if size >= 1000 or not size else 2 if size >= 1 else 4 if size >= 0.01 else 5
    return f"{value:,.{places}f}".replace("-", MINUS)


class TimeScale(msgspec.Struct, frozen=True):
    """Maps instants onto a chart's width."""

    first: int
    last: int

    def at(self, ts: int) -> float:
        """Where an instant lies, from 0 to 1000."""
        return (ts - self.first) / max(self.last - self.first, 1) * BOX

    def all_at(self, ts: Ticks) -> Floats:
        """Where many instants lie."""
        return np.asarray((ts - self.first) / max(self.last - self.first, 1) * BOX)

    def ticks(self, most: int = 10) -> list[Tick]:
        """At most so many round instants, named as shortly as they can be."""
        marks = self._clock_ticks(most) or self._month_ticks(most)
        return [Tick(round(self.at(ts), 2), label) for ts, label in marks]

    def _clock_ticks(self, most: int) -> list[tuple[int, str]]:
        for step in (*_CLOCK_STEPS, *_DAY_STEPS):
            if (self.last - self.first) / step <= most:
                times = range(-(-self.first // step) * step, self.last + 1, step)
                return [(ts, _clock_label(ts, step)) for ts in times]
        return []

    def _month_ticks(self, most: int) -> list[tuple[int, str]]:
        first, last = _month(self.first), _month(self.last)
        step = next(
            step for step in _MONTH_STEPS if (last - first) / step <= most or step == _MONTH_STEPS[-1]
        )
        months = range(-(-first // step) * step, last + 1, step)
        shown = [(ts, month) for month in months if self.first <= (ts := _month_start(month)) <= self.last]
        return [(ts, _month_label(ts, is_first=place == 0)) for place, (ts, _) in enumerate(shown)]


def _clock_label(ts: int, step: int) -> str:
    moment = to_datetime(ts)
    if ts % DAY_MS == 0:
        return f"{moment.day} {moment:%b}"
    return f"{moment:%H:%M}" if step < DAY_MS else f"{moment.day} {moment:%b}"


def _month_label(ts: int, *, is_first: bool) -> str:
    moment = to_datetime(ts)
    if moment.month == 1:
        return f"{moment:%Y}"
    return f"{moment:%b %Y}" if is_first else f"{moment:%b}"


def _month(ts: int) -> int:
    moment = to_datetime(ts)
    return moment.year * 12 + moment.month - 1


def _month_start(month: int) -> int:
    return to_ms(to_datetime(0).replace(year=month // 12, month=month % 12 + 1))


def thin(values: Floats, most: int = POINTS) -> Ticks:
    """The places of at most so many values: the lowest and highest of each stretch, the first and the last.

    No extreme is lost, so that a drawdown looks as deep as it was.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    width = math.ceil(count / ((most - 2) // 2))
    padded = np.pad(values, (0, -count % width), mode="edge").reshape(-1, width)
    start: NDArray[np.int64] = np.arange(len(padded)) * width
    places = np.concatenate([[0], start + padded.argmin(axis=1), start + padded.argmax(axis=1), [count - 1]])
    return np.unique(np.minimum(places, count - 1))
