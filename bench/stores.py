"""What a live deployment waits for in its database, each beside its limit: a command's way, and a decision kept.

The jobs are done by `bench.rows` and by `bench.limits.bare_rows`, in turn, in processes of their own.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.environments import ROOT, NotAvailable
from bench.jobs import last_json
from bench.measure import clean_environment, measure, middle
from bench.product import Home
from bench.tables import goals_table, markdown
from bench.verdicts import Goal

COUNT = 1_000
COMMANDS, DECISIONS = "commands", "decisions"
OURS = [sys.executable, "-m", "bench.rows"]
BARE = [sys.executable, str(ROOT / "bench" / "limits" / "bare_rows.py")]


@dataclass(frozen=True, slots=True)
class Round:
    """What the product and the bare statements said of one job: what was timed → percentiles in ms, or a rate."""

    job: str
    ours: dict[str, Any]
    bare: dict[str, Any]


def measured(home: Home, rounds: int, count: int = COUNT) -> Iterator[Round]:
    """Do each job and its limit in turn, so many times. Raises NotAvailable."""
    home.agentic("skill", "list")  # brings the schema up
    for _ in range(rounds):
        for job in (COMMANDS, DECISIONS):
            ours, bare = (_said([*command, home.dsn, job, str(count)]) for command in (OURS, BARE))
            yield Round(job, ours, bare)


def _said(command: Sequence[str]) -> dict[str, Any]:
    process = measure(command, clean_environment(), folder=ROOT)
    if process.exit_code:
        raise NotAvailable(process.reason())
    said: dict[str, Any] = last_json(process.output)
    return said


TIMED = {
    "a command's row to its handler in another process": (COMMANDS, "handler", "handler"),
    "the same, to its being taken": (COMMANDS, "taken", "handler"),
    "the same, to its sender's knowing that it is done": (COMMANDS, "known", "handler"),
    "a decision of 2 KB kept, on the disk": (DECISIONS, "one", "one"),
}
"""What is shown → its job, what the product timed, and what that is compared with."""


def stores_table(rounds: Sequence[Round]) -> str:
    """Show each time beside its limit: medians over the rounds, with the least and the greatest."""
    head = ["", "p50, ms", "p99, ms", "bare p50, ms", "bare p99, ms", "p50 × bare"]
    timed = [_timed_row(what, rounds, *names) for what, names in TIMED.items()]
    kept = [(one.ours["rows_per_s"], one.bare["rows_per_s"]) for one in rounds if one.job == DECISIONS]
    ours, bare = (middle(rates) for rates in zip(*kept, strict=True))
    many = [
        "decisions kept in batches of 1,000, rows/s",
        _rate(ours),
        "",
        _rate(bare),
        "",
        f"{bare[0] / ours[0]:.1f}",
    ]
    return markdown(head, [*timed, many])


def _timed_row(what: str, rounds: Sequence[Round], job: str, ours: str, bare: str) -> list[str]:
    own, limit = (
        [middle([one[name][part] for one in said]) for part in ("p50_ms", "p99_ms")]
        for name, said in (
            (ours, [one.ours for one in rounds if one.job == job]),
            (bare, [one.bare for one in rounds if one.job == job]),
        )
    )
    times = ["{:.2f} ({:.2f}–{:.2f})".format(*values) for values in (*own, *limit)]
    return [what, *times, f"{own[0][0] / limit[0][0]:.1f}"]


def _rate(values: tuple[float, float, float]) -> str:
    return "{:,.0f} ({:,.0f}–{:,.0f})".format(*values)


def stores_goals(rounds: Sequence[Round]) -> list[Goal]:
    """Judge the lines that these rounds can tell of."""

    def median(job: str, *path: str) -> float:
        said = [one.ours for one in rounds if one.job == job]
        return middle([values[path[0]] if len(path) == 1 else values[path[0]][path[1]] for values in said])[0]

    rows_per_s = median(DECISIONS, "rows_per_s")
    command, decision = "a command's row to its handler", "a decision of 2 KB kept"
    return [
        _at_most(f"{command}, p50", median(COMMANDS, "handler", "p50_ms"), 1.0),
        _at_most(f"{command}, p99", median(COMMANDS, "handler", "p99_ms"), 3.0),
        _at_most(f"{decision}, p50", median(DECISIONS, "one", "p50_ms"), 0.5),
        _at_most(f"{decision}, p99", median(DECISIONS, "one", "p99_ms"), 1.0),
        Goal(
            "decisions kept in batches", "≥ 10,000 rows/s", f"{rows_per_s:,.0f} rows/s", rows_per_s >= 10_000
        ),
    ]


def _at_most(what: str, found_ms: float, most_ms: float) -> Goal:
    return Goal(what, f"≤ {most_ms:g} ms", f"{found_ms:.2f} ms", found_ms <= most_ms)


def stores_report(rounds: Sequence[Round]) -> str:
    """Show the times and the goals."""
    return f"{stores_table(rounds)}\n\n{goals_table(stores_goals(rounds))}"
