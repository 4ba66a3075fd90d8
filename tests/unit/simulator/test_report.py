"""The report stands by itself: well-formed, harmless and small, whatever the run was like."""

import json
import re
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from domain.time import HOUR_MS
from simulator.metrics import compute
from simulator.record import RunRecord
from simulator.report import render
from tests.unit.simulator.html_check import Page, check_form
from tests.unit.simulator.samples import START, equity_record, record_of, walk
from tests.unit.simulator.shapes import (
    LONG_WORD,
    RIGHT_TO_LEFT,
    SHAPES,
    alternating,
    hostile,
    run_of,
    week_with,
)


def report_of(record: RunRecord) -> str:
    """The report of a run."""
    return render(record, compute(record))


def page_of(record: RunRecord) -> Page:
    """The report of a run, read and found to be in order."""
    return check_form(report_of(record))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_run_has_a_report(shape: str) -> None:
    """It is well-formed, loads nothing, runs our script alone, and never shows a nan or a None."""
    page = page_of(run_of(shape))

    text = page.text()
    assert not re.search(r"\b(nan|inf|None|Decimal|Undefined)\b", text)
    assert "{{" not in text or shape.startswith("hostile")
    samples = json.loads(page.inside("script")[0])
    assert len({len(samples["at"]), len(samples["time"]), *map(len, samples["columns"].values())}) == 1


def test_what_people_wrote_is_shown_as_they_wrote_it() -> None:
    """Markup in names, reasons and warnings is text: it can be read, and does nothing."""
    html = report_of(hostile())
    page = check_form(html)

    assert "<img" not in html
    assert "<b>&amp;{{" not in html
    assert "<img src=x onerror=alert(1)>" in page.text()
    assert "{{ 7*7 }}" in page.text()
    assert RIGHT_TO_LEFT in page.text()
    assert LONG_WORD in page.text()


def test_reports_differ_only_where_runs_do() -> None:
    """The same run gives the same bytes; another id changes nothing but the id."""
    record = run_of("one trade")
    other = msgspec.structs.replace(record, run_id="another-id")

    assert report_of(record) == report_of(record)
    assert report_of(other) == report_of(record)


def test_the_order_in_which_things_were_kept_does_not_show() -> None:
    """A run that was read back, its manifest and counts in another order, has the same report."""
    manifest = {
        "caps": {"a": 1, "b": None},
        "data": [{"rows": 1, "digest": "x"}],
        "code": "1",
        "skill": {"name": "n"},
    }
    counts = {"max_order_usd": 2, "price_band_pct": 2, "cooldown": 5}
    kept = week_with(manifest=manifest, refusals=counts, ticks=counts)
    read_back = week_with(manifest=turned(manifest), refusals=turned(counts), ticks=turned(counts))

    assert report_of(read_back) == report_of(kept)


def turned(value: Any) -> Any:
    """The same, with the keys of every dictionary in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


def test_the_ledger_is_named_where_it_was_kept() -> None:
    """Its digest stands beside the report's, and is not missed where there is none."""
    assert "Ledgersha256 abc" in page_of(week_with(ledger_digest="abc")).text().replace("Ledger ", "Ledger")
    assert "Ledger" not in page_of(run_of("one trade")).text()


def test_a_report_of_a_hundred_thousand_bars_is_small() -> None:
    """Lines are thinned and the latest trades listed, so that the size hardly grows with the run."""
    curve = equity_record(np.exp(np.cumsum(np.random.default_rng(1).normal(9e-5, 0.01, 100_001))))
    traded = run_of("thousands of trades")
    made = {name: getattr(traded, name) for name in ("fills", "funding", "decisions", "order_decisions")}
    long = msgspec.structs.replace(curve, prices={"BTC": walk(100_000)}, **made)

    assert len(report_of(long).encode()) < 500_000


@pytest.mark.parametrize(
    ("modelled", "funding", "after"),
    [
        (True, True, "after all costs"),
        (True, False, "after fees, spread and impact"),
        (False, True, "after fees and funding"),
        (False, False, "after fees alone"),
    ],
)
def test_a_result_says_which_costs_it_is_after(modelled: bool, funding: bool, after: str) -> None:
    """A run without costs never looks like one with them."""
    manifest = {"costs": {"modelled": modelled}, "run": {"funding": funding}}

    assert f" {after}" in page_of(week_with(manifest=manifest)).text()


