"""Time as the product knows it: UTC, integer epoch milliseconds; SQL and people see ISO text.

A bar is stamped with its open and known at its close, so an instant `t` belongs to the bar that opens at `t`.
"""

import re
import time as _time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS

INTERVALS_MS: dict[str, int] = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}
"""The bar intervals of the venue that divide a day (it also has 3d, 1w and 1M, which we do not use)."""

_NAMES = {ms: name for name, ms in INTERVALS_MS.items()}
_UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_interval(text: str) -> int:
    """Give a bar interval's length in ms. Raises ValueError naming the intervals there are."""
    try:
        return INTERVALS_MS[text]
    except KeyError:
        known = ", ".join(INTERVALS_MS)
        raise ValueError(f"{text!r} is not a bar interval; use one of {known}") from None


def format_interval(interval_ms: int) -> str:
    """Name an interval: 3_600_000 → "1h"; one without a name of its own as a duration."""
    return _NAMES.get(interval_ms) or format_duration(interval_ms)


def parse_duration(text: str) -> int:
    """Give a duration such as "90s", "15m", "4h" or "7d" in ms. Raises ValueError saying the form."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a duration; write a whole number and s, m, h or d, such as 30m")
    return int(found[1]) * _UNITS_MS[found[2]]


def format_duration(duration_ms: int) -> str:
    """Write a duration in its largest whole unit: 5_400_000 → "90m"."""
    for unit in ("d", "h", "m", "s"):
        if duration_ms and duration_ms % _UNITS_MS[unit] == 0:
            return f"{duration_ms // _UNITS_MS[unit]}{unit}"
    return f"{duration_ms}ms"


def parse_ts(text: str) -> int:
    """Read an instant: a UTC date ("2025-01-31"), RFC 3339, or epoch ms. A time without a zone is UTC.

    Raises ValueError saying what was found and the forms that are understood.
    """
    if re.fullmatch(r"[0-9]{12,14}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write 2025-01-31 or 2025-01-31T16:00:00Z") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def to_ms(moment: datetime) -> int:
    """Turn an aware datetime into epoch ms, rounding down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(ts: int) -> datetime:
    """Turn epoch ms into an aware UTC datetime."""
    return _EPOCH + timedelta(milliseconds=ts)


def iso(ts: int) -> str:
    """Write an instant for people and JSON: "2025-01-31T16:00:00Z", with ms only where there are any."""
    text = to_datetime(ts).isoformat(timespec="milliseconds" if ts % 1000 else "seconds")
    return text.removesuffix("+00:00") + "Z"


def minute(ts: int) -> str:
    """Write an instant to the minute, as in tables whose heading says UTC: "2025-01-31 16:00"."""
    return f"{to_datetime(ts):%Y-%m-%d %H:%M}"


def floor_to(ts: int, step_ms: int) -> int:
    """The last multiple of `step_ms` at or before `ts`."""
    return ts - ts % step_ms


def ceil_to(ts: int, step_ms: int) -> int:
    """The first multiple of `step_ms` at or after `ts`."""
    return ts + -ts % step_ms


class Clock(Protocol):
    """What tells the time. Handed in everywhere, so that a replay and a test own theirs."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The wall's time, in UTC epoch ms."""

    def now_ms(self) -> int:
        return _time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move. The simulator's, and the tests'."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def move_to(self, ts: int) -> None:
        """Set the time. Raises ValueError when it would run backwards."""
        if ts < self._now_ms:
            raise ValueError(f"a clock can't run backwards: at {iso(self._now_ms)}, told {iso(ts)}")
        self._now_ms = ts
