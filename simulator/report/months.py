"""Returns by month and by year, beside those of buying and holding."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec
import numpy as np

from domain.bars import Floats
from simulator.curves import drawdowns
from simulator.record import RunRecord
from simulator.report import words

NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SKILL, HOLD, DIFFERENCE = "This skill", "Buy and hold", "Difference, pp"

MANY_MONTHS = 18
"""Longer runs get one row a year."""

MANY_POINTS = 120
"""The table of equity has a row for each month's end, or if those are more than this for each year's."""

STRONG, STRONGEST = 0.02, 0.05
"""From these returns on, up or down, a cell is darker."""


class Cell(msgspec.Struct, frozen=True):
    """A return as text, with the class of its background."""

    text: str = ""
    css: str = ""


class Row(msgspec.Struct, frozen=True):
    """A line of the table: its name, a cell for each column, and totals. `opens` is the year it begins."""

    name: str
    cells: tuple[Cell, ...]
    totals: tuple[Cell, ...] = ()
    opens: str = ""


class Months(msgspec.Struct, frozen=True):
    """The table as wide screens show it, and turned for narrow ones. `corner` is the year, if just one."""

    corner: str
    heads: tuple[str, ...]
    total_heads: tuple[str, ...]
    rows: tuple[Row, ...]
    turned_heads: tuple[str, ...]
    turned: tuple[Row, ...]
    by_year: bool


class Span(msgspec.Struct, frozen=True):
    """A month, or a year, that the run touches: counted from year 0, its returns, its last equity point."""

    number: int
    skill: float
    hold: float | None
    end: int


def months(record: RunRecord) -> Months:
    """Lay out the run's returns, month by month."""
    monthly, yearly = spans(record, 1), spans(record, 12)
    by_year = len(monthly) > MANY_MONTHS
    is_one_year = len(yearly) == 1
    columns = [month.number % 12 for month in monthly] if is_one_year else list(range(12))
    rows = _short_rows if by_year else _full_rows
    extra = ("Hold", DIFFERENCE) if _hold(record) is not None else ()
    return Months(
        corner=str(yearly[0].number) if is_one_year and yearly else "",
        heads=tuple(NAMES[column] for column in columns),
        total_heads=("Year", *extra) if by_year else ("Total",),
        rows=tuple(rows(monthly, yearly, columns)),
        turned_heads=("Skill", *extra),
        turned=tuple(_turned(record, yearly if by_year else monthly, by_year=by_year)),
        by_year=by_year,
    )


def points(record: RunRecord) -> tuple[tuple[str, ...], list[Row]]:
    """The chart's lines as a table: its heads, and a row for each month's end."""
    depth = drawdowns(record.equity)
    ends = spans(record, 1)
    if len(ends) > MANY_POINTS:
        ends = spans(record, 12)
    heads = ("This skill", *(words.baseline(name) for name in record.baselines), "Drawdown")
    series = (record.equity, *record.baselines.values())
    rows = [
        Row(
            words.minute(int(record.ts[end])),
            (
                *(Cell(words.number(float(values[end]))) for values in series),
                Cell(words.percent(float(depth[end]))),
            ),
        )
        for end in (0, *(span.end for span in ends))
    ]
    return heads, rows


def spans(record: RunRecord, months_each: int) -> list[Span]:
    """The months (or, of 12, the years) of a run. A close at midnight belongs to the day that it ends."""
    hold = _hold(record)
    stamps = (record.ts[1:] - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    numbers = (stamps + 1970 * 12) // months_each
    ends = (np.flatnonzero(np.diff(numbers, append=-1)) + 1).tolist()
    return [
        Span(
            int(numbers[end - 1]),
            _growth(record.equity, start, end),
            None if hold is None else _growth(hold, start, end),
            end,
        )
        for start, end in zip([0, *ends], ends, strict=False)
    ]


def _hold(record: RunRecord) -> Floats | None:
    return record.baselines.get("buy-and-hold")


def _growth(values: Floats, start: int, end: int) -> float:
    return float(values[end] / values[start]) - 1.0 if values[start] > 0 else 0.0


def _full_rows(monthly: Sequence[Span], yearly: Sequence[Span], columns: Sequence[int]) -> Iterator[Row]:
    """For each year, a row of the skill's returns, one of the baseline's, and one of their difference."""
    totals = {year.number: year for year in yearly}
    for year, group in groupby(monthly, lambda month: month.number // 12):
        by_column = {month.number % 12: month for month in group}
        total = totals[year]
        own = tuple(_heat(by_column[c].skill) if c in by_column else Cell() for c in columns)
        yield Row(SKILL, own, (_plain(total.skill),), str(year) if len(yearly) > 1 else "")
        if total.hold is not None:
            held = tuple(_heat(by_column[c].hold) if c in by_column else Cell() for c in columns)
            yield Row(HOLD, held, (_plain(total.hold),))
            ahead = tuple(_ahead(by_column[c]) if c in by_column else Cell() for c in columns)
            yield Row(DIFFERENCE, ahead, (_ahead(total),))


def _short_rows(monthly: Sequence[Span], yearly: Sequence[Span], columns: Sequence[int]) -> Iterator[Row]:
    """For each year one row: the skill's months, then the year of both and their difference."""
    by_number = {month.number: month for month in monthly}
    for year in yearly:
        numbers = [year.number * 12 + column for column in columns]
        cells = tuple(_heat(by_number[n].skill) if n in by_number else Cell() for n in numbers)
        extra = (_plain(year.hold), _ahead(year)) if year.hold is not None else ()
        yield Row(str(year.number), cells, (_plain(year.skill), *extra))


def _turned(record: RunRecord, found: Sequence[Span], *, by_year: bool) -> Iterator[Row]:
    """For each month, or year, one row: the skill's return, the baseline's and the difference."""
    years = {span.number // 12 for span in found}
    for span in found:
        month = NAMES[span.number % 12]
        name = str(span.number) if by_year else month if len(years) == 1 else f"{month} {span.number // 12}"
        extra = (_heat(span.hold), _ahead(span)) if span.hold is not None else ()
        yield Row(name, (_heat(span.skill), *extra))
    hold, last = _hold(record), len(record.ts) - 1
    whole = Span(0, _growth(record.equity, 0, last), None if hold is None else _growth(hold, 0, last), last)
    extra = (_plain(whole.hold), _ahead(whole)) if whole.hold is not None else ()
    yield Row("Total", (), (_plain(whole.skill), *extra))


def _plain(fraction: float | None) -> Cell:
    return Cell(words.percent(fraction, 1))


def _ahead(span: Span) -> Cell:
    if span.hold is None:
        return Cell()
    return Cell(words.number((span.skill - span.hold) * 100, 1, signed=True), "t2")


def _heat(fraction: float | None) -> Cell:
    """A return on a background that is the darker the larger it is; none for what reads as zero."""
    text = words.percent(fraction, 1)
    way = words.tone((fraction or 0.0) * 100, 1)
    if fraction is None or not way:
        return Cell(text)
    strength = 1 + (abs(fraction) >= STRONG) + (abs(fraction) >= STRONGEST)
    return Cell(text, f"{'h' if way == 'up' else 'l'}{strength}")
