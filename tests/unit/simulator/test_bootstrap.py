"""The intervals of luck: repeatable, those of a plain block bootstrap, wide enough, and absent where senseless."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Floats
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, YEAR_MS
from simulator.bootstrap import RESAMPLES, Intervals, intervals


def noise(count: int, *, seed: int = 1, mean: float = 0.0005, deviation: float = 0.02) -> Floats:
    """Independent normal returns."""
    return np.random.default_rng(seed).normal(mean, deviation, count)


def test_the_same_seed_gives_the_same_intervals() -> None:
    """And another seed does not."""
    returns = noise(200)

    assert intervals(returns, DAY_MS, 7) == intervals(returns, DAY_MS, 7)
    assert intervals(returns, DAY_MS, 7) != intervals(returns, DAY_MS, 8)


@pytest.mark.parametrize(
    ("count", "interval_ms"), [(30, DAY_MS), (41, DAY_MS), (365, DAY_MS), (60, 7 * DAY_MS)]
)
def test_they_are_those_of_resampling_one_return_after_the_other(count: int, interval_ms: int) -> None:
    """Sums of blocks give what writing out every resampled run, and measuring it, gives."""
    returns = noise(count)
    sharpes, totals = written_out(returns, seed=3)
    found = intervals(returns, interval_ms, 3)
    year = math.sqrt(YEAR_MS / interval_ms)

    assert found.sharpe == pytest.approx(np.percentile(sharpes, [2.5, 97.5]) * year)
    assert found.total_return == pytest.approx(np.percentile(totals, [2.5, 97.5]))


def written_out(returns: Floats, seed: int) -> tuple[list[float], list[float]]:
    """The ratios, not annualised, and total returns of circular block resamples, without any trick."""
    count, length = len(returns), math.ceil(len(returns) ** (1 / 3))
    starts = np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count // length + 1))
    sharpes, totals = [], []
    for row in starts:
        places = np.concatenate([np.arange(start, start + length) for start in row])[:count] % count
        run = returns[places]
        sharpes.append(run.mean() / run.std(ddof=1))
        totals.append(np.prod(1 + run) - 1)
    return sharpes, totals


def test_they_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of 200 runs of a year whose true Sharpe is known, about 95 % have it inside."""
    mean, deviation = 0.001, 0.02
    truth = mean / deviation * math.sqrt(365)
    found = [
        intervals(noise(365, seed=seed, mean=mean, deviation=deviation), DAY_MS, 0).sharpe
        for seed in range(200)
    ]
    inside = sum(1 for each in found if each is not None and each[0] <= truth <= each[1])

    assert 178 <= inside <= 198


def test_returns_that_hang_together_have_wider_intervals() -> None:
    """Blocks keep what neighbours share: trending returns tell less than as many independent ones."""
    shocks = noise(1_000, mean=0.0)
    trending = np.convolve(shocks, np.ones(10) / math.sqrt(10), mode="valid")
    shuffled = np.random.default_rng(0).permutation(trending)

    assert width(trending) > 1.5 * width(shuffled)


def width(returns: Floats) -> float:
    """How far apart the bounds of the Sharpe interval lie."""
    found = intervals(returns, DAY_MS, 0).sharpe
    assert found is not None
    return found[1] - found[0]


@pytest.mark.parametrize("interval_ms", [MINUTE_MS, HOUR_MS, DAY_MS])
def test_finer_returns_are_grouped_into_units(interval_ms: int) -> None:
    """At any interval the bounds stand around the ratio itself, annualised alike."""
    returns = noise(5_000)
    found = intervals(returns, interval_ms, 0).sharpe
    sharpe = returns.mean() / returns.std(ddof=1) * math.sqrt(YEAR_MS / interval_ms)

    assert found is not None
    assert found[0] < sharpe < found[1]


@pytest.mark.parametrize(
    "returns",
    [
        np.empty(0),
        noise(29),
        np.zeros(100),
        np.full(100, 0.01),
        np.append(noise(100), -1.0),
    ],
    ids=["none", "too few", "all zero", "all alike", "the account was lost"],
)
def test_without_anything_to_resample_there_is_no_interval(returns: Floats) -> None:
    """None, rather than an interval that means nothing."""
    assert intervals(returns, DAY_MS, 0) == Intervals()


@given(
    st.lists(st.sampled_from([-0.9, -0.01, 0.0, 0.0, 0.01, 5.0]), min_size=30, max_size=80),
    st.sampled_from([HOUR_MS, DAY_MS, 7 * DAY_MS]),
)
def test_bounds_are_finite_and_in_order(returns: list[float], interval_ms: int) -> None:
    """Whatever the returns: low is not above high, and neither is nan or infinite."""
    found = intervals(np.array(returns), interval_ms, 0)

    for bounds in (found.sharpe, found.total_return):
        assert bounds is None or (bounds[0] <= bounds[1] and all(map(math.isfinite, bounds)))
    assert found.total_return is None or found.total_return[0] >= -1
