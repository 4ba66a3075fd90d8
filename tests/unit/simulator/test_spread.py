"""The runs of a batch side by side: where they lie, whether they agree, and what hiding the names changed."""

import json
import statistics
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.inference import Inference
from simulator.metrics import as_dict, compute
from simulator.record import Beside, Sibling
from simulator.spread import as_document, bands, gap, sibling, verdict
from tests.unit.simulator.samples import Entry, record_of, walk


def run(net_return: float | None = 0.0, **changes: Any) -> Sibling:
    """A run that came to this."""
    plain = Sibling(
        "run", 0, 0, Decimal(10_000), net_return or 0.0, net_return, 1.0, -0.1, 5, 0, Decimal("0.5")
    )
    return msgspec.structs.replace(plain, **changes)


def runs(*net_returns: float) -> tuple[Sibling, ...]:
    """Runs that came to these."""
    return tuple(run(each, sample=place) for place, each in enumerate(net_returns))


def test_a_band_is_the_known_one() -> None:
    """Of 1, 2, 4 and 9 %: the middle is 3, the mean 4, the sample deviation √(38 / 3)."""
    band = bands(runs(0.04, 0.01, 0.09, 0.02))["net_return"]

    assert (band.n, band.min, band.median, band.max) == (4, 0.01, pytest.approx(0.03), 0.09)
    assert (band.mean, band.deviation) == pytest.approx((0.04, (38 / 3) ** 0.5 / 100))


@given(st.lists(st.floats(-1, 10), min_size=2, max_size=20))
def test_a_band_is_that_of_the_standard_library(values: list[float]) -> None:
    """Mean, median and deviation of any returns."""
    band = bands(runs(*values))["net_return"]

    assert band.mean == pytest.approx(statistics.mean(values), abs=1e-12)
    assert band.median == pytest.approx(statistics.median(values), abs=1e-12)
    assert band.deviation == pytest.approx(statistics.stdev(values), abs=1e-9)
    assert (band.min, band.max) == (min(values), max(values))


def test_a_figure_that_some_runs_lack_is_banded_over_the_others() -> None:
    """How many they are is said; one that no run has is left out, and a single one has no deviation."""
    found = bands((run(0.1), run(None, sharpe=None), run(None, sharpe=None)))

    assert (found["net_return"].n, found["net_return"].deviation) == (1, None)
    assert found["total_return"].n == 3
    assert "sharpe" not in bands((run(sharpe=None),))


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ((-0.01, 0.03), "Zero lies inside the band: whether a run earns or loses is chance."),
        ((0.0, 0.03), "Zero lies inside the band: whether a run earns or loses is chance."),
        ((0.01, 0.03, 0.02), "All 3 runs earned."),
        ((-0.01, -0.03), "Both runs lost."),
        ((0.0, 0.0), "Both runs neither earned nor lost."),
        ((0.02, 0.02), "Both runs earned."),
    ],
)
def test_runs_agree_or_do_not(returns: tuple[float, ...], expected: str) -> None:
    """The ends of the band belong to it."""
    assert verdict(runs(*returns), None) == [expected]


def test_holding_is_judged_too() -> None:
    """Earning is not beating the market."""
    assert verdict(runs(0.01, 0.03), 0.05)[1] == "Both runs fell behind buy and hold."
    assert verdict(runs(0.01, 0.03), 0.005)[1] == "Both runs beat buy and hold."
    assert verdict(runs(0.01, 0.03), 0.02)[1].startswith("Buy and hold lies inside the band")
    assert verdict(runs(0.02, 0.02), 0.02)[1] == "Both runs came to as much as buy and hold."


def test_one_run_is_no_band_to_judge_by() -> None:
    """Nothing is said of it."""
    assert verdict(runs(0.01), 0.05) == []


def test_without_a_price_the_total_returns_are_judged() -> None:
    """A net return that one run lacks does not speak for all."""
    unknown = (run(0.01), run(None, total_return=-0.5))

    assert verdict(unknown, None)[0].startswith("Zero lies inside")


def test_the_gap_is_the_median_less_the_masked_run() -> None:
    """Figure by figure; unknown where either side has none."""
    beside = Beside(runs(0.01, 0.05, 0.09), run(0.02, sharpe=None, trades=3))

    found = gap(beside)
    assert (found["net_return"], found["trades"], found["sharpe"]) == (pytest.approx(0.03), 2.0, None)
    assert set(gap(Beside(runs(0.1))).values()) == {None}


def test_a_finished_run_is_told_from_its_kept_metrics() -> None:
    """What the database gives back is what was worked out, money as exact as it was."""
    thought = Inference(calls=3, cost_usd=Decimal("0.123456"))
    record = record_of({"BTC": walk(60)}, [Entry(5, Decimal("0.1"))], inference=thought, seed=4)
    found = compute(record)
    kept = json.loads(json.dumps(as_dict(found)))

    assert sibling("id", 2, 4, kept) == Sibling(
        "id",
        2,
        4,
        record.final_equity,
        found.total_return,
        found.net_return,
        found.sharpe,
        found.max_drawdown,
        found.trades,
        found.refused,
        Decimal("0.123456"),
    )


def test_json_tells_of_the_batch() -> None:
    """The runs, their bands, the masked one and its gap; without one there is no word of it."""
    document = as_document(Beside(runs(0.01, 0.05), run(0.02)))

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["runs"]["n"], document["runs"]["metrics"]["trades"]["mean"]) == (2, 5.0)
    assert [each["inference_cost"] for each in document["runs"]["each"]] == ["0.5", "0.5"]
    assert document["control"]["gap"]["net_return"] == pytest.approx(0.01)
    assert "control" not in as_document(Beside(runs(0.01)))
