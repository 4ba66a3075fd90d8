"""When a Skill ticks: an interval aligned with the clock, or a five-field cron. Pure, and in UTC.

Both come down to one thing: minutes of the day, and which days. An interval divides the day evenly, so it
starts again at every midnight. Cron is that of Vixie and POSIX: lists, ranges, steps, names of months and
weekdays, 0 and 7 for Sunday; and when neither the day of the month nor the weekday starts with `*`, a day
that fits either is due.
"""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from itertools import count, pairwise
from math import gcd

import msgspec

from domain.time import DAY_MS, MINUTE_MS, format_duration, parse_duration

_DAY_MINUTES = DAY_MS // MINUTE_MS
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FORMS = 'write an interval that divides a day, such as 15m, 1h, 4h or 1d, or a cron such as "0 */4 * * *"'

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: 1 + i for i, name in enumerate(_MONTH_NAMES)}
_WEEKDAYS = {name: i for i, name in enumerate(_WEEKDAY_NAMES)}
_PART = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>[0-9]{1,4}))?")


class _Field(msgspec.Struct, frozen=True):
    """One of the five fields of a cron: its name, its range, and the words that stand for numbers."""

    name: str
    low: int
    high: int
    words: dict[str, int] = {}


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


class _Days(msgspec.Struct, frozen=True):
    """Which days are due. Weekdays count from Sunday, 0. With `either`, a fit of one of the two is enough."""

    days: frozenset[int] = frozenset(range(1, 32))
    months: frozenset[int] = frozenset(range(1, 13))
    weekdays: frozenset[int] = frozenset(range(7))
    either: bool = False

    def include(self, ordinal: int) -> bool:
        """Whether a day, given as a proleptic ordinal, is due."""
        day = date.fromordinal(ordinal)
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, ordinal % 7 in self.weekdays
        return by_date or by_weekday if self.either else by_date and by_weekday

    def is_never(self) -> bool:
        """Whether no day at all is due: the earliest date lies beyond the end of every month chosen.

        Every date that exists falls on every weekday in the 400 years after which the calendar repeats.
        """
        longest = max(monthrange(2000, month)[1] for month in self.months)
        return not self.either and min(self.days) > longest


class Schedule(msgspec.Struct, frozen=True):
    """When to tick. Make one with `Schedule.parse`; `text` is the canonical way to write it."""

    text: str
    minutes: tuple[int, ...]  # minutes of the day, ascending
    days: _Days = _Days()

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read an interval ("15m", "4h", "1d") or a cron ("0 */4 * * mon-fri").

        Raises ValueError naming what is wrong, also for an interval that does not divide a day into whole
        minutes and for a cron that would never fire.
        """
        fields = text.lower().split()
        if len(fields) == 1:
            return _interval(fields[0])
        if len(fields) == 5:
            return _cron(fields)
        raise ValueError(f"{text!r} is not a schedule; {_FORMS}")

    def is_due(self, ts: int) -> bool:
        """Whether a tick falls on this very instant."""
        minute, rest = divmod(ts, MINUTE_MS)
        day, minute_of_day = divmod(minute, _DAY_MINUTES)
        at = bisect_left(self.minutes, minute_of_day)
        on_grid = not rest and at < len(self.minutes) and self.minutes[at] == minute_of_day
        return on_grid and self.days.include(day + _EPOCH_ORDINAL)

    def next_after(self, ts: int) -> int:
        """Give the first tick strictly after an instant."""
        return next(self._from(ts + 1))

    def ticks(self, from_ts: int, to_ts: int) -> Iterator[int]:
        """Give every tick with from ≤ t < to, in order."""
        for ts in self._from(from_ts):
            if ts >= to_ts:
                return
            yield ts

    @property
    def grid_ms(self) -> int:
        """The coarsest grid, counted from midnight, on which every tick lies."""
        return gcd(_DAY_MINUTES, *self.minutes) * MINUTE_MS

    @property
    def goes_by_date(self) -> bool:
        """Whether the day of the month or the month decides, and not the weekday alone."""
        everyday = _Days()
        return (self.days.days, self.days.months) != (everyday.days, everyday.months)

    @property
    def min_gap_ms(self) -> int:
        """The shortest time between two ticks, as if every day were due."""
        round_the_clock = (*self.minutes, self.minutes[0] + _DAY_MINUTES)
        return min(later - earlier for earlier, later in pairwise(round_the_clock)) * MINUTE_MS

    def _from(self, ts: int) -> Iterator[int]:
        """Every tick at or after an instant, without end."""
        first_day, within_day = divmod(-(-ts // MINUTE_MS), _DAY_MINUTES)
        skip = bisect_left(self.minutes, within_day)
        for day in count(first_day):
            if self.days.include(day + _EPOCH_ORDINAL):
                midnight = day * DAY_MS
                for minute in self.minutes[skip:]:
                    yield midnight + minute * MINUTE_MS
            skip = 0


def _interval(text: str) -> Schedule:
    try:
        every_ms = parse_duration(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a schedule; {_FORMS}") from None
    if every_ms % MINUTE_MS or DAY_MS % every_ms:
        raise ValueError(f"{text!r} does not divide a day into whole minutes; {_FORMS}")
    return Schedule(format_duration(every_ms), tuple(range(0, _DAY_MINUTES, every_ms // MINUTE_MS)))


def _cron(texts: list[str]) -> Schedule:
    minutes, hours, dates, months, weekdays = map(_values, texts, _FIELDS)
    text = " ".join(texts)
    either = not texts[2].startswith("*") and not texts[4].startswith("*")
    days = _Days(dates, months, frozenset(weekday % 7 for weekday in weekdays), either)
    if days.is_never():
        raise ValueError(f"{text!r} never fires: no month chosen has a day {min(dates)}; choose another day")
    return Schedule(text, tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)), days)


def _values(text: str, field: _Field) -> frozenset[int]:
    """Every number that one field of a cron chooses."""
    return frozenset(value for part in text.split(",") for value in _part(part, field))


def _part(text: str, field: _Field) -> range:
    """Read one part of a list: `*`, `a`, `a-b`, each but the second with an optional `/step`."""
    found = _PART.fullmatch(text)
    if not found or (found["step"] and found["low"] and not found["high"]):
        raise ValueError(f"{text!r} is no {field.name}; write *, 5, 1-5, */2, 1-5/2 or a list of them")
    low = _number(found["low"], field) if found["low"] else field.low
    high = _number(found["high"], field) if found["high"] else low if found["low"] else field.high
    if low > high:
        raise ValueError(f"{text!r} runs backwards; write the range of the {field.name} from low to high")
    step, longest = int(found["step"] or 1), field.high - field.low
    if not 1 <= step <= longest:
        raise ValueError(f"{text!r} has an impossible step; one of the {field.name} is from 1 to {longest}")
    return range(low, high + 1, step)


def _number(text: str, field: _Field) -> int:
    value = field.words.get(text)
    if value is None and re.fullmatch("[0-9]{1,2}", text):
        value = int(text)
    if value is None or not field.low <= value <= field.high:
        raise ValueError(f"{text!r} is no {field.name}; it runs from {field.low} to {field.high}")
    return value
