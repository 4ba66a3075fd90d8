"""Deployments as they run: many in one process, what a decision takes of its own, and how soon one obeys.

The jobs are done by `bench.fleet`, `bench.deciding` and `bench.obeying`, each in a process and a home of its own.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.environments import ROOT, NotAvailable
from bench.jobs import last_json
from bench.measure import clean_environment, measure, middle
from bench.tables import goals_table, markdown
from bench.verdicts import Goal

DECISIONS, COMMANDS = 400, 200
MEASURED_S = 60
"""A minute of the fleet, as something is due at the beginning of each."""
LIMIT_S = 1_800.0

OFTEN, SELDOM = (1_000, 1), (10_000, 60)
"""How many deployments, and how many seconds between two ticks of each."""
FLEET, DECIDING, OBEYING = "bench.fleet", "bench.deciding", "bench.obeying"


@dataclass(frozen=True, slots=True)
class Told:
    """What one job said: its module, what it was asked for, and its figures."""

    job: str
    asked: tuple[int, ...]
    said: dict[str, Any]


def measured(folder: Path, rounds: int, *, full: bool) -> Iterator[Told]:
    """Do the jobs in turn, so many times; the fleet is run once, ten thousand only in full. Raises NotAvailable."""
    for number in range(rounds):
        if not number:
            yield _done(folder, FLEET, *OFTEN, MEASURED_S)
        yield _done(folder, DECIDING, DECISIONS)
        yield _done(folder, OBEYING, COMMANDS)
    if full:
        yield _done(folder, FLEET, *SELDOM, 2 * MEASURED_S)


def _done(folder: Path, job: str, *asked: int) -> Told:
    with TemporaryDirectory(prefix="live-", dir=folder) as home:
        command = [sys.executable, "-m", job, home, *map(str, asked)]
        process = measure(command, clean_environment(), folder=ROOT, limit_s=LIMIT_S)
    if process.exit_code:
        raise NotAvailable(f"{job}: {process.reason()}")
    return Told(job, asked, last_json(process.output))


def deployed_report(told: Sequence[Told]) -> str:
    """Show the figures and the goals."""
    judged = deployed_goals(told)
    parts = [_fleet_table(told), _times_table(told), goals_table(judged) if judged else ""]
    return "\n\n".join(part for part in parts if part)


def _fleet_table(told: Sequence[Told]) -> str:
    head = [
        "deployments in one process",
        "ticks due that were taken",
        "late, p50, ms",
        "late, p99, ms",
        "to a hold, p50, ms",
        "to a hold, p99, ms",
        "to a verdict, p50, ms",
        "to a verdict, p99, ms",
        "% of a core",
        "KB each beyond the first",
        "all up, s",
    ]
    rows = []
    for one in told:
        if one.job == FLEET:
            count, every_s, _ = one.asked
            said = one.said
            times = [
                f"{said[name][part]:.1f}"
                for name in ("late", "held", "acted")
                for part in ("p50_ms", "p99_ms")
            ]
            shares = [f"{100 * said['cpu_share']:.0f}", f"{said['each_kb']:.0f}", f"{said['up_s']:.0f}"]
            rows.append(
                [f"{count:,}, each every {every_s} s", f"{100 * said['ticked']:.0f} %", *times, *shares]
            )
    return markdown(head, rows) if rows else ""


TIMED = {
    "our own work on a decision, model and venue aside": (DECIDING, "own", 40.0, None),
    "a verdict asked for, to its order at the venue's door": (DECIDING, "to_order", 20.0, 10.0),
    "a pause sent by another process, to its being done": (OBEYING, "effect", 100.0, None),
}
"""What is shown → its job, what that calls it, and how long it may take in ms: the 99th percentile, and the median."""


def _times_table(told: Sequence[Told]) -> str:
    rows = []
    for what, (job, name, _, _) in TIMED.items():
        if all(values := [_of(told, job, name, part) for part in ("p50_ms", "p99_ms")]):
            rows.append([what, *("{:.1f} ({:.1f}–{:.1f})".format(*middle(one)) for one in values)])
    return markdown(["", "p50, ms", "p99, ms"], rows) if rows else ""


def _of(told: Sequence[Told], job: str, name: str, part: str) -> list[float]:
    return [one.said[name][part] for one in told if one.job == job]


def deployed_goals(told: Sequence[Told]) -> list[Goal]:
    """Judge the lines that these jobs can tell of."""
    found = []
    for one in told:
        if one.job == FLEET and one.asked[:2] == OFTEN:
            what = f"{OFTEN[0]:,} ticking once a second"
            found += [
                Goal(
                    f"{what}: taken",
                    "≥ 99 %",
                    f"{100 * one.said['ticked']:.1f} %",
                    one.said["ticked"] >= 0.99,
                ),
                _at_most(f"{what}: late, p99", "ms", one.said["late"]["p99_ms"], 50.0),
                _at_most(f"{what}: of a core", "%", 100 * one.said["cpu_share"], 60.0),
                _at_most(f"{what}: each beyond the first", "KB", one.said["each_kb"], 100.0),
            ]
    for what, (job, name, most_p99, most_p50) in TIMED.items():
        for part, most in (("p50", most_p50), ("p99", most_p99)):
            values = _of(told, job, name, f"{part}_ms")
            if values and most is not None:
                found.append(_at_most(f"{what}, {part}", "ms", middle(values)[0], most))
    return found


def _at_most(what: str, unit: str, value: float, most: float) -> Goal:
    return Goal(what, f"≤ {most:g} {unit}", f"{value:.1f} {unit}", value <= most)
