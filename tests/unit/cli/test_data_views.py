"""How market data looks in a terminal of 80 columns."""

import io

from rich.console import Console

from cli import data_views as views
from control.data import Whole
from db.coverage import Coverage, NewsCoverage
from db.ingest_cursors import SourceRow
from db.news import NewsRow
from domain.time import DAY_MS, HOUR_MS
from tests.unit.market.samples import T0


def drawn(shown: object) -> list[str]:
    """What a terminal of 80 columns shows."""
    console = Console(file=io.StringIO(), width=80, highlight=False, markup=False, emoji=False)
    console.print(shown)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def series(symbol: str, **replaced: object) -> Coverage:
    """A series of a million hours."""
    values = {
        "symbol": symbol,
        "interval_ms": HOUR_MS,
        "rows": 1_000_000,
        "first_ts": T0,
        "last_ts": T0 + 400 * DAY_MS,
        "revisions": 0,
        "missing": 0,
        "gap_count": 0,
        "gaps": (),
        "sources": ("hyperliquid",),
    }
    return Coverage(**values | replaced)  # type: ignore[arg-type]


def test_a_table_of_everything_fits_and_nothing_is_cut_off() -> None:
    """The longest numbers and names there usually are, in 80 columns, without an ellipsis."""
    gaps = tuple((T0 + day * DAY_MS, T0 + day * DAY_MS + HOUR_MS) for day in range(50))
    whole = Whole(
        bars=[series("BTC", gaps=gaps, gap_count=1200, missing=1200, revisions=3), series("1000PEPE")],
        mark=[series("BTC", sources=("binance-perp", "hyperliquid"))],
        funding=[series("BTC", interval_ms=None)],
        news=[NewsCoverage("Wire", 25_636, T0, T0 + DAY_MS), NewsCoverage("Daily", 1, T0, T0)],
    )

    lines = drawn(views.coverage(whole, None))

    assert not any("…" in line for line in lines)
    assert [line.split()[:2] for line in lines[3:9]] == [
        ["1000PEPE", "1h"],
        ["BTC", "1h"],
        ["BTC", "funding"],
        ["BTC", "1h"],
        ["hyperliquid"],
        ["news", "25,637"],
    ]
    assert lines[4].split() == [
        "BTC",
        "1h",
        "bars",
        "1,000,000",
        "1,200",
        "2024-05-01–2025-06-05",
        "hyperliquid",
    ]
    assert "BTC 1h bars: 3 revisions of rows" in lines
    first = lines.index("BTC 1h bars: 1,200 gaps, 1,200 bars missing")
    assert lines[first + 1] == "  2024-05-01 00:00 to 2024-05-01 01:00 UTC, 1 bar"
    assert lines[first + views.GAPS_LISTED + 1] == "  and 1,195 more gaps"


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    """Escape sequences, line breaks and markup of a story are plain text."""
    row = NewsRow(
        source="Wire\x07",
        id="1",
        published_at=T0,
        first_seen_at=None,
        available_at=T0,
        title="a\x1b]0;owned\x07\nb &lt;b&gt; [red]c[/red] &#x1b;[2J",
        body=None,
        url=None,
        symbols=["BTC"],
        category=None,
        sentiment=None,
    )

    assert drawn(views.stories([row])) == [
        "2024-05-01 00:00  a ]0;owned  b <b> [red]c[/red] &#x1b;[2J".replace("&#x1b;", ""),
        "                  Wire  · BTC",
    ]


def test_a_source_says_when_it_answered_and_why_it_does_not_now() -> None:
    """Also where nothing has come in from it yet."""
    well = SourceRow("wire", T0, 1_234, 0, None)
    ill = SourceRow("venue", None, 0, 3, "no route\x1b")
    empty = Whole(bars=[], mark=[], funding=[], news=[], sources=[ill])
    full = Whole(bars=[series("BTC")], mark=[], funding=[], news=[], sources=[well, ill])

    said = "venue: has not answered yet, 0 rows so far; failed 3 times since: no route"
    assert drawn(views.coverage(empty, "BTC")) == ["There is no market data of BTC.", said]
    assert drawn(views.coverage(full, None))[-2:] == [
        "wire: read at 2024-05-01 00:00 UTC, 1,234 rows so far",
        said,
    ]
