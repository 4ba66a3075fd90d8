"""`python -m bench`: measure, print the tables, and with --write put them into docs/performance.md."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.chores import Done, chores, do
from bench.environments import ROOT, NotAvailable
from bench.jobs import OURS, Job, Record, others, run
from bench.machine import describe_code, describe_machine, load
from bench.measure import clean_environment
from bench.product import Home, open_home, product_job
from bench.tables import chores_table, goals_table, jobs_table, put_between_markers
from bench.verdicts import different_work, goals

SIZES = (10_000, 100_000, 500_000)
ROUNDS, ROUNDS_OF_MANY, MANY_BARS = 5, 3, 500_000
DOCUMENT = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str]) -> int:
    """Measure and report. 1 when work that should be the same differs, or a line that must hold does not."""
    wanted = _parse(arguments)
    folder = Path(os.environ.get("AGENTIC_BENCH_HOME") or ROOT / ".bench").absolute()
    data = folder / "data"
    # In a process of its own: see `bench.measure` on what a parent's memory does to its children's figures.
    subprocess.run(
        [sys.executable, "-m", "bench.data", str(data)], cwd=ROOT, env=clean_environment(), check=True
    )
    with open_home(folder) as home:
        jobs, missing = _prepare(home, data, wanted)
        records = list(_rounds(jobs, missing, wanted))
        done = [do(chore, wanted.rounds or ROUNDS_OF_MANY) for chore in chores(home, data) if wanted.chores]
    text = _report(records, missing, done)
    print(text)
    if wanted.write:
        DOCUMENT.write_text(put_between_markers(DOCUMENT.read_text("utf-8"), text), "utf-8")
    return _judge(records)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make bench ARGS=…", description="Measure speed and memory.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, choices=SIZES, metavar="BARS")
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}, or {ROUNDS_OF_MANY} where one takes long")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the jobs to measure, by name")
    parser.add_argument("--no-chores", dest="chores", action="store_false", help="leave the second table out")
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {DOCUMENT.relative_to(ROOT)}"
    )
    return parser.parse_args(arguments)


def _prepare(home: Home, data: Path, wanted: argparse.Namespace) -> tuple[list[Job], dict[str, str]]:
    """Give the jobs that can be done here, and why the others can't."""

    def ours() -> Job:
        return product_job(home, data, max(wanted.sizes))

    jobs: list[Job] = []
    missing: dict[str, str] = {}
    for name, make in [(OURS, ours), *others(data.parent, data)]:
        if wanted.only and name not in wanted.only:
            continue
        try:
            job = make()
            run(job, min(wanted.sizes), load())  # not counted: it warms the caches
            jobs.append(job)
        except NotAvailable as error:
            missing[name] = str(error)
            print(f"{name}: not available: {error}", file=sys.stderr)
    return jobs, missing


def _rounds(jobs: Sequence[Job], missing: dict[str, str], wanted: argparse.Namespace) -> Iterator[Record]:
    """Do every job once a round, so that a busy moment of the machine hits all alike."""
    for bars in wanted.sizes:
        rounds = wanted.rounds or (ROUNDS_OF_MANY if bars >= MANY_BARS else ROUNDS)
        for number in range(rounds):
            for job in jobs:
                record = _try(job, bars, missing)
                if record:
                    rate, wall_s = record.bars_per_s, record.process.wall_s
                    print(
                        f"{bars:,} bars, round {number + 1}: {job.name}, {rate:,.0f}/s, {wall_s:.2f} s",
                        file=sys.stderr,
                    )
                    yield record


def _try(job: Job, bars: int, missing: dict[str, str]) -> Record | None:
    try:
        return run(job, bars, load())
    except NotAvailable as error:
        missing[f"{job.name}, {bars:,} bars"] = str(error)
        return None


def _report(records: Sequence[Record], missing: dict[str, str], done: Sequence[Done]) -> str:
    parts = [f"Measured on {datetime.now(UTC):%Y-%m-%d}, at {describe_code()}: {describe_machine()}."]
    parts += [jobs_table(records, missing, bars) for bars in sorted({record.bars for record in records})]
    if done:
        parts.append(f"### Around the job\n\n{chores_table(done)}")
    if judged := goals(records):
        parts.append(f"### Goals\n\n{goals_table(judged)}")
    return "\n\n".join(parts)


def _judge(records: Sequence[Record]) -> int:
    faults = different_work(records)
    faults += [
        f"{goal.what}: {goal.found}, must be {goal.wanted}"
        for goal in goals(records)
        if goal.must_hold and not goal.is_held
    ]
    for fault in faults:
        print(f"bench: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
