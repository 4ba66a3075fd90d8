"""Runs as the sim commands write them: their figures, what a model may remember, and what its thinking took."""

import io
import json
import re
from typing import Any
from uuid import UUID

import msgspec
import pytest
from rich.console import Console

from cli import sim_views as views
from cli.figures import figure
from db.runs import RunRow
from domain.inference import Inference
from domain.time import DAY_MS
from simulator.metrics import as_dict, compute
from simulator.record import Beside, RunRecord
from tests.unit.simulator.samples import START
from tests.unit.simulator.shapes import run_of, sibling_of, thinking, thinking_with, week


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (0.0542, "percent", "+5.42%"),
        (-0.2013, "percent", "−20.13%"),
        (-0.0000001, "percent", "0.00%"),
        (9.4e70, "percent", "over +1,000,000%"),
        (None, "percent", "–"),
        ("7986.754", "usd", "7,986.75"),
        (-0.201, "rough", "−20.1%"),
        (0.157, "points", "+15.70 pp"),
        (0.0, "points", "0.00 pp"),
        (7.0, "tally", "7"),
        (7.5, "tally", "7.5"),
        (-7.0, "signed_tally", "−7"),
        ("0.8421", "cost", "0.8421"),
        ("24.18", "cost", "24.18"),
        ("0", "cost", "0.00"),
        (None, "cost", "unknown"),
        (None, "net", "unknown"),
    ],
)
def test_a_figure_is_short_and_has_its_sign(value: float | str | None, form: str, expected: str) -> None:
    """Also a gain that, annualised, has more digits than a table has room for."""
    assert figure(value, form) == expected


def row_of(record: RunRecord, **config: Any) -> RunRow:
    """A finished run as the database gives it back: through JSON, and without the order of what it counted."""
    kept = json.loads(json.dumps(as_dict(compute(record)), sort_keys=True))
    return RunRow(
        id=UUID(record.run_id),
        user_id=UUID(int=0),
        skill_version_id=UUID(int=1),
        skill_name=record.skill_name,
        skill_number=record.skill_version,
        status="done",
        created_ts=0,
        started_ts=0,
        finished_ts=0,
        config={"from_ts": record.from_ts, "to_ts": record.to_ts, "cutoff_ts": record.cutoff_ts, **config},
        manifest=None,
        warnings=[],
        error=None,
        progress=1.0,
        worker=None,
        report_path=None,
        metrics=kept,
        digests=None,
        baselines=kept["baselines"],
        batch=None,
    )


def written(shown: Any, width: int = 100) -> str:
    """What stands on a terminal of so many columns, with runs of blanks as one."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return re.sub(r" +", " ", console.file.getvalue())


def result_of(record: RunRecord, **config: Any) -> str:
    """A run's result with those beside it."""
    return written(views.result(row_of(record, **config), record.beside))


def test_a_models_run_shows_all_that_qualifies_it() -> None:
    """Memory first, then net return beside holding, both sides, thinking, the band, whether it agrees, the control."""
    text = result_of(thinking())

    lines = [
        "55% of this run lies before the model's knowledge ends (2025-02-03). It may remember how it went.",
        "Net return +1.83% −28.20% 0.00%",
        "Total return +2.07% −28.20% 0.00%",
        "Inference, USD 24.18",
        "Split at the cutoff Before 2025-02-03 Hold From 2025-02-03 Hold",
        "Trades 14 13",
        "Share of the run 55.00% 45.00%",
        "Tokens in 9,832,000",
        "Cost of a tick, USD 0.0168",
        "Malformed 44",
        " wrong type 31\n unknown tool 9\n prose 4",
        "Ended early 6",
        "Over 5 runs Least Median Most Mean Deviation",
        "Net return +1.83% +13.60% +18.00% +10.11% 7.31 pp",
        "All 5 runs earned. All 5 runs beat buy and hold.",
        "Masked control Plain Masked Gap",
        "Net return +13.60% −2.10% +15.70 pp",
    ]
    assert [line for line in lines if line not in text] == []
    assert [text.find(line) for line in lines] == sorted(text.find(line) for line in lines)


def test_what_is_unknown_is_said_so() -> None:
    """The price of a model, and with it what is left after it; never 0."""
    record = run_of("thinking, unknown")
    text = result_of(record)

    for line in (
        "Nobody knows when this model's knowledge ends. All of this run may be memory.",
        "Net return unknown −28.20%",
        "Inference, USD unknown",
        "Cost of a tick, USD unknown",
        "All, may be memory",
        "Net return, 1 of 2 +2.00%",
        "Net return +2.00% unknown unknown",
    ):
        assert line in text, line


