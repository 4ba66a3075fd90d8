"""How market data is shown: as documents for programs, as lines and tables for people."""

import html
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from control.data import MadeUpRequest, Whole
from db.coverage import Coverage
from db.ingest_cursors import SourceRow
from db.made_up import SYNTHETIC
from db.news import NewsRow
from db.tape import Counts
from domain.time import format_interval, iso
from market.importing import Imported, Kept, Kind, NewsImported
from market.tidy.series import Gap

GAPS_LISTED = 5

NOTHING = (
    "There is no market data yet. Bring some in:\n"
    "  agentic data import bars FILE --symbol BTC --interval 1h\n"
    "or make some up:\n"
    "  agentic data synth --symbol BTC --interval 1h --from 2024-01-01 --to 2025-01-01"
)
_NAMES = {Kind.BARS: "bars", Kind.MARK: "mark prices", Kind.FUNDING: "funding rates"}


def imported_document(done: Imported) -> dict[str, Any]:
    """The stable fields of an import."""
    return {
        "kind": done.kind.value,
        "symbol": done.instrument.symbol,
        "interval": done.interval_ms and format_interval(done.interval_ms),
        "source": done.source,
        "rows": done.rows,
        "new": done.counts.new,
        "unchanged": done.counts.unchanged,
        "revised": done.counts.revised,
        "first_ts": iso(done.first_ts),
        "last_ts": iso(done.last_ts),
        "gaps": done.gaps,
        "made_up_rows_replaced": done.replaced,
        "instrument": {
            "sz_decimals": done.instrument.sz_decimals,
            "max_leverage": done.instrument.max_leverage,
            "assumed": done.instrument.assumed,
            "source": done.instrument.source,
        },
    }


def imported(done: Imported) -> str:
    """What an import did, and what a person should know of it."""
    interval = f"{format_interval(done.interval_ms)} " if done.interval_ms else ""
    lines = [
        f"{done.instrument.symbol} {interval}{_NAMES[done.kind]} from {done.source}:"
        f" {_many(done.rows, 'row')}, {_minute(done.first_ts)} to {_minute(done.last_ts)} UTC",
        f"  {_counted(done.counts)}",
    ]
    if done.interval_ms:
        lines.append(f"  {_gap_summary(done, done.interval_ms)}")
    if done.counts.revised:
        lines.append(
            "  what was revised is known from now on; a replay of the past still sees the old values"
        )
    if done.replaced:
        lines.append(f"  {_many(done.replaced, 'made-up row')} of {done.instrument.symbol} had to go for it")
    if done.instrument.assumed:
        lines.append(f"  {done.instrument.symbol} is not in the instrument table: its facts are assumed")
    return "\n".join(lines)


def news_imported(done: NewsImported) -> str:
    """What an import of news did."""
    lines = [
        f"News: {_many(done.rows, 'story', 'stories')} of {_many(done.sources, 'source')}"
        f" about {_many(done.symbols, 'symbol')}, {_minute(done.first_ts)} to {_minute(done.last_ts)} UTC",
        f"  {_counted(done.counts)}",
    ]
    if done.counts.revised:
        lines.append("  a story that came again changed is left as it first was")
    if done.unused:
        lines.append(f"  fields that were not used: {', '.join(map(_clean, done.unused))}")
    return "\n".join(lines)


def kept_document(kept: Kept, request: MadeUpRequest) -> dict[str, Any]:
    """The stable fields of what was made up."""
    return {
        "symbol": kept.instrument.symbol,
        "interval": format_interval(request.interval_ms),
        "source": SYNTHETIC,
        "seed": request.seed,
        "from": iso(request.from_ts),
        "to": iso(request.to_ts),
        "bars": kept.bars,
        "mark": kept.marks,
        "funding": kept.funding,
        "news": kept.news,
        "made_up_rows_replaced": kept.replaced,
    }


def kept(kept: Kept, request: MadeUpRequest) -> str:
    """What was made up, in two or three lines."""
    lines = [
        f"Made up {kept.instrument.symbol} {format_interval(request.interval_ms)},"
        f" {_minute(request.from_ts)} to {_minute(request.to_ts)} UTC, from seed {request.seed}:",
        f"  {_many(kept.bars, 'bar')} and as many marks, {_many(kept.funding, 'funding rate')},"
        f" {_many(kept.news, 'headline')}",
    ]
    if kept.replaced:
        lines.append(f"  in place of {_many(kept.replaced, 'row')} made up before")
    return "\n".join(lines)


def coverage_document(whole: Whole) -> dict[str, Any]:
    """The stable fields of what there is; a list for each kind."""
    return {
        "bars": [_series_document(one) for one in whole.bars],
        "mark": [_series_document(one) for one in whole.mark],
        "funding": [_series_document(one) for one in whole.funding],
        "news": whole.news,
        "sources": whole.sources,
    }


