"""What the stores took, as a table and as lines to hold."""

import pytest

from bench.stores import COMMANDS, DECISIONS, Round, stores_goals, stores_table


def rounds(handler_ms: float = 0.8, one_ms: float = 0.4, rows_per_s: float = 20_000) -> list[Round]:
    """A round of each job; the 99th percentile is twice the median."""

    def times(p50_ms: float) -> dict[str, float]:
        return {"p50_ms": p50_ms, "p99_ms": 2 * p50_ms}

    ours = {"handler": times(handler_ms), "taken": times(2 * handler_ms), "known": times(3 * handler_ms)}
    return [
        Round(COMMANDS, ours, {"handler": times(0.4)}),
        Round(
            DECISIONS,
            {"one": times(one_ms), "rows_per_s": rows_per_s},
            {"one": times(0.2), "rows_per_s": 50_000},
        ),
    ]


def test_each_time_stands_beside_its_limit() -> None:
    """Medians over the rounds, with the least and the greatest, and how many times the limit it is."""
    lines = stores_table([*rounds(0.8), *rounds(0.6), *rounds(1.0)]).splitlines()

    assert lines[2] == (
        "| a command's row to its handler in another process | 0.80 (0.60–1.00) | 1.60 (1.20–2.00)"
        " | 0.40 (0.40–0.40) | 0.80 (0.80–0.80) | 2.0 |"
    )
    assert lines[3].startswith("| the same, to its being taken | 1.60 (1.20–2.00) |")
    assert lines[5].startswith("| a decision of 2 KB kept, on the disk | 0.40 (0.40–0.40) |")
    assert lines[6] == (
        "| decisions kept in batches of 1,000, rows/s | 20,000 (20,000–20,000) |  | 50,000 (50,000–50,000) |  | 2.5 |"
    )


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (rounds(), []),
        (rounds(1.0, 0.5, 10_000), []),
        (rounds(handler_ms=1.01), ["a command's row to its handler, p50"]),
        (
            rounds(handler_ms=1.51),
            ["a command's row to its handler, p50", "a command's row to its handler, p99"],
        ),
        (rounds(one_ms=0.51), ["a decision of 2 KB kept, p50", "a decision of 2 KB kept, p99"]),
        (rounds(rows_per_s=9_999), ["decisions kept in batches"]),
    ],
)
def test_lines_are_held_up_to_their_edge(found: list[Round], missed: list[str]) -> None:
    """And missed beyond it."""
    assert [goal.what for goal in stores_goals(found) if not goal.is_held] == missed
