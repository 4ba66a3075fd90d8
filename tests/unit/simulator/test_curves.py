"""The figures of an equity series are those that everybody else computes, and None where nobody can."""

import csv
import gzip
import json
import math
import re
from pathlib import Path

import empyrical
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Floats
from domain.time import DAY_MS, HOUR_MS, YEAR_MS
from simulator.metrics import Metrics, as_dict, compute
from tests.unit.simulator.samples import equity_record

RECORDED = Path(__file__).parents[4] / "shared" / "data"
"""Recorded market data beside the repository; where there is none, the tests that need it are skipped."""

NEGATIVE = [0.0, -0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05]
ALL_NEGATIVE = [-0.02, -0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05]
MIXED = [0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1]
BENCHMARK = [0.0, 0.01, 0.0, 0.01, 0.0, 0.01, 0.0, 0.01, 0.0]

EMPYRICAL_YEAR = 252
"""The days in a year of the published cases; ours has 365."""

some_returns = st.lists(
    st.floats(-0.5, 1.0).map(lambda each: round(each, 6)), min_size=2, max_size=60
).filter(lambda each: len(set(each)) > 1)


def figures(returns: list[float] | Floats, interval_ms: int = DAY_MS) -> Metrics:
    """The figures of a run that made these returns, one in each interval."""
    return compute(equity_record(10_000.0 * np.cumprod([1.0, *(1.0 + np.array(returns))]), interval_ms))


def figures_of(*equity: float, interval_ms: int = HOUR_MS) -> Metrics:
    """The figures of a run with these equity points."""
    return compute(equity_record(np.array(equity), interval_ms))


def defined(value: float) -> float | None:
    """The other library's nan and infinity are our None."""
    return float(value) if math.isfinite(value) else None


@given(some_returns, st.sampled_from([HOUR_MS, 4 * HOUR_MS, DAY_MS]))
def test_figures_are_those_of_empyrical(returns: list[float], interval_ms: int) -> None:
    """Returns, volatility, Sharpe, Sortino, drawdown and Calmar agree on any series that varies."""
    ours, year, series = figures(returns, interval_ms), YEAR_MS // interval_ms, np.array(returns)

    assert ours.total_return == pytest.approx(empyrical.cum_returns_final(series), abs=1e-9)
    assert ours.volatility == pytest.approx(empyrical.annual_volatility(series, annualization=year))
    assert ours.sharpe == pytest.approx(
        defined(empyrical.sharpe_ratio(series, annualization=year)), rel=1e-6, abs=1e-6
    )
    assert ours.max_drawdown == pytest.approx(empyrical.max_drawdown(series), abs=1e-9)
    sortino = defined(empyrical.sortino_ratio(series, annualization=year))
    assert ours.sortino == (None if sortino is None else pytest.approx(sortino, rel=1e-6, abs=1e-6))
    with np.errstate(over="ignore"):
        annual = defined(empyrical.annual_return(series, annualization=year))
        calmar = defined(empyrical.calmar_ratio(series, annualization=year))
    assert ours.annual_return == (None if annual is None else pytest.approx(annual, rel=1e-6, abs=1e-9))
    assert ours.calmar == (None if calmar is None else pytest.approx(calmar, rel=1e-6, abs=1e-9))


def test_the_published_cases_hold() -> None:
    """Empyrical's own test cases give its own answers, once its year of 252 days is ours of 365."""
    year = math.sqrt(365 / EMPYRICAL_YEAR)

    assert figures(NEGATIVE).sharpe == pytest.approx(-24.406808633910085 * year)
    assert figures(NEGATIVE).sortino == pytest.approx(-13.532743075043401 * year)
    assert figures(ALL_NEGATIVE).max_drawdown == pytest.approx(-0.37858915742876154)
    assert figures(BENCHMARK).max_drawdown == 0.0
    assert figures(MIXED).total_return == pytest.approx(0.038931, abs=1e-6)


def test_real_series_agree_with_both_libraries() -> None:
    """Bitcoin, Ether and Solana by day, against what empyrical and quantstats say of the same closes."""
    reference = RECORDED / "reference" / "real_series_metrics.json"
    if not reference.exists():
        pytest.skip("needs the recorded series beside the repository")
    for series in json.loads(reference.read_text())["series"].values():
        ours = compute(equity_record(daily_closes(RECORDED / series["input"]), DAY_MS))
        theirs, others = series["empyrical_365"], series["quantstats_365"]

        assert ours.total_return == pytest.approx(theirs["total_return"])
        assert ours.annual_return == pytest.approx(theirs["cagr"])
        assert ours.volatility == pytest.approx(theirs["annual_volatility"])
        for name in ("sharpe", "sortino", "max_drawdown", "calmar"):
            assert getattr(ours, name) == pytest.approx(theirs[name]), name
            assert getattr(ours, name) == pytest.approx(others[name]), name


def daily_closes(path: Path) -> Floats:
    """The last hourly close of each complete UTC day."""
    with gzip.open(path, "rt") as file:
        rows = [(int(row["ts"]), float(row["close"])) for row in csv.DictReader(file)]
    return np.array([close for ts, close in rows if ts % DAY_MS == DAY_MS - HOUR_MS])


def test_a_run_that_stands_still_has_no_ratios() -> None:
    """No return varies, so volatility is 0 and what divides by it, or by a drawdown, is undefined."""
    still = figures_of(*[10_000.0] * 50)

    assert (still.total_return, still.annual_return, still.volatility) == (0.0, 0.0, 0.0)
    assert (still.sharpe, still.sortino, still.calmar, still.sharpe_ci95) == (None,) * 4
    assert (still.max_drawdown, still.max_drawdown_ms, still.longest_drawdown_ms) == (0.0, 0, 0)