def test_the_panels_are_all_there() -> None:
    """Equity against baselines, drawdown, price, months, trades, costs, refusals, data and manifest."""
    text = page_of(run_of("refused")).text()

    for name in (
        "Net return",
        "Against buy and hold",
        "Equity, USD",
        "Stay flat",
        "Drawdown",
        "BTC price, USD",
        "Returns by month",
        "Return and risk",
        "Where the money went",
        "Fees",
        "Slippage and impact",
        "Funding",
        "Refused orders",
        "max_order_usd",
        "Data",
        "Manifest",
    ):
        assert name in text, name


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ("no trades", "Nothing was traded. Of 168 ticks: 168 hold."),
        ("liquidated", "Liquidated. At 2025-01-03 02:00, equity of $40.00 was below two thirds of the maintenance"),
        ("synthetic", "The data is synthetic. A program made BTC: the result says nothing about a market."),
        ("warned", "A gap. It lasted."),
        ("inference unknown", "The price of baseline:sma-cross is not known."),
        ("failed ticks", "2 ticks failed."),
        ("one trade", "Annualised figures reach far. The run lasted 7 days; a year is 52 times that."),
        ("four symbols", "Without the price of X."),
        ("thousands of trades", "Marked are the trades that won or lost most: 50 of 4,000 in BTC."),
        ("thousands of trades", "The 3,950 earlier trades are in the export"),
        ("still open", "1 more still open"),
        ("empty manifest", "The manifest says nothing of its data."),
        ("no ticks", "No tick was due."),
        ("inference paid", "Inference, 168 ticks−0.8421"),
    ],
)  # fmt: skip
def test_what_makes_a_result_worth_less_is_said(shape: str, sentence: str) -> None:
    """Each thing to know before reading on has its sentence."""
    assert sentence in page_of(run_of(shape)).text()


def test_an_ordinary_run_is_not_warned_of() -> None:
    """The sentences above stand only where they are true."""
    long = record_of({"BTC": walk(24 * 100)}, alternating(100))
    text = page_of(long).text()

    for word in (
        "Liquidated.",
        "synthetic",
        "not known",
        "failed",
        "reach far",
        "Nothing was traded",
        "assumed",
    ):
        assert word not in text, word


def test_a_trade_leads_to_its_reasons_and_what_became_of_them() -> None:
    """The reasons, the verdict and the fills behind a trade stand in its row."""
    text = page_of(run_of("one trade")).text()

    assert "Long 0.1 BTC" in text
    assert text.index("it rose") < text.index("Approved buy 0.1 BTC") < text.index("Bought 0.1 at")
    assert "by baseline:sma-cross" in text


def test_months_are_those_of_the_equity_curve() -> None:
    """Each month's return is from the close before it to its own last close, and a year has them all."""
    record = record_of({"BTC": walk(24 * 120)})
    rising = np.geomspace(10_000.0, 20_000.0, len(record.ts))
    months = [(record.ts > start) & (record.ts <= end) for start, end in month_edges(4)]
    grown = [rising[inside][-1] / rising[np.flatnonzero(inside)[0] - 1] - 1 for inside in months]
    text = page_of(msgspec.structs.replace(record, equity=rising, baselines={})).text()

    assert f"This skill{''.join(f'+{each:.1%}' for each in grown)}+100.0%" in text


def month_edges(count: int) -> list[tuple[int, int]]:
    """The first instants of the run's months and of the months after them, UTC ms."""
    first = np.datetime64("2025-01") + np.arange(count + 1)
    instants = first.astype("datetime64[ms]").astype(np.int64).tolist()
    return list(pairwise(instants))


def test_a_line_keeps_its_extremes_and_few_points() -> None:
    """However long the run, the lowest and the highest equity are on the drawn line."""
    equity = np.full(100_000, 10_000.0)
    equity[33_333], equity[77_777] = 2_000.0, 15_000.0
    html = report_of(equity_record(equity))
    (path,) = re.findall(r'class="ln ln--eq" d="(M[^"]+L[^"]+)"', html)
    heights = [float(point.split()[1]) for point in re.split("[ML]", path[1:])]

    assert len(heights) <= 1_400
    assert max(heights) - min(heights) == pytest.approx(1000 / 1.12, abs=0.2)


def test_a_gap_in_the_prices_is_a_gap_in_the_line() -> None:
    """Missing bars are not joined over, and the manifest names them."""
    bars = walk(100)
    holed = msgspec.structs.replace(
        bars,
        **{name: np.delete(getattr(bars, name), slice(40, 50)) for name in
           ("ts", "open", "high", "low", "close", "volume")},
    )  # fmt: skip
    gaps = [{"from_ts": START + 40 * HOUR_MS, "missing": 10}]
    record = record_of({"BTC": bars}, prices={"BTC": holed}, manifest={"data": {"BTC": {"gaps": gaps}}})
    html = report_of(record)
    (path,) = re.findall(r'class="ln ln--ink" d="([^"]+)"', html)

    assert path.count("M") == 2
    assert "1 gap: 10 bars missing from 2025-01-02T16:00:00Z" in check_form(html).text()
