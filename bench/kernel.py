"""The kernel of actors beside the least that asyncio allows: the jobs of `bench.hops`, each by all in turn.

Each is a process of its own. Where uvloop is installed, all is done on its loop, too.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from bench.environments import ROOT, NotAvailable
from bench.jobs import last_json
from bench.measure import clean_environment, measure, middle
from bench.tables import goals_table, markdown
from bench.verdicts import Goal

OURS, QUEUE, DEQUE = "agentic", "queue", "deque"
ASYNCIO, UVLOOP = "asyncio", "uvloop"
JOBS = ("ask", "tell", "crash", "spawn", "tick")
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Hop:
    """What one said of one job on one loop: what was measured → the figure."""

    job: str
    who: str
    loop: str
    said: dict[str, float]


def loops() -> list[str]:
    """The event loops that are here."""
    return [ASYNCIO, UVLOOP] if find_spec(UVLOOP) else [ASYNCIO]


def measured(rounds: int) -> Iterator[Hop]:
    """Do each job by each in turn, so many times. Raises NotAvailable."""
    for _ in range(rounds):
        for job in JOBS:
            for loop in loops():
                for who in (OURS, QUEUE, DEQUE):
                    yield Hop(job, who, loop, _said(job, who, loop))


def _said(job: str, who: str, loop: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.hops", who, job]
    process = measure(
        [*command, *([UVLOOP] if loop == UVLOOP else [])], clean_environment(), folder=ROOT, limit_s=LIMIT_S
    )
    if process.exit_code:
        raise NotAvailable(f"{job} by {who}: {process.reason()}")
    said: dict[str, float] = last_json(process.output)
    return said


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what is shown, where it is found, how it is written, and whether more is better."""

    what: str
    job: str
    name: str
    form: str = "{:.1f}"
    factor: float = 1.0
    more_is_better: bool = False

    def of(self, hops: Sequence[Hop], loop: str, who: str) -> tuple[float, float, float] | None:
        """The median over the rounds, the least and the greatest; None where nothing was measured."""
        values = [
            hop.said[self.name] for hop in hops if (hop.job, hop.loop, hop.who) == (self.job, loop, who)
        ]
        usual, least, most = middle(values) if values else (0.0, 0.0, 0.0)
        return (usual * self.factor, least * self.factor, most * self.factor) if values else None

    def written(self, values: Sequence[float]) -> str:
        """Write a median with its range."""
        return "{} ({}–{})".format(*(self.form.format(value) for value in values))

    def times(self, ours: float, limit: float) -> float:
        """How many times as long as the limit it takes."""
        return limit / ours if self.more_is_better else ours / limit


ASK = Figure("ask, p50, µs", "ask", "p50_us")
ASK_P99 = Figure("ask, p99, µs", "ask", "p99_us")
AT_ONCE = Figure("asks, 64 at once, 1/s", "ask", "at_once_per_s", "{:,.0f}", more_is_better=True)
TELL = Figure("tells, 1/s", "tell", "per_s", "{:,.0f}", more_is_better=True)
CRASH = Figure("crash to the replacement's answer, p50, µs", "crash", "p50_us")
SPAWN = Figure("10,000 started and answered, s", "spawn", "spawn_s", "{:.2f}")
STOP = Figure("10,000 stopped, s", "spawn", "stop_s", "{:.2f}")
TICK = Figure("10,000 at 1 Hz: ask, p99, µs", "tick", "p99_us", "{:,.0f}")
LATE = Figure("10,000 at 1 Hz: late, p99, ms", "tick", "late_p99_us", factor=1e-3)
CPU = Figure("10,000 at 1 Hz: % of a core", "tick", "cpu_share", "{:.0f}", 100.0)
MEMORY = Figure("10,000 at 1 Hz: KB each", "tick", "each_kb")
ANSWERED = Figure("10,000 at 1 Hz: % answered", "tick", "answered", "{:.1f}", 100.0, more_is_better=True)
FIGURES = (ASK, ASK_P99, AT_ONCE, TELL, CRASH, SPAWN, STOP, TICK, LATE, CPU, MEMORY, ANSWERED)


def kernel_table(hops: Sequence[Hop], loop: str) -> str:
    """Show each figure beside its limits: medians over the rounds, with the least and the greatest."""
    head = ["", "agentic", "bare asyncio.Queue", "bare deque", "× Queue", "× deque"]
    return markdown(head, [row for figure in FIGURES if (row := _row(hops, loop, figure))])


def _row(hops: Sequence[Hop], loop: str, figure: Figure) -> list[str] | None:
    ours, queue, deque = (figure.of(hops, loop, who) for who in (OURS, QUEUE, DEQUE))
    if ours is None or queue is None or deque is None:
        return None
    ratios = [f"{figure.times(ours[0], limit[0]):.2f}" for limit in (queue, deque)]
    return [figure.what, *(figure.written(values) for values in (ours, queue, deque)), *ratios]


LINES = (
    (ASK, ASYNCIO, 12.0),
    (ASK, UVLOOP, 9.0),
    (TELL, ASYNCIO, 600_000.0),
    (CRASH, ASYNCIO, 60.0),
    (SPAWN, ASYNCIO, 0.6),
    (STOP, ASYNCIO, 0.4),
    (TICK, ASYNCIO, 500.0),
    (CPU, ASYNCIO, 40.0),
    (MEMORY, ASYNCIO, 20.0),
)
"""A figure on a loop, and what it is to come to: at most, or at least where more is better."""
RATIOS = (
    (ASK, QUEUE, 2.0, True),
    (TELL, QUEUE, 2.0, True),
    (ASK, DEQUE, 1.5, False),
    (TELL, DEQUE, 3.0, False),
)
"""A figure, a limit, at most how many times as long as that it may take, and whether the bench fails beyond."""


def kernel_goals(hops: Sequence[Hop]) -> list[Goal]:
    """Judge the lines that these jobs can tell of."""
    found = []
    for figure, loop, line in LINES:
        if values := figure.of(hops, loop, OURS):
            sign, is_held = ("≥", values[0] >= line) if figure.more_is_better else ("≤", values[0] <= line)
            where = "" if loop == ASYNCIO else f", on {loop}"
            found.append(
                Goal(f"{figure.what}{where}", f"{sign} {line:,g}", figure.form.format(values[0]), is_held)
            )
    for figure, who, most, must_hold in RATIOS:
        ours, limit = figure.of(hops, ASYNCIO, OURS), figure.of(hops, ASYNCIO, who)
        if ours and limit:
            times = figure.times(ours[0], limit[0])
            what = f"{figure.what.split(',')[0]}, beside a bare {who}"
            found.append(Goal(what, f"≤ {most:g} ×", f"{times:.2f} ×", times <= most, must_hold=must_hold))
    return found


def kernel_report(hops: Sequence[Hop]) -> str:
    """Show the figures on each loop, and the goals."""
    measured_on = [loop for loop in (ASYNCIO, UVLOOP) if any(hop.loop == loop for hop in hops)]
    tables = [f"### On the loop of {loop}\n\n{kernel_table(hops, loop)}" for loop in measured_on]
    return "\n\n".join([*tables, f"### Goals of the kernel\n\n{goals_table(kernel_goals(hops))}"])