def test_returns_that_differ_by_rounding_alone_do_not_vary() -> None:
    """Steady growth has no volatility; the last digit of a float is not taken for one."""
    steady = figures([0.01] * 40)

    assert steady.volatility == 0.0
    assert (steady.sharpe, steady.sharpe_ci95, steady.total_return_ci95) == (None, None, None)


@pytest.mark.parametrize("points", [1, 2])
def test_too_few_points_leave_figures_undefined(points: int) -> None:
    """One bar has one return, and one return does not vary; no bar has not even that."""
    few = figures_of(*[10_000.0, 10_100.0][:points])

    assert (few.volatility, few.sharpe, few.sortino, few.calmar) == (None,) * 4
    assert (few.exposure is None) == (points == 1)
    assert (few.annual_return is None) == (points == 1)


def test_growth_that_no_number_holds_is_undefined() -> None:
    """An hour that doubles the account would, over a year, be more than a float can say."""
    assert figures_of(10_000.0, 20_000.0).annual_return is None


def test_an_account_that_was_lost_stays_lost() -> None:
    """A fall to nothing is −100 %, and the steps after it return nothing."""
    ruined = figures_of(10_000.0, 5_000.0, 0.0, 0.0)

    assert (ruined.total_return, ruined.max_drawdown, ruined.annual_return) == (-1.0, -1.0, -1.0)
    assert ruined.sharpe is not None
    assert ruined.total_return_ci95 is None
    assert (ruined.max_drawdown_ms, ruined.max_drawdown_recovered) == (3 * HOUR_MS, False)


@pytest.mark.parametrize(
    ("equity", "deepest", "deepest_h", "recovered", "longest_h"),
    [
        ((10, 11, 12), 0.0, 0, True, 0),
        ((10, 9, 10), -0.1, 2, True, 2),
        ((10, 9, 11, 11), -0.1, 2, True, 2),
        ((10, 10, 10), 0.0, 0, True, 0),
        ((10, 8, 9), -0.2, 2, False, 2),
        ((10, 9, 9, 9, 10, 5, 10), -0.5, 2, True, 4),
        ((10, 5, 10, 9, 9, 9), -0.5, 2, True, 3),
        ((10, 9, 10, 8, 8), -0.2, 2, False, 2),
    ],
)
def test_drawdowns_are_measured_from_peak_to_recovery(
    equity: tuple[float, ...], deepest: float, deepest_h: int, recovered: bool, longest_h: int
) -> None:
    """The deepest, its length, whether it ended, and the longest, which may be another one."""
    found = figures_of(*equity)

    assert found.max_drawdown == pytest.approx(deepest)
    assert (found.max_drawdown_ms, found.max_drawdown_recovered) == (deepest_h * HOUR_MS, recovered)
    assert found.longest_drawdown_ms == longest_h * HOUR_MS


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_lengths_of_drawdowns_are_those_of_a_plain_walk(points: list[int]) -> None:
    """The vectorised lengths equal those found by going through the points one by one."""
    found = figures_of(*map(float, points))
    deepest_h, recovered, longest_h = walked(points)

    assert found.longest_drawdown_ms == longest_h * HOUR_MS
    assert (found.max_drawdown_ms, found.max_drawdown_recovered) == (deepest_h * HOUR_MS, recovered)


def walked(points: list[int]) -> tuple[int, bool, int]:
    """The length of the deepest drawdown, whether it recovered, and the longest, all in steps."""
    peak_at, worst, of_worst = 0, 0.0, 0
    lengths: dict[int, int] = {}
    open_since: int | None = None
    for place, point in enumerate(points):
        if point >= points[peak_at]:
            if place - peak_at > 1:
                lengths[peak_at] = place - peak_at
            peak_at, open_since = place, None
        else:
            open_since = peak_at
            lengths[peak_at] = place - peak_at
            depth = point / points[peak_at] - 1
            if depth < worst:
                worst, of_worst = depth, peak_at
    deepest = lengths.get(of_worst, 0) if worst < 0 else 0
    return deepest, not (worst < 0 and open_since == of_worst), max(lengths.values(), default=0)


def test_baselines_have_the_same_figures_as_the_skill() -> None:
    """What stands beside a result is measured as the result is."""
    equity, other = np.array([10.0, 12.0, 9.0, 11.0]), np.array([10.0, 9.0, 10.0, 14.0])
    own = equity_record(equity)
    beside = compute(equity_record(other))
    found = compute(msgspec.structs.replace(own, baselines={"buy-and-hold": other})).baselines

    for name in found["buy-and-hold"].__struct_fields__:
        assert getattr(found["buy-and-hold"], name) == getattr(beside, name), name


def test_json_holds_money_as_text_and_never_nan() -> None:
    """Decimals become plain text, ratios numbers, undefined figures null."""
    written = as_dict(figures_of(10_000.0, 10_000.0))

    assert written["final_equity"] == "10000"
    assert written["fees"] == "0"
    assert written["sharpe"] is None
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_the_worked_example_of_the_docs_is_right() -> None:
    """Each figure of the example in docs/metrics.md is what the code gives."""
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text("utf-8")
    section = text[text.index("### A worked example") : text.index("## Luck")]
    found = as_dict(figures_of(10_000.0, 10_200.0, 9_996.0, 10_098.0, interval_ms=DAY_MS))
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\S+) \|$", section, re.MULTILINE))

    assert len(rows) == 8
    assert {name: float(value.replace("−", "-")) for name, value in rows.items()} == {
        name: round(found[name], 4) for name in rows
    }


def test_every_figure_is_in_the_docs() -> None:
    """A figure that is added later has to be explained too."""
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_0-9]+)`", text))

    assert set(as_dict(figures_of(10_000.0))) <= named
