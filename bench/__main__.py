"""`python -m bench`: measure, print the tables, and with --write put them into docs/performance.md."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.chores import Done, chores, do
from bench.deployed import Told, deployed_goals, deployed_report
from bench.deployed import measured as deployed_measured
from bench.environments import ROOT, NotAvailable
from bench.jobs import NAMES, OURS, Job, Record, others, run
from bench.kernel import Hop, kernel_goals, kernel_report
from bench.kernel import measured as kernel_measured
from bench.machine import describe_code, describe_machine, load
from bench.measure import clean_environment
from bench.product import Home, open_home, product_job
from bench.stores import Round, measured, stores_goals, stores_report
from bench.tables import (
    DEPLOYED,
    JOBS,
    KERNEL,
    STORES,
    THINKING,
    chores_table,
    goals_table,
    jobs_table,
    put_between_markers,
)
from bench.thinking import ALL_TICKS, LATE_TICKS, Bench, Thought
from bench.thoughts import thinking_goals, thinking_tables
from bench.verdicts import Goal, different_work, goals

SIZES = (10_000, 100_000, 500_000)
ROUNDS, ROUNDS_OF_MANY, MANY_BARS = 5, 3, 500_000
DOCUMENT = ROOT / "docs" / "performance.md"

Missing = dict[tuple[str, int], str]
"""A job's name and a number of bars → why it could not be done."""


def main(arguments: Sequence[str]) -> int:
    """Measure and report. 1 when work that should be the same differs, or a line that must hold does not."""
    wanted = _parse(arguments)
    folder = Path(os.environ.get("BENCH_HOME") or ROOT / ".bench").absolute()
    data = folder / "data"
    # In a process of its own: see `bench.measure` on what a parent's memory does to its children's figures.
    subprocess.run(
        [sys.executable, "-m", "bench.data", str(data)], cwd=ROOT, env=clean_environment(), check=True
    )
    try:
        with open_home(folder) as home:
            jobs, missing = _prepare(home, data, wanted)
            records = list(_rounds(jobs, missing, wanted))
            done = [do(one, wanted.rounds or ROUNDS_OF_MANY) for one in chores(home, data) if wanted.chores]
            thoughts, not_thought = _think(home, data, wanted) if wanted.thinking else ([], [])
            stored, not_stored = _store(home, wanted) if wanted.stores else ([], [])
            hops, not_hopped = _hop(wanted) if wanted.kernel else ([], [])
            told, not_told = _deploy(folder, wanted) if wanted.deployments else ([], [])
    except NotAvailable as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    judged = [
        *goals(records),
        *thinking_goals(thoughts),
        *(stores_goals(stored) if stored else []),
        *kernel_goals(hops),
        *deployed_goals(told),
    ]
    parts = [
        (JOBS, _report(records, missing, done)),
        (THINKING, _thinking_report(thoughts)),
        (STORES, _stores_report(stored)),
        (KERNEL, f"{_measured_on()}\n\n{kernel_report(hops)}" if hops else ""),
        (DEPLOYED, f"{_measured_on()}\n\n{deployed_report(told)}" if told else ""),
    ]
    for markers, text in parts:
        if text:
            print(text)
        if text and wanted.write:
            document = DOCUMENT.read_text("utf-8")
            DOCUMENT.write_text(put_between_markers(document, text, markers), "utf-8")
    faults = [*_faults(records, missing, judged), *not_thought, *not_stored, *not_hopped, *not_told]
    for fault in faults:
        print(f"bench: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make bench ARGS=…", description="Measure speed and memory.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, choices=SIZES, metavar="BARS")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}, or {ROUNDS_OF_MANY} where one takes long")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--no-chores", dest="chores", action="store_false", help="leave the chores out")
    parser.add_argument(
        "--no-thinking", dest="thinking", action="store_false", help="leave Skills that a model decides out"
    )
    parser.add_argument(
        "--only-thinking", action="store_true", help="measure Skills that a model decides alone"
    )
    parser.add_argument(
        "--no-stores", dest="stores", action="store_false", help="leave the stores of deployments out"
    )
    parser.add_argument("--only-stores", action="store_true", help="measure those alone")
    parser.add_argument(
        "--no-kernel", dest="kernel", action="store_false", help="leave the kernel of actors out"
    )
    parser.add_argument("--only-kernel", action="store_true", help="measure that alone")
    parser.add_argument(
        "--no-deployments", dest="deployments", action="store_false", help="leave running deployments out"
    )
    parser.add_argument("--only-deployments", action="store_true", help="measure those alone")
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"{ALL_TICKS:,} ticks with a slow model, not {LATE_TICKS}; and 10,000 deployments",
    )
    parser.add_argument(
        "--write", action="store_true", help=f"put what is measured into {DOCUMENT.relative_to(ROOT)}"
    )
    wanted = parser.parse_args(arguments)
    if wanted.only_thinking or wanted.only_stores or wanted.only_kernel or wanted.only_deployments:
        wanted.sizes, wanted.chores = (), False
        wanted.thinking, wanted.stores = wanted.only_thinking, wanted.only_stores
        wanted.kernel, wanted.deployments = wanted.only_kernel, wanted.only_deployments
    return wanted