def test_without_a_trade_there_is_no_cost_of_one() -> None:
    """A share of a known cost among no trades is undefined, which is not unknown."""
    assert "Cost of a trade, USD –" in result_of(thinking_with(fills=(), funding=(), beside=None))


def test_a_baselines_run_says_nothing_of_models() -> None:
    """No split, no thinking, no net return: there is nothing to take off."""
    text = result_of(week())

    for word in ("cutoff", "knowledge", "Thinking", "Net return", "Over", "Masked"):
        assert word not in text, word
    assert "Inference, USD 0.00" in text


def test_a_masked_run_is_told_by_the_real_cutoff() -> None:
    """Its own figures are of a world some years later; people read the settings' date."""
    later = thinking_with(cutoff_ts=START + 33 * DAY_MS, masked=True, beside=None)
    text = result_of(later, cutoff_ts=START + 5 * DAY_MS, mask=True)

    assert "· masked" in text
    assert "(2025-01-06)" in text
    assert "2025-02-03" not in text


def test_a_list_has_a_cost_where_one_was_paid() -> None:
    """Unknown where its price is, and no column at all among baselines."""
    unknown = thinking_with(inference=Inference(calls=1, cost_usd=None))
    rows = [row_of(thinking()), row_of(unknown), row_of(week())]
    head, *lines = written(views.listing(rows)).splitlines()

    assert head.split() == [*views.LISTED, "Cost"]
    assert [line.split()[-1] for line in lines] == ["24.18", "unknown", "0.00"]
    assert "Cost" not in written(views.listing([row_of(week())]))


def test_where_it_is_narrow_figures_go_before_a_name_is_broken() -> None:
    """On eighty columns: the drawdown first, then as many more as the longest name and a status need."""
    row = row_of(thinking())
    stopped = msgspec.structs.replace(row, status="interrupted", metrics=None, skill_name="btc-mind-from-5e")
    head, *lines = written(views.listing([row, stopped]), width=80).splitlines()

    assert head.split() == ["Run", "Skill", "From", "To", "Result", "Hold", "Cost"]
    assert len(lines) == 2
    assert "btc-mind-from-5e@7" in lines[1]


def test_a_masked_run_is_marked_in_a_list() -> None:
    """What it earned is not the plain run's; the mark is explained below, and only where there is one."""
    plain, masked = row_of(thinking()), row_of(thinking_with(masked=True), mask=True)
    *_, line, note = written(views.listing([plain, masked])).splitlines()

    assert "%†" in line
    assert note.startswith("† masked")
    assert "†" not in written(views.listing([plain]))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("the key for models was refused", "\nonce that is put right, `agentic sim resume "),
        (views.BY_HAND, "stopped by hand\n`agentic sim resume "),
        (None, "is interrupted\n`agentic sim resume "),
    ],
)
def test_a_stopped_run_says_why_and_when_it_goes_on(error: str | None, expected: str) -> None:
    """What stopped it would stop it again."""
    row = msgspec.structs.replace(row_of(week()), status="interrupted", metrics=None, error=error)

    assert expected in str(views.result(row))


def test_failed_ticks_are_told_before_the_figures() -> None:
    """A result of a model that was not reached is none; where the reason stands is said."""
    text = result_of(thinking_with(ticks={"hold": 20, "failed": 10}))

    assert "10 of 30 ticks failed. No decision was made there; `agentic decisions " in text
    assert text.index("ticks failed") < text.index("Net return")
    assert "ticks failed" not in result_of(thinking_with(ticks={"hold": 30}))


def test_a_short_run_says_how_far_its_annual_figures_reach() -> None:
    """A year's return of a week is a guess; that of a run without a fill is not, and needs no word."""
    assert "Annualised figures reach far. The run lasted 7 days; a year is 52 times that." in result_of(
        week()
    )
    assert "Annualised" not in result_of(thinking_with(from_ts=START, to_ts=START + 90 * DAY_MS))


def test_a_comparison_has_costs_and_net_returns() -> None:
    """Side by side, also with a run whose price is not known."""
    unknown = thinking_with(inference=Inference(calls=1, cost_usd=None))
    text = written(views.comparison([row_of(thinking()), row_of(unknown)]))

    assert "Net return +1.83% unknown" in text
    assert "Inference, USD 24.18 unknown" in text


@pytest.mark.parametrize("beside", [None, Beside(()), Beside((sibling_of(0, 0.1),))])
def test_a_run_that_stands_alone_has_no_band(beside: Beside | None) -> None:
    """One run has none."""
    assert "Over" not in result_of(thinking_with(beside=beside))
