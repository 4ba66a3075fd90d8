"""Tidy files of bars, marks and funding: read whole and judged before anything is stored."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from domain.time import HOUR_MS, iso
from market.tidy import checks
from market.tidy.files import MAX_ROWS, TidyFile
from market.tidy.instants import read_instants
from market.tidy.problems import Problems, TidyError
from market.tidy.values import read_numbers

Rows = np.ndarray[Any, np.dtype[np.void]]
Check = Callable[[dict[str, Any], Problems], Any]

BAR_COLUMNS = ("ts", "open", "high", "low", "close", "volume")
MARK_COLUMNS = ("ts", "open", "high", "low", "close")
FUNDING_COLUMNS = ("ts", "rate")


class Gap(msgspec.Struct, frozen=True):
    """A hole in a series: the open of the first bar that is missing (UTC ms), and how many are."""

    ts: int
    bars: int


class Gaps(msgspec.Struct, frozen=True):
    """The holes of a series: how many, how many bars they lack, the first and the longest."""

    count: int = 0
    missing: int = 0
    first: Gap | None = None
    longest: Gap | None = None


class Series(msgspec.Struct, frozen=True):
    """What was read: a structured array by rising `ts` (UTC ms; the values float64), and its holes."""

    rows: Rows
    gaps: Gaps = Gaps()


class _Part(msgspec.Struct, frozen=True):
    file: TidyFile
    columns: dict[str, Any]


def read_bars(paths: Sequence[Path], interval_ms: int, now_ms: int | None) -> Series:
    """Read trade bars. `now_ms` is when nothing later can be known; None for data that is made up.

    Raises TidyError, one line, for the first thing that is wrong.
    """

    def check(columns: dict[str, Any], problems: Problems) -> None:
        checks.check_volume(columns["volume"], problems)

    return _read_candles(paths, BAR_COLUMNS, interval_ms, now_ms, check)


def read_marks(paths: Sequence[Path], interval_ms: int, now_ms: int | None) -> Series:
    """Read mark price bars, which have no volume; otherwise as `read_bars`."""
    return _read_candles(paths, MARK_COLUMNS, interval_ms, now_ms, lambda columns, problems: None)


def read_funding(paths: Sequence[Path], now_ms: int | None) -> Series:
    """Read funding rates, with the hour each was settled in as `settled_at`; otherwise as `read_bars`."""

    def check(columns: dict[str, Any], problems: Problems) -> None:
        ts = columns["ts"]
        checks.check_order(ts, problems)
        if now_ms is not None:
            checks.check_past(ts, ts, now_ms, problems)
        checks.check_rates(columns["rate"], problems)
        checks.check_settlements(ts, columns["rate"], problems)

    rows = _merged([_read(path, FUNDING_COLUMNS, check) for path in _given(paths)], HOUR_MS)
    settled = np.empty(len(rows), [("settled_at", "<i8"), *rows.dtype.descr])
    settled["settled_at"] = rows["ts"] // HOUR_MS * HOUR_MS
    for name in FUNDING_COLUMNS:
        settled[name] = rows[name]
    return Series(settled)


def find_gaps(ts: Any, interval_ms: int) -> Gaps:
    """The holes of a series of bars by their ascending open times."""
    steps = np.diff(ts)
    where = np.flatnonzero(steps > interval_ms)
    if not len(where):
        return Gaps()
    missing = steps[where] // interval_ms - 1
    starts = ts[where] + interval_ms
    longest = int(np.argmax(missing))
    return Gaps(
        count=len(where),
        missing=int(missing.sum()),
        first=Gap(int(starts[0]), int(missing[0])),
        longest=Gap(int(starts[longest]), int(missing[longest])),
    )


def _read_candles(
    paths: Sequence[Path], names: tuple[str, ...], interval_ms: int, now_ms: int | None, more: Check
) -> Series:
    def check(columns: dict[str, Any], problems: Problems) -> None:
        ts = columns["ts"]
        checks.check_order(ts, problems)
        checks.check_grid(ts, interval_ms, problems)
        if now_ms is not None:
            checks.check_past(ts + interval_ms, ts, now_ms, problems)
        checks.check_prices(columns, problems)
        more(columns, problems)

    parts = [_read(path, names, check) for path in _given(paths)]
    for part in parts:
        checks.check_exact(str(part.file.path), part.columns)
    rows = _merged(parts, 1)
    return Series(rows, find_gaps(rows["ts"], interval_ms))


def _given(paths: Sequence[Path]) -> Sequence[Path]:
    if not paths:
        raise TidyError("no file was given")
    return paths


def _read(path: Path, names: tuple[str, ...], check: Check) -> _Part:
    file = TidyFile(path)
    problems = Problems()
    parts: dict[str, list[Any]] = {name: [] for name in names}
    try:
        for batch in file.batches(names):
            for name, array in batch.columns.items():
                if name == "ts":
                    parts[name].append(read_instants(array, problems, batch.first_row))
                else:
                    parts[name].append(read_numbers(name, array, problems, batch.first_row))
        columns = {name: np.concatenate(part) for name, part in parts.items()}
        check(columns, problems)
    except TidyError as error:
        raise TidyError(_placed(path, str(error))) from error
    problems.raise_if_any(file.where)
    return _Part(file, columns)


def _placed(path: Path, text: str) -> str:
    return text if str(path) in text else f"{path}: {text}"


def _merged(parts: list[_Part], step_ms: int) -> Rows:
    """The rows of all files in order. What two files say alike of one step (of `step_ms`) is kept once."""
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    if len(columns["ts"]) > MAX_ROWS:
        raise TidyError(f"the files have more than {MAX_ROWS:,} rows; import them in several commands")
    order = np.argsort(columns["ts"], kind="stable")
    steps = columns["ts"][order] // step_ms
    again = np.flatnonzero(steps[1:] == steps[:-1])
    for name, values in columns.items():
        if name == "ts":
            continue
        differs = again[values[order[again + 1]] != values[order[again]]]
        if len(differs):
            raise _contradiction(parts, columns, int(order[differs[0]]), int(order[differs[0] + 1]), name)
    kept = np.delete(order, again + 1)
    rows = np.empty(len(kept), [(name, values.dtype.str) for name, values in columns.items()])
    for name, values in columns.items():
        rows[name] = values[kept]
    return rows


def _contradiction(parts: list[_Part], columns: dict[str, Any], one: int, other: int, name: str) -> TidyError:
    places = []
    for row in (one, other):
        ends = np.cumsum([len(part.columns["ts"]) for part in parts])
        index = int(np.searchsorted(ends, row, side="right"))
        part = parts[index]
        places.append(part.file.where(row - int(ends[index]) + len(part.columns["ts"])))
    found, before = (repr(float(columns[name][row])) for row in (other, one))
    at = iso(int(columns["ts"][other]))
    return TidyError(
        f"{places[1]}: {name} at {at} is {found}, but {before} in {places[0]}; leave one file out"
    )
