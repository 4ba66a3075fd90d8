"""The times of a tidy file: UTC ms, ISO texts in UTC, or Parquet's UTC timestamps. Nothing is guessed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.time import parse_ts
from market.tidy.problems import Problems, TidyError, shortened, where_true
from market.tidy.values import matches, replaced, without_nulls

Instants = NDArray[np.int64]

UNREAD = -1
"""Stands for an instant that couldn't be read; its row is among the problems."""

_INTEGER = r"^[0-9]{1,18}$"
_UTC_ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]00:?00)$"
_EARLIEST, _LATEST = "1678", "2261"
"""The years between which an instant fits into Arrow's nanoseconds."""
_UTC_NAMES = {"UTC", "Etc/UTC", "Z", "+00:00"}
_NS = 1_000_000
_UNITS: tuple[tuple[int, str, str], ...] = (
    (10**11, "seconds", "multiply by 1,000"),
    (10**14, "milliseconds", ""),
    (10**17, "microseconds", "divide by 1,000"),
    (2**63 - 1, "nanoseconds", "divide by 1,000,000"),
)
"""How large an instant is at most, and its unit since 1970; in milliseconds, the years 1973 to 5138."""


def read_instants(array: Any, problems: Problems, first_row: int, name: str = "ts") -> Instants:
    """Turn an Arrow column of instants, called `name`, into UTC ms, UNREAD where that can't be done.

    Raises TidyError when the column's type is none for instants.
    """
    import pyarrow as pa

    kind = array.type
    array = without_nulls(name, array, problems, first_row)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        ts = _of_text(array, problems, first_row, name)
    elif pa.types.is_integer(kind):
        ts = _none_unread(np.asarray(array.cast(pa.int64())), problems, first_row, name)
    elif not pa.types.is_timestamp(kind):
        raise TidyError(f"column {name} is {kind}; it must hold UTC milliseconds or UTC timestamps")
    elif kind.tz not in _UTC_NAMES:
        found = f"in time zone {kind.tz}" if kind.tz else "without a time zone"
        raise TidyError(f"column {name} is {found}; convert it to UTC")
    else:
        ns = _nanoseconds(array)
        problems.add(where_true(ns % _NS), lambda row: _too_fine(name, ns[row]), first_row)
        ts = _none_unread(ns // _NS, problems, first_row, name)
    return _in_milliseconds(ts, problems, first_row, name)


def _of_text(array: Any, problems: Problems, first_row: int, name: str) -> Instants:
    import pyarrow as pa

    whole, iso = matches(array, _INTEGER), matches(array, _UTC_ISO)
    neither = where_true(~(whole | iso))
    problems.add(neither, lambda row: _bad_instant(name, array[row].as_py()), first_row)
    ts = np.asarray(replaced(array, where_true(~whole), str(UNREAD)).cast(pa.int64()))
    if not iso.any():
        return ts
    rows = where_true(iso)
    try:
        ns = _nanoseconds(array.take(rows))
    except pa.ArrowInvalid:
        impossible = np.array([row for row in rows.tolist() if not _is_instant(array[row].as_py())])
        problems.add(impossible, lambda row: f"there is no {name} {array[row].as_py()}", first_row)
        return ts
    problems.add(rows[ns % _NS != 0], lambda row: _too_fine(name, array[row].as_py()), first_row)
    ts = ts.copy()
    ts[rows] = ns // _NS
    return ts


def _none_unread(ts: Instants, problems: Problems, first_row: int, name: str) -> Instants:
    """Note the instants that only look as if they were noted already."""
    problems.add(where_true(ts == UNREAD), lambda row: f"{name} {UNREAD} is before 1970", first_row)
    return ts


def _is_instant(text: str) -> bool:
    try:
        parse_ts(text)
    except ValueError:
        return False
    return _EARLIEST <= text[:4] <= _LATEST


def _nanoseconds(array: Any) -> Instants:
    import pyarrow as pa

    return np.asarray(array.cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64()))


def _too_fine(name: str, found: object) -> str:
    return f"{name} {found} has parts of a millisecond; round it"


def _in_milliseconds(ts: Instants, problems: Problems, first_row: int, name: str) -> Instants:
    """Note instants in another unit, and make them UNREAD."""
    limits = np.array([limit for limit, _, _ in _UNITS])
    unit = np.searchsorted(limits, np.abs(ts), side="right")
    other = where_true(((unit != 1) | (ts < 0)) & (ts != UNREAD))

    def say(row: int) -> str:
        if ts[row] < 0:
            return f"{name} {ts[row]} is before 1970"
        _, unit_name, mend = _UNITS[int(unit[row])]
        return f"{name} {ts[row]} looks like {unit_name}; {name} is UTC milliseconds since 1970, so {mend}"

    problems.add(other, say, first_row)
    if len(other):
        ts = ts.copy()
        ts[other] = UNREAD
    return ts


def _bad_instant(name: str, text: str) -> str:
    if not text.strip():
        return f"{name} is empty; fill it in or leave out the row"
    try:
        moment = parse_ts(text)
    except ValueError:
        return f"{name} {shortened(text)!r} is not an instant; write UTC milliseconds, such as 1714521600000"
    if any(sign in text[10:] for sign in "+-"):
        return f"{name} {text!r} is in another time zone; write every time in UTC ({moment})"
    return f"{name} {text!r} has no time zone; write every time in UTC ({moment}, if that is what it is)"
