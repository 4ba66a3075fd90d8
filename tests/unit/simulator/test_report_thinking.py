"""The report of a model's run: what it may remember, what its thinking took, and what the runs beside it came to."""

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.inference import Inference
from domain.time import DAY_MS
from simulator.metrics import compute
from simulator.record import Beside, RunRecord
from simulator.report import batch, memory, render, words
from simulator.report.headline import figures, notices
from simulator.report.thought import thought
from simulator.report.trade_rows import LONG_WHY
from tests.unit.simulator.html_check import Page, check_form
from tests.unit.simulator.samples import START
from tests.unit.simulator.shapes import run_of, sibling_of, thinking, thinking_with, week


def page_of(record: RunRecord) -> Page:
    """The report of a run, read and found to be in order."""
    return check_form(render(record, compute(record)))


def told(record: RunRecord) -> list[tuple[str, str]]:
    """The levels of the notices and their first sentences."""
    return [(notice.level, notice.strong) for notice in notices(record, compute(record))]


def headline(record: RunRecord) -> dict[str, Any]:
    """The headline's figures by name."""
    return {figure.name: figure for figure in figures(record, compute(record))}


HALF = "55% of this run lies before the model's knowledge ends (2025-02-03)."
ALL = "All of this run lies before the model's knowledge ends (2025-04-10)."
UNKNOWN = "Nobody knows when this model's knowledge ends."


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, ("warn", HALF)),
        ({"cutoff_ts": START + 99 * DAY_MS}, ("bad", ALL)),
        ({"cutoff_ts": None}, ("bad", UNKNOWN)),
        ({"cutoff_ts": None, "masked": True}, ("warn", UNKNOWN)),
    ],
)
def test_what_may_be_memory_is_said_first(changes: dict[str, Any], first: tuple[str, str]) -> None:
    """The louder, the more of it; hiding names and dates makes it less bad."""
    assert told(thinking_with(**changes))[0] == first


@pytest.mark.parametrize("record", [thinking_with(cutoff_ts=START), week()], ids=["unseen", "baseline"])
def test_a_run_that_no_one_can_remember_is_not_warned_of(record: RunRecord) -> None:
    """Neither one that lies after the cutoff, nor a baseline's; and no part of the chart is shaded."""
    assert not [strong for _, strong in told(record) if "knowledge" in strong]
    assert "Unseen period only" not in headline(record)
    assert 'class="before"' not in render(record, compute(record))


def test_the_unseen_period_shares_the_headline() -> None:
    """Its return beside that of holding; where there is none, the reason."""
    split = compute(thinking()).split
    assert split is not None
    assert split.after is not None
    assert split.after.hold is not None

    shown = headline(thinking())["Unseen period only"]
    assert shown.value == words.percent(split.after.total_return)
    assert shown.notes == (f"hold {words.percent(split.after.hold.total_return)} since 3 Feb 2025",)
    nothing = headline(thinking_with(cutoff_ts=None))["Unseen period only"]
    assert (nothing.value, nothing.notes) == ("none", ("the cutoff is unknown",))


def test_the_chart_is_shaded_as_far_as_memory_reaches() -> None:
    """Every pane, for the share of the run that lies before."""
    html = render(thinking(), compute(thinking()))

    assert html.count('<rect class="before" width="550.0" height="1000"/>') == 3


def test_both_sides_stand_beside_holding() -> None:
    """Four columns, and each side's own trades and share."""
    found = memory.sides(compute(thinking()), is_masked=False)
    assert found is not None

    rows = {row.name: row.values for row in found.rows}
    assert [(head.name, head.note) for head in found.heads] == [
        ("Before 3 Feb 2025", "may be memory"),
        ("From 3 Feb 2025", "unseen"),
    ]
    assert rows["Share of the run"] == ("55.0%", "", "45.0%", "")
    assert {len(values) for values in rows.values()} == {4}


@pytest.mark.parametrize(
    ("shape", "head", "sentence"),
    [
        ("thinking, all of it memory", "Before 10 Apr 2025", "No part of this run is unseen"),
        ("thinking, all of it unseen", "From 1 Jan 2025", "All of this run lies after"),
        ("thinking, unknown", "Whole run", "Nobody knows"),
    ],
)
def test_a_side_that_is_not_there_has_no_column(shape: str, head: str, sentence: str) -> None:
    """And why it is not there stands under the table."""
    found = memory.sides(compute(run_of(shape)), is_masked=False)
    assert found is not None

    assert [each.name for each in found.heads] == [head]
    assert found.note.startswith(sentence)


@pytest.mark.parametrize("shape", ["one trade", "thinking, one point"])
def test_there_is_no_table_of_sides_where_nothing_can_be_figured(shape: str) -> None:
    """For a baseline, or a run of an instant."""
    assert memory.sides(compute(run_of(shape)), is_masked=False) is None


def test_thinking_is_shown_with_what_went_wrong() -> None:
    """Tokens, cost, malformed output by kind, how ticks were ended, and the latest of them with their reasons."""
    text = page_of(thinking()).text()

    for sentence in (
        "Calls2,460",
        "Prompt tokens9,832,000",
        "of them read from the cache9,120,000",
        "Answer tokens1,210,400",
        "Failed ticks1 of 1,441",
        "Cost of a tick$0.0168",
        "Cost$24.18",
        "Malformed 44 in 2,460 calls",
        "wrong type31",
        "timeout 2025-01-28 00:00no answer within 120 s",
        "Net of inference",
        "Inference, 1,441 ticks−24.18",
    ):
        assert sentence in text, sentence


