"""What the bench makes of the figures of running deployments."""

from typing import Any

import pytest

from bench.__main__ import DOCUMENT
from bench.deployed import DECIDING, FLEET, OBEYING, Told, deployed_goals, deployed_report
from bench.tables import DEPLOYED, put_between_markers


def times(p50_ms: float, p99_ms: float) -> dict[str, float]:
    return {"p50_ms": p50_ms, "p99_ms": p99_ms}


def fleet(count: int, every_s: int, **changes: Any) -> Told:
    said = {
        "late": times(1.0, 20.0),
        "held": times(2.0, 25.0),
        "acted": times(9.0, 40.0),
        "cpu_share": 0.4,
        "ticked": 1.0,
        "each_kb": 62.0,
        "up_s": 12.0,
        "others": {},
    }
    return Told(FLEET, (count, every_s, 60), said | changes)


TOLD = [
    fleet(1_000, 1),
    Told(DECIDING, (400,), {"own": times(9.0, 30.0), "to_order": times(1.5, 5.0)}),
    Told(OBEYING, (200,), {"effect": times(8.0, 30.0)}),
]


def test_what_keeps_all_lines_holds_them() -> None:
    """Every line of the three jobs is judged."""
    goals = deployed_goals(TOLD)
    assert len(goals) == 8
    assert all(goal.is_held for goal in goals)


@pytest.mark.parametrize(
    ("told", "missed"),
    [
        (fleet(1_000, 1, late=times(1.0, 50.1)), "late"),
        (fleet(1_000, 1, cpu_share=0.61), "core"),
        (fleet(1_000, 1, each_kb=101.0), "beyond the first"),
        (fleet(1_000, 1, ticked=0.8), "taken"),
    ],
)
def test_a_line_that_is_crossed_is_missed(told: Told, missed: str) -> None:
    """One figure beyond its line is said, and no other."""
    (goal,) = [goal for goal in deployed_goals([told]) if not goal.is_held]
    assert missed in goal.what


def test_ten_thousand_are_shown_and_not_judged() -> None:
    """No line is drawn for them."""
    told = fleet(10_000, 60)
    assert deployed_goals([told]) == []
    assert "10,000, each every 60 s" in deployed_report([told])


def test_the_report_has_its_place_on_the_page() -> None:
    """`--write` finds its markers."""
    page = DOCUMENT.read_text("utf-8")
    assert deployed_report(TOLD) in put_between_markers(page, deployed_report(TOLD), DEPLOYED)
