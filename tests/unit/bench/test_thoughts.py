"""The tables of thinking, what is worked out for a thousand ticks, and the lines on both sides of their edge."""

import pytest

from bench.measure import Process
from bench.pace import percentiles_ms
from bench.thinking import BARE_HTTP, LATENCY_MS, RECORDED, REPLAYED, SIDE_BY_SIDE, Thought
from bench.thoughts import thinking_goals, thinking_tables
from bench.verdicts import Goal


def thought(
    name: str = RECORDED,
    *,
    ticks: int = 500,
    runs: int = 1,
    latency_ms: int = 0,
    wall_s: float = 4.0,
    p50_ms: float | None = None,
) -> Thought:
    """One measured process, whose loop took half of it."""
    process = Process(wall_s, 1.5, 120, 0, "", "")
    return Thought(name, ticks, runs, latency_ms, process, wall_s / 2, p50_ms, p50_ms and 2 * p50_ms)


def late(first_s: float, all_s: float, *, ticks: int = 200, runs: int = 1) -> list[Thought]:
    """A process with two ticks and one with many, the model taking its time."""
    return [
        thought(ticks=2, runs=runs, latency_ms=LATENCY_MS, wall_s=first_s),
        thought(ticks=ticks, runs=runs, latency_ms=LATENCY_MS, wall_s=all_s),
    ]


def goal(found: list[Goal], what: str) -> Goal:
    """Pick a goal by a part of it."""
    return next(one for one in found if what in one.what)


def test_what_answers_at_once_is_shown_with_medians_over_the_rounds() -> None:
    """A replay keeps no times of its ticks, so it has none to show."""
    rounds = [thought(p50_ms=p50_ms, wall_s=2 * p50_ms) for p50_ms in (1.0, 2.0, 4.0)]

    lines = thinking_tables([*rounds, thought(REPLAYED)]).splitlines()

    assert lines[0] == "### Thinking: the model answers at once"
    assert lines[4] == (
        "| agentic sim run | 500 | 2.0 (1.0–4.0) | 4.0 (2.0–8.0) | 250 (125–500) | 4.00 (2.00–8.00) | 1.50 | 120 |"
    )
    assert lines[5] == (
        "| agentic sim run --mode replay | 500 | – | – | 250 (250–250) | 4.00 (4.00–4.00) | 1.50 | 120 |"
    )


def test_a_thousand_ticks_are_worked_out_from_few_and_many() -> None:
    """Each tick between 2 and 201 took 0.302 s, so 998 more than the two take 301.396 s; the rest is the start's."""
    tables = thinking_tables([*late(2.0, 62.098, ticks=201), *late(3.0, 310.0, ticks=1_000, runs=16)])

    assert "| agentic sim run | 201 | 62.10 (62.10–62.10) | 303.4 | 1.011 | 1.50 | 120 |" in tables
    assert "| agentic sim run --runs 16 | 1,000 | 310.00 (310.00–310.00) | 310.0 | 1.033 |" in tables


def test_a_run_of_few_ticks_alone_says_nothing_of_a_thousand() -> None:
    """Nothing is worked out, and nothing judged."""
    few = late(2.0, 2.0)[:1]

    assert "| agentic sim run | 2 | 2.00 (2.00–2.00) | – | – |" in thinking_tables(few)
    assert thinking_goals(few) == []


@pytest.mark.parametrize(("all_s", "is_held"), [(309.0, True), (309.1, False)])
def test_a_run_takes_hardly_longer_than_its_model(all_s: float, is_held: bool) -> None:
    """1.03 × 1,000 × 300 ms is a line that must hold."""
    found = goal(thinking_goals(late(2.0, all_s, ticks=1_000)), "1,000 × 300 ms")
    assert (found.is_held, found.must_hold) == (is_held, True)


@pytest.mark.parametrize(("all_s", "is_held"), [(375.0, True), (375.1, False)])
def test_sixteen_runs_hardly_wait_for_each_other(all_s: float, is_held: bool) -> None:
    """1.25 × the time of one is a line that must hold."""
    one, many = late(2.0, 300.0, ticks=1_000), late(3.0, all_s, ticks=1_000, runs=SIDE_BY_SIDE)
    found = goal(thinking_goals([*one, *many]), "side by side")
    assert (found.is_held, found.must_hold) == (is_held, True)


@pytest.mark.parametrize(("p50_ms", "is_held"), [(10.0, True), (10.1, False)])
def test_the_time_of_the_stand_in_is_none_of_a_ticks_own(p50_ms: float, is_held: bool) -> None:
    """Nine ms are left of ten where a bare call takes one. It is a goal, and the bench does not fail by it."""
    found = goal(
        thinking_goals([thought(p50_ms=p50_ms), thought(BARE_HTTP, p50_ms=1.0)]), "without its model"
    )
    assert (found.is_held, found.must_hold) == (is_held, False)


def test_percentiles_are_of_all_ticks() -> None:
    """Of 101 times from 0 to 100 ms they are their own numbers, in whatever order they come."""
    assert percentiles_ms([n / 1e3 for n in range(100, -1, -1)]) == pytest.approx(
        {"p50_ms": 50, "p99_ms": 99}
    )