def test_the_latest_ends_come_first() -> None:
    """A reader looks for what happened last."""
    found = thought(thinking(), compute(thinking()))
    assert found is not None

    assert [each.kind for each in found.latest] == ["timeout", "calls", "malformed"]


def test_a_price_that_is_unknown_is_said_so_everywhere() -> None:
    """Never 0, neither whole nor for a tick."""
    record = thinking_with(inference=Inference(calls=9, cost_usd=None), beside=None)
    text = page_of(record).text()

    assert re.findall(r"Cost(?: of a \w+)?(unknown|\$\S+)", text) == ["unknown"] * 3
    assert "Return before inference" in text
    assert "Inference, 1,441 ticksunknown" in text


def test_a_baseline_does_not_think() -> None:
    """Its report says nothing of models."""
    text = page_of(week()).text()

    for word in ("Thinking", "Malformed", "cutoff", "Masked", "Spread over"):
        assert word not in text, word


def test_what_a_model_said_last_is_behind_its_trades() -> None:
    """Its words stand among the reasons, once, and no more of them than a reader can bear."""
    long = "word " * LONG_WHY
    decisions = {
        name: msgspec.structs.replace(each, note=long) for name, each in thinking().decisions.items()
    }
    page = page_of(thinking_with(decisions=decisions))

    assert "so I go with it and keep the stop" in page_of(thinking()).text()
    assert "word word" in page.text()
    assert max(len(text) for tag, text in page.texts if tag == "p") <= LONG_WHY


def test_a_masked_run_says_so_on_its_head() -> None:
    """Beside the title and among the notices; the control stands beside the plain run with the gap."""
    record = run_of("thinking, masked")
    text = page_of(record).text()

    assert "Masked: symbols, dates and prices hidden" in text
    assert ("info", "This is a masked run.") in told(record)
    assert told(record)[0] == ("warn", "55% of this run lies before the model's knowledge ends.")
    assert "Before the cutoff" in text
    assert "since the cutoff" in text
    assert "Net return+10.00%+2.00%+8.00 pp" in text
    assert "Spread over" not in text
    assert "Masked:" not in page_of(thinking()).text()


def test_the_spread_has_a_place_for_every_run() -> None:
    """From least to most, this run among them, 0 and holding too; all inside the picture."""
    found = batch.batch(thinking(), compute(thinking()))
    assert found is not None
    assert found.strip is not None
    assert found.strip.hold is not None

    places = [dot.at for dot in found.strip.dots]
    assert (min(places), max(places)) == (found.strip.low, pytest.approx(found.strip.low + found.strip.width))
    assert [dot.title for dot in found.strip.dots if dot.is_own] == ["Run 3: +1.83%"]
    assert found.strip.dots[-1].is_own
    assert all(0 < at < 100 for at in (*places, found.strip.zero.at, found.strip.hold.at))
    assert [row.name for row in found.each if row.is_own] == ["3 · this one"]
    assert found.verdict == "All 5 runs earned. All 5 runs beat buy and hold."


def test_the_other_runs_are_among_the_notices() -> None:
    """A reader of one run hears at once how far the others lie."""
    text = page_of(thinking()).text()

    assert "5 runs of the same gave +1.8% to +18.0%." in text
    assert "median of 5 runs: +13.60%" in text


def test_a_figure_that_some_runs_lack_says_how_many_have_it() -> None:
    """A band over one of two runs is not taken for one over both."""
    record = run_of("thinking, unknown")
    found = batch.batch(record, compute(record))
    assert found is not None

    assert [row.name for row in found.figures][:3] == [
        "Net return, 1 of 2 runs",
        "Total return",
        "Sharpe, 1 of 2 runs",
    ]
    assert found.each[0].values[0] == "unknown"
    assert [row.values[2] for row in found.control][:2] == ["unknown", "−1.50 pp"]


def test_of_many_runs_some_are_listed() -> None:
    """All are on the strip, twenty in the table."""
    record = run_of("thinking, a hundred runs")
    found = batch.batch(record, compute(record))
    assert found is not None
    assert found.strip is not None

    assert (len(found.strip.dots), len(found.each), found.more) == (100, 20, 80)


@pytest.mark.parametrize("beside", [None, Beside(()), Beside((sibling_of(0, 0.1),))])
def test_a_run_that_stands_alone_has_no_spread(beside: Beside | None) -> None:
    """One run has no band."""
    record = thinking_with(beside=beside)

    assert batch.batch(record, compute(record)) is None
    assert "Spread over" not in page_of(record).text()


@pytest.mark.parametrize(
    ("cost", "text"),
    [("41.863", "$41.86"), ("0.8421", "$0.8421"), ("0.001234", "$0.001234"), ("0", "$0.00"), ("1", "$1.00")],
)
def test_a_cost_is_written_the_finer_the_smaller(cost: str, text: str) -> None:
    """A tick's cost is a fraction of a cent."""
    assert words.inference(Decimal(cost)) == text
