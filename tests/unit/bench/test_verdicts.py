"""Work that should be the same, and goals on both sides of their edge."""

import pytest

from bench.jobs import NAUTILUS, OURS
from bench.verdicts import Goal, different_work, goals
from tests.unit.bench.samples import record


def goal(found: list[Goal], what: str) -> Goal:
    """Pick a goal by its beginning."""
    return next(one for one in found if one.what.startswith(what))


def test_less_than_a_cent_apart_is_the_same_work() -> None:
    """Fees that are cut to a millionth, and floats, do not make work different."""
    assert different_work([record(NAUTILUS), record(OURS, final_equity="9024.155")]) == []


@pytest.mark.parametrize("change", [{"final_equity": "9024.170897"}, {"orders": 2249}])
def test_a_cent_or_an_order_apart_is_other_work(change: dict[str, object]) -> None:
    """The one that differs is named once, with both figures, however many rounds there were."""
    other = record(OURS, **change)  # type: ignore[arg-type]

    (said,) = different_work([record(NAUTILUS), other, other])

    assert said.startswith("agentic over 100,000 bars: ")
    assert "NautilusTrader: 2250 orders and 9024.1609 USD" in said


def test_a_peer_that_does_other_work_by_nature_is_not_held_to_it() -> None:
    """backtesting.py closes the last position; sizes are compared with themselves alone."""
    closes = record("backtesting.py", final_equity="9023.38")
    longer = record(OURS, bars=500_000, orders=11_252, final_equity="4618.18")

    assert different_work([record(NAUTILUS), closes, longer]) == []


@pytest.mark.parametrize(
    ("what", "held", "missed"),
    [
        ("loop, 100,000", {"loop_s": 1.0}, {"loop_s": 1.001}),
        ("whole process, 100,000", {"wall_s": 2.5}, {"wall_s": 2.501}),
        ("peak memory, 100,000", {"peak_mb": 250}, {"peak_mb": 250.1}),
        ("stretch: loop", {"loop_s": 0.4}, {"loop_s": 0.401}),
        ("stretch: whole process", {"wall_s": 1.5}, {"wall_s": 1.501}),
    ],
)
def test_a_goal_has_two_sides(what: str, held: dict[str, float], missed: dict[str, float]) -> None:
    """At the line it is held, beyond it it is missed."""
    assert goal(goals([record(OURS, **held)]), what).is_held  # type: ignore[arg-type]
    assert not goal(goals([record(OURS, **missed)]), what).is_held  # type: ignore[arg-type]


def test_the_rate_must_not_fall_with_the_number_of_bars() -> None:
    """Nine tenths of the rate at 100,000 bars are kept at 500,000, and the memory stays in bounds."""
    usual = record(OURS, loop_s=0.5)
    linear = record(OURS, bars=500_000, loop_s=2.7, peak_mb=400)
    worse = record(OURS, bars=500_000, loop_s=2.8, peak_mb=401)

    assert all(goal(goals([usual, linear]), what).is_held for what in ("rate at", "peak memory, 500,000"))
    assert not any(goal(goals([usual, worse]), what).is_held for what in ("rate at", "peak memory, 500,000"))


def test_falling_below_nautilus_must_not_be() -> None:
    """In either figure, at any size; medians are compared, so that one bad round does not decide."""
    slower = [record(OURS, bars=10_000, loop_s=0.3, wall_s=1.0) for _ in range(2)]
    outlier = record(OURS, bars=10_000, loop_s=0.01, wall_s=0.1)

    found = goals([record(NAUTILUS, bars=10_000, loop_s=0.2, wall_s=0.9), *slower, outlier])

    assert [(one.is_held, one.must_hold) for one in found] == [(False, True), (False, True)]


def test_without_us_there_is_nothing_to_judge() -> None:
    """A run of some peers alone has no goals."""
    assert goals([record(NAUTILUS)]) == []
