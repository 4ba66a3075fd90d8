"""What the model may remember: the run's figures on both sides of its cutoff."""

import msgspec

from simulator.curves import Curve
from simulator.cutoff import Side, Split
from simulator.metrics import Metrics
from simulator.report import words


class Row(msgspec.Struct, frozen=True):
    """A figure, and its value in each column; every second column is that of buying and holding."""

    name: str
    values: tuple[str, ...]


class Head(msgspec.Struct, frozen=True):
    """A side's name, and what to think of it."""

    name: str
    note: str


class Sides(msgspec.Struct, frozen=True):
    """The table of both sides, or of the only one there is, and a sentence under it."""

    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    note: str


def sides(metrics: Metrics, *, is_masked: bool) -> Sides | None:
    """Lay out the split; None where there is none, or nothing of it can be figured.

    A masked run's cutoff is not dated, because its instants are not the real ones.
    """
    found = metrics.split
    if found is None:
        return None
    both = zip(_heads(found, is_masked=is_masked), (found.before, found.after), strict=True)
    there = [(head, side) for head, side in both if side]
    if not there:
        return None
    columns: list[tuple[Side | Curve | None, ...]] = [(side, side.hold) for _, side in there]
    curves = [curve for pair in columns for curve in pair]
    rows = (
        Row("Total return", tuple(words.percent(c.total_return, 1) if c else "" for c in curves)),
        Row("Sharpe", tuple(words.number(c.sharpe) if c else "" for c in curves)),
        Row("Volatility", tuple(words.percent(c.volatility, 1, signed=False) if c else "" for c in curves)),
        Row("Max drawdown", tuple(words.percent(c.max_drawdown, 1) if c else "" for c in curves)),
        Row("Closed trades", tuple(f"{c.trades:,}" if isinstance(c, Side) else "" for c in curves)),
        Row("Share of the run", tuple(_share(c) if isinstance(c, Side) else "" for c in curves)),
    )
    return Sides(tuple(head for head, _ in there), rows, _note(found))


def _heads(found: Split, *, is_masked: bool) -> tuple[Head, Head]:
    if found.cutoff_ts is None:
        return Head("Whole run", "may be memory"), Head("", "")
    day = "the cutoff" if is_masked else words.day(found.cutoff_ts)
    return Head(f"Before {day}", "may be memory"), Head(f"From {day}", "unseen")


def _note(found: Split) -> str:
    if found.cutoff_ts is None:
        return "Nobody knows when this model's knowledge ends, so nothing here is surely unseen."
    if found.share_before == 1:
        return "No part of this run is unseen: choose a later period, or hide names and dates with --mask."
    if not found.share_before:
        return "All of this run lies after what the model knows."
    return "Returns are before inference; each side is counted from its own first point."


def _share(side: Side) -> str:
    return words.percent(side.share, 1, signed=False)