def _prepare(home: Home, data: Path, wanted: argparse.Namespace) -> tuple[list[Job], Missing]:
    """Give the jobs that can be done here, and why the others can't."""

    def ours() -> Job:
        return product_job(home, data, max(wanted.sizes))

    jobs: list[Job] = []
    missing: Missing = {}
    for name, make in [(OURS, ours), *others(data.parent, data)]:
        if not wanted.sizes or (wanted.only and name not in wanted.only):
            continue
        try:
            job = make()
            run(job, min(wanted.sizes), load())  # not counted: it warms the caches
            jobs.append(job)
        except NotAvailable as error:
            missing |= {(name, bars): str(error) for bars in wanted.sizes}
            print(f"{name}: not available: {error}", file=sys.stderr)
    return jobs, missing


def _rounds(jobs: Sequence[Job], missing: Missing, wanted: argparse.Namespace) -> Iterator[Record]:
    """Do every job at every size once a round, so that a busy moment of the machine hits all alike."""
    for number, bars in _sizes_of_rounds(wanted):
        for job in jobs:
            try:
                record = run(job, bars, load())
            except NotAvailable as error:
                missing[job.name, bars] = str(error)
            else:
                print(f"round {number}, {bars:,} bars: {_in_short(record)}", file=sys.stderr)
                yield record


def _think(home: Home, data: Path, wanted: argparse.Namespace) -> tuple[list[Thought], list[str]]:
    """Measure Skills that a model decides; also says why not all could be measured."""
    thoughts: list[Thought] = []
    try:
        bench = Bench.open(home, data, full=wanted.full)
        for thought in bench.all(wanted.rounds or ROUNDS_OF_MANY):
            what = f"{thought.name}, {thought.runs} of {thought.ticks:,} ticks, {thought.latency_ms} ms each"
            print(f"{what}: {thought.process.wall_s:.2f} s", file=sys.stderr)
            thoughts.append(thought)
    except NotAvailable as error:
        return thoughts, [f"thinking: {error}"]
    return thoughts, []


def _store(home: Home, wanted: argparse.Namespace) -> tuple[list[Round], list[str]]:
    """Measure the stores of deployments; also says why they could not be."""
    try:
        return list(measured(home, wanted.rounds or ROUNDS_OF_MANY)), []
    except NotAvailable as error:
        return [], [f"stores: {error}"]


def _hop(wanted: argparse.Namespace) -> tuple[list[Hop], list[str]]:
    """Measure the kernel of actors; also says why not all could be measured."""
    hops: list[Hop] = []
    try:
        for hop in kernel_measured(wanted.rounds or ROUNDS_OF_MANY):
            figures = ", ".join(f"{name} {value:,.2f}" for name, value in hop.said.items())
            print(f"{hop.job} by {hop.who} on {hop.loop}: {figures}", file=sys.stderr)
            hops.append(hop)
    except NotAvailable as error:
        return hops, [f"kernel: {error}"]
    return hops, []


def _deploy(folder: Path, wanted: argparse.Namespace) -> tuple[list[Told], list[str]]:
    """Measure running deployments; also says why not all could be measured."""
    told: list[Told] = []
    try:
        for one in deployed_measured(folder, wanted.rounds or ROUNDS_OF_MANY, full=wanted.full):
            print(f"{one.job} {one.asked}: {one.said}", file=sys.stderr)
            told.append(one)
    except NotAvailable as error:
        return told, [f"deployments: {error}"]
    return told, []


def _sizes_of_rounds(wanted: argparse.Namespace) -> Iterator[tuple[int, int]]:
    for number in range(1, (wanted.rounds or ROUNDS) + 1):
        for bars in wanted.sizes:
            if wanted.rounds or bars < MANY_BARS or number <= ROUNDS_OF_MANY:
                yield number, bars


def _in_short(record: Record) -> str:
    return f"{record.job}, {record.bars_per_s:,.0f}/s, {record.process.wall_s:.2f} s"


def _report(records: Sequence[Record], missing: Missing, done: Sequence[Done]) -> str:
    if not records and not done:
        return ""
    parts = [_measured_on()]
    for bars in sorted({record.bars for record in records}):
        absent = {name: reason for (name, size), reason in missing.items() if size == bars}
        parts.append(jobs_table(records, absent, bars))
    if done:
        parts.append(f"### Around the job\n\n{chores_table(done)}")
    if judged := goals(records):
        parts.append(f"### Goals\n\n{goals_table(judged)}")
    return "\n\n".join(parts)


def _thinking_report(thoughts: Sequence[Thought]) -> str:
    if not thoughts:
        return ""
    table = goals_table(thinking_goals(thoughts))
    return f"{_measured_on()}\n\n{thinking_tables(thoughts)}\n\n### Goals of thinking\n\n{table}"


def _stores_report(rounds: Sequence[Round]) -> str:
    return f"{_measured_on()}\n\n{stores_report(rounds)}" if rounds else ""


def _measured_on() -> str:
    return f"Measured on {datetime.now(UTC):%Y-%m-%d}, at {describe_code()}: {describe_machine()}."


def _faults(records: Sequence[Record], missing: Missing, judged: Sequence[Goal]) -> list[str]:
    """Why the bench fails: we could not do the job, did other work, or are slower than we may be."""
    absent = [f"{name} over {bars:,} bars: {why}" for (name, bars), why in missing.items() if name == OURS]
    slow = [
        f"{goal.what}: {goal.found}, must be {goal.wanted}"
        for goal in judged
        if goal.must_hold and not goal.is_held
    ]
    return [*absent, *different_work(records), *slow]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