def coverage(whole: Whole, symbol: str | None) -> RenderableType:
    """A table of what there is; below it the gaps, and the sources from which more comes in."""
    kinds = (("bars", whole.bars), ("mark", whole.mark), ("funding", whole.funding))
    if not (whole.bars or whole.mark or whole.funding or whole.news):
        nothing = f"There is no market data of {symbol}." if symbol else NOTHING
        return "\n".join([nothing, *map(_source_line, whole.sources)])
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for name in ("symbol", "data"):
        table.add_column(name, no_wrap=True)
    for name in ("rows", "gaps"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("from–to", no_wrap=True)
    table.add_column("source", overflow="fold")
    found = sorted(
        ((one, kind) for kind, series in kinds for one in series),
        key=lambda pair: (pair[0].symbol, pair[1], pair[0].interval_ms or 0),
    )
    for one, kind in found:
        table.add_row(*_series_row(one, kind))
    if whole.news:
        table.add_row(*_news_row(whole))
    notes = [line for one, kind in found for line in _notes(one, kind)]
    return Group(table, *map(Text, [*notes, *map(_source_line, whole.sources)]))


def _source_line(source: SourceRow) -> str:
    """When a source answered last, and why it does not now."""
    since = "has not answered yet" if source.pulled_ts is None else f"read at {_minute(source.pulled_ts)} UTC"
    line = f"{_clean(source.source)}: {since}, {_many(source.rows, 'row')} so far"
    if not source.failures:
        return line
    return f"{line}; failed {_many(source.failures, 'time')} since: {_clean(source.error or '')}"


def stories_document(found: list[NewsRow]) -> list[dict[str, Any]]:
    """The stable fields of stories."""
    return [
        {
            "id": row.id,
            "source": row.source,
            "published_ts": iso(row.published_at),
            "available_ts": iso(row.available_at),
            "title": row.title,
            "body": row.body,
            "url": row.url,
            "symbols": row.symbols,
            "category": row.category,
        }
        for row in found
    ]


def stories(found: list[NewsRow]) -> RenderableType:
    """Stories, each with its time, its source and what it is about. Their text is shown, never obeyed."""
    if not found:
        return "No story fits."
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in found:
        about = " · ".join([row.source, ", ".join(row.symbols)] if row.symbols else [row.source])
        table.add_row(
            Text(_minute(row.published_at), "dim"), Text(_clean(html.unescape(row.title))) + _below(about)
        )
    return table


def _series_document(one: Coverage) -> dict[str, Any]:
    return {
        "symbol": one.symbol,
        "interval": one.interval_ms and format_interval(one.interval_ms),
        "rows": one.rows,
        "first_ts": iso(one.first_ts),
        "last_ts": iso(one.last_ts),
        "revisions": one.revisions,
        "missing": one.missing,
        "gap_count": one.gap_count,
        "gaps": [{"from": iso(begin), "to": iso(end)} for begin, end in one.gaps],
        "sources": one.sources,
    }


def _series_row(one: Coverage, kind: str) -> list[str]:
    return [
        one.symbol,
        _called(one, kind),
        f"{one.rows:,}",
        f"{one.gap_count:,}" if one.gap_count else "",
        f"{iso(one.first_ts)[:10]}–{iso(one.last_ts)[:10]}",
        "\n".join(one.sources),
    ]


def _called(one: Coverage, kind: str) -> str:
    return f"{format_interval(one.interval_ms)} {kind}" if one.interval_ms else kind


def _news_row(whole: Whole) -> list[str]:
    first, last = min(one.first_ts for one in whole.news), max(one.last_ts for one in whole.news)
    rows = sum(one.rows for one in whole.news)
    sources = _clean(whole.news[0].source) if len(whole.news) == 1 else f"{len(whole.news):,} sources"
    return ["", "news", f"{rows:,}", "", f"{iso(first)[:10]}–{iso(last)[:10]}", sources]


def _notes(one: Coverage, kind: str) -> list[str]:
    """What is to be known of a series besides its row: revisions and gaps."""
    name = f"{one.symbol} {_called(one, kind)}"
    lines = [f"{name}: {_many(one.revisions, 'revision')} of rows"] if one.revisions else []
    if not one.gap_count or not one.interval_ms:
        return lines
    lines.append(f"{name}: {_many(one.gap_count, 'gap')}, {_many(one.missing, 'bar')} missing")
    for begin, end in one.gaps[:GAPS_LISTED]:
        bars = (end - begin) // one.interval_ms
        lines.append(f"  {_minute(begin)} to {_minute(end)} UTC, {_many(bars, 'bar')}")
    if one.gap_count > GAPS_LISTED:
        lines.append(f"  and {_many(one.gap_count - GAPS_LISTED, 'more gap')}")
    return lines


def _gap_summary(done: Imported, interval_ms: int) -> str:
    gaps = done.gaps
    if gaps.first is None or gaps.longest is None:
        return "no gaps"
    parts = [f"{_many(gaps.count, 'gap')}, {_many(gaps.missing, 'bar')} missing"]
    parts.append(f"the first from {_gap(gaps.first, interval_ms)}")
    if gaps.longest != gaps.first:
        parts.append(f"the longest from {_gap(gaps.longest, interval_ms)}")
    return "; ".join(parts)


def _gap(gap: Gap, interval_ms: int) -> str:
    return f"{_minute(gap.ts)} to {_minute(gap.ts + gap.bars * interval_ms)} UTC ({_many(gap.bars, 'bar')})"


def _counted(counts: Counts) -> str:
    return f"{counts.new:,} new, {counts.unchanged:,} there already, {counts.revised:,} revised"


def _many(count: int, one: str, several: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _minute(ts: int) -> str:
    return iso(ts)[:16].replace("T", " ")


def _below(about: str) -> Text:
    return Text(f"\n{_clean(about)}", "dim")


def _clean(text: str) -> str:
    """A text from outside, without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
