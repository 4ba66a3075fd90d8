"""The tables, and their place in the document."""

import pytest

from bench.chores import Chore, Done
from bench.environments import ROOT
from bench.jobs import NAUTILUS, OURS
from bench.tables import (
    BEGIN,
    END,
    JOBS,
    THINKING,
    chores_table,
    goals_table,
    jobs_table,
    put_between_markers,
)
from bench.verdicts import Goal
from tests.unit.bench.samples import record


def chore() -> Chore:
    """A chore of known goal."""
    return Chore("the chore", "the limit", 2.0, lambda number: 1.0, lambda number: 1.0)


def test_medians_and_ratios_to_nautilus_are_shown() -> None:
    """The faster loop stands first; a ratio above 1 is faster than NautilusTrader, for loop and process alike."""
    ours = [record(OURS, loop_s=loop_s, wall_s=1.0) for loop_s in (0.5, 0.25, 4.0)]

    lines = jobs_table([record(NAUTILUS, loop_s=2.0, wall_s=3.0), *ours], {}, 100_000).splitlines()

    assert lines[0] == "### 100,000 bars"
    assert lines[4].startswith("| agentic 1.0 | 200,000 (25,000–400,000) | 4.00 | 1.00 (1.00–1.00) | 3.00 |")
    assert lines[5].startswith(
        "| NautilusTrader 1.0 | 50,000 (50,000–50,000) | 1.00 | 3.00 (3.00–3.00) | 1.00 |"
    )


def test_what_could_not_be_had_is_shown_with_its_reason() -> None:
    """The rest goes on, without ratios where there is nothing to compare with; a bar in a reason breaks no table."""
    table = jobs_table([record(OURS)], {NAUTILUS: "no wheel | for this system"}, 100_000)

    assert "| NautilusTrader | not available: no wheel \\| for this system |" in table
    assert "| agentic 1.0 | 200,000 (200,000–200,000) |  | 2.00 (2.00–2.00) |  |" in table


def test_a_chore_stands_beside_its_limit() -> None:
    """With the ratio of medians, and whether the goal was held."""
    done = [
        Done(chore(), [1.0, 1.5, 1.2], [0.5, 0.6, 0.7]),
        Done(chore(), [2.0], [1.0]),
        Done(chore(), reason="no"),
    ]

    lines = chores_table(done).splitlines()

    assert lines[2] == "| the chore | 1.20 (1.00–1.50) | < 2, held | the limit | 0.60 (0.50–0.70) | 2.0 |"
    assert "MISSED" in lines[3]
    assert "not available: no" in lines[4]


def test_a_missed_goal_can_not_be_overlooked() -> None:
    """It is in capitals."""
    table = goals_table([Goal("memory", "≤ 250 MB", "251 MB", is_held=False)])

    assert table.splitlines()[-1] == "| memory | ≤ 250 MB | 251 MB | MISSED |"


def test_tables_replace_what_stands_between_the_markers() -> None:
    """What is written around them stays, and writing twice is the same as once."""
    once = put_between_markers(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new")

    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert put_between_markers(once, "new") == once


def test_one_part_of_the_page_is_written_and_the_other_stays() -> None:
    """Each has markers of its own."""
    page = "\n".join([*JOBS, *THINKING])

    assert put_between_markers(page, "new", THINKING).startswith("\n".join([*JOBS, THINKING[0], "", "new"]))
    assert put_between_markers(page, "new", JOBS).endswith("\n".join(["new", "", JOBS[1], *THINKING]))


@pytest.mark.parametrize("document", ["", BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_document_without_its_markers_is_refused(document: str) -> None:
    """Nothing is overwritten by guess."""
    with pytest.raises(ValueError, match="once each"):
        put_between_markers(document, "new")


@pytest.mark.parametrize("markers", [JOBS, THINKING])
def test_the_document_of_this_repository_has_them(markers: tuple[str, str]) -> None:
    """`make bench ARGS=--write` finds its place."""
    document = (ROOT / "docs" / "performance.md").read_text("utf-8")

    assert "new table" in put_between_markers(document, "new table", markers)
