"""What the rows of a tidy file must be: in order, on their grid, and prices that can have been."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from domain.bars import common_decimals
from domain.time import HOUR_MS, INTERVALS_MS, format_interval, iso
from market.tidy.instants import UNREAD, Instants
from market.tidy.problems import Problems, TidyError, where_true
from market.tidy.values import Numbers

Columns = Mapping[str, Any]

_MAX_DECIMALS = 12
_LARGEST_EXACT = 2.0**53  # units of the last decimal; of larger prices `check_exact` is the judge
_MEND = "mend the row or leave it out"


def check_order(ts: Instants, problems: Problems) -> None:
    """Instants must rise from row to row."""
    rows = where_true(ts != UNREAD)
    steps = np.diff(ts[rows])

    def say(row: int) -> str:
        before = rows[np.searchsorted(rows, row) - 1]
        if ts[row] == ts[before]:
            return f"ts {ts[row]} ({iso(int(ts[row]))}) is there twice; leave one out"
        return f"ts {ts[row]} comes after the later {ts[before]}; sort the file by ts"

    problems.add(rows[1:][steps <= 0], say)


def check_past(known_at: Instants, ts: Instants, now_ms: int, problems: Problems) -> None:
    """Nothing may be known only after now: an unfinished bar is not a bar."""

    def say(row: int) -> str:
        return (
            f"ts {ts[row]} ({iso(int(ts[row]))}) is not over yet at {iso(now_ms)}; leave it out"
            " (made-up data may lie in the future with --source synthetic)"
        )

    problems.add(where_true((known_at > now_ms) & (ts != UNREAD)), say)


def check_grid(ts: Instants, interval_ms: int, problems: Problems) -> None:
    """Bars open at multiples of their interval. Raises TidyError when the file plainly has another one."""
    known = ts[ts != UNREAD]
    steps = np.diff(known)
    steps = steps[steps > 0]
    step = int(np.gcd.reduce(steps)) if len(steps) >= 2 else 0
    apart = f"; the file seems to have {format_interval(step)} bars" if step in INTERVALS_MS.values() else ""
    name = format_interval(interval_ms)
    if step > interval_ms and step % interval_ms == 0 and apart:
        raise TidyError(f"no two rows are {name} apart{apart}, so give --interval {format_interval(step)}")

    def say(row: int) -> str:
        return f"ts {ts[row]} ({iso(int(ts[row]))}) is not the open of a {name} bar{apart}"

    problems.add(where_true((ts % interval_ms != 0) & (ts != UNREAD)), say)


def check_prices(columns: Columns, problems: Problems) -> None:
    """Prices are positive and of at most 12 decimals; a bar's high and low enclose its open and close."""
    prices = {name: columns[name] for name in ("open", "high", "low", "close")}
    for name, values in prices.items():
        problems.add(where_true(values <= 0), _say(name, values, "must be above 0"))
        with np.errstate(over="ignore", invalid="ignore"):
            units = values * 10.0**_MAX_DECIMALS
            fine = where_true((np.rint(units) / 10.0**_MAX_DECIMALS != values) & (units < _LARGEST_EXACT))
        problems.add(fine, _say(name, values, f"has more than {_MAX_DECIMALS} decimals; round it"))
    high, low = prices["high"], prices["low"]
    problems.add(
        where_true(high < low), lambda row: f"high {_text(high, row)} is below low {_text(low, row)}; {_MEND}"
    )
    for name in ("open", "close"):
        values = prices[name]
        outside = where_true(((values > high) | (values < low)) & (high >= low))
        problems.add(outside, _say_outside(name, values, low, high))


def check_exact(place: str, columns: Columns) -> None:
    """All prices of a file must fit whole ticks of one size. Raises TidyError."""
    try:
        common_decimals(place, (columns["open"], columns["high"], columns["low"], columns["close"]))
    except ValueError as error:
        raise TidyError(f"{error}; round them") from None


def check_volume(volume: Numbers, problems: Problems) -> None:
    """A bar without trades has volume 0; less than that can't be."""
    problems.add(where_true(volume < 0), _say("volume", volume, f"must be 0 or more; {_MEND}"))


def check_rates(rate: Numbers, problems: Problems) -> None:
    """A funding rate is a fraction: 0.0001 is one basis point."""
    problems.add(
        where_true(np.abs(rate) >= 1),
        _say("rate", rate, "must be between -1 and 1: a fraction, not a percentage"),
    )


def check_settlements(ts: Instants, rate: Numbers, problems: Problems) -> None:
    """One rate is settled in an hour; rows that say the same one twice are borne with."""
    hour = ts // HOUR_MS
    again = np.concatenate(([False], (hour[1:] == hour[:-1]) & (ts[1:] != UNREAD)))
    differs = np.concatenate(([False], rate[1:] != rate[:-1]))

    def say(row: int) -> str:
        return (
            f"rate {_text(rate, row)} is the second of the hour {iso(int(hour[row]) * HOUR_MS)},"
            f" after {_text(rate, row - 1)}; leave one out"
        )

    problems.add(where_true(again & differs), say)


def _say(name: str, values: Numbers, must: str) -> Callable[[int], str]:
    return lambda row: f"{name} {_text(values, row)} {must}"


def _say_outside(name: str, values: Numbers, low: Numbers, high: Numbers) -> Callable[[int], str]:
    return lambda row: (
        f"{name} {_text(values, row)} is outside low {_text(low, row)} to high {_text(high, row)}; {_MEND}"
    )


def _text(values: Numbers, row: int) -> str:
    return repr(float(values[row])).removesuffix(".0")
