"""A Skill that a model decides: what a tick takes besides the model, what a replay does, and whether runs wait at all.

The model is a stand-in in a process of its own that always holds: one call a tick. First it answers at once, which
shows what a tick takes of its own; then as late as a model does, when a run should take hardly longer than its model.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bench.environments import ROOT, NotAvailable
from bench.jobs import last_json
from bench.measure import Process, clean_environment, measure
from bench.peers.job import FIRST_MS, tidy_file
from bench.product import AGENTIC, Home

LIMITS = ROOT / "bench" / "limits"
SYMBOL = "THOUGHT"
BARS_FILE, BARS_BEFORE = 10_000, 200
LATENCY_MS = 300
WARM_UP_TICKS, AT_ONCE_TICKS = 20, 500
FEW_TICKS, LATE_TICKS, ALL_TICKS = 2, 200, 1_000
FEW_ROUNDS = 3
SIDE_BY_SIDE = 16
LIMIT_S = 3_600.0

RECORDED, REPLAYED = "agentic sim run", "agentic sim run --mode replay"
BARE_CLIENT, BARE_HTTP = "bare calls by the anthropic client", "bare calls by aiohttp"
CLIENT, HTTP = "anthropic", "aiohttp"

SKILL = """\
---
name: bench-thought
description: A Skill of the benchmark that a model decides
model: anthropic:claude-sonnet-4-6
schedule: 1h
market: {{symbols: [{symbol}], interval: 1h, bars: 100}}
tools: [get_bars, get_portfolio, propose_order]
risk:
  max_leverage: 3
  max_inference_usd_per_run: 10000
---
Hold. This is round {round}, so that nothing that was recorded answers it.
"""


@dataclass(frozen=True, slots=True)
class Thought:
    """One measured process that had a model decide: `runs` side by side, of `ticks` each.

    `p50_ms` and `p99_ms` are those of a tick, or of a bare call; None where they can't be seen from outside.
    """

    name: str
    ticks: int
    runs: int
    latency_ms: int
    process: Process
    loop_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What the measurements share: a home with bars in it, and how many ticks are taken while the model is late."""

    home: Home
    late_ticks: int
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def open(cls, home: Home, data: Path, *, full: bool) -> "Bench":
        """Import the bars. Raises NotAvailable."""
        home.import_bars(tidy_file(str(data), BARS_FILE), SYMBOL, "1h")
        return cls(home, ALL_TICKS if full else LATE_TICKS)

    def all(self, rounds: int) -> Iterator[Thought]:
        """Measure so many rounds with a model that answers at once, then one with a late one. Raises NotAvailable."""
        list(self.at_once(WARM_UP_TICKS))  # not counted: it warms the caches
        for _ in range(rounds):
            yield from self.at_once()
        yield from self.late()

    def at_once(self, ticks: int = AT_ONCE_TICKS) -> Iterator[Thought]:
        """Measure a run, its replay and the bare calls with a model that answers at once. Raises NotAvailable."""
        number = next(self._numbers)
        with stand_in(0) as url:
            recorded, report = self._sim(RECORDED, number, ticks, url)
            yield recorded
            replayed, same = self._sim(REPLAYED, number, ticks, None, "--mode", "replay")
            if same != report:
                raise NotAvailable("a replay has another report than the run that it replays")
            yield replayed
            for client, name in ((CLIENT, BARE_CLIENT), (HTTP, BARE_HTTP)):
                yield self._bare(name, client, ticks, 0, url)

    def late(self) -> Iterator[Thought]:
        """Measure one run, many and the bare calls with a model that takes its time: first few ticks, then all.

        Raises NotAvailable.
        """
        with stand_in(LATENCY_MS) as url:
            for ticks in (*[FEW_TICKS] * FEW_ROUNDS, self.late_ticks):
                for runs in (1, SIDE_BY_SIDE):
                    yield self._late_sim(ticks, runs, url)
                yield self._bare(BARE_CLIENT, CLIENT, ticks, LATENCY_MS, url)

    def _late_sim(self, ticks: int, runs: int, url: str) -> Thought:
        more = ("--runs", str(runs))
        number = next(self._numbers)
        return self._sim(RECORDED, number, ticks, url, *more, runs=runs, latency_ms=LATENCY_MS)[0]

    def _sim(
        self,
        name: str,
        number: int,
        ticks: int,
        url: str | None,
        *more: str,
        runs: int = 1,
        latency_ms: int = 0,
    ) -> tuple[Thought, str]:
        """Run the Skill, and give what it took and the digest of its report."""
        skill = self.home.folder / "THOUGHT.md"
        skill.write_text(SKILL.format(symbol=SYMBOL, round=number), "utf-8")
        first = datetime.fromtimestamp(FIRST_MS / 1000, UTC) + timedelta(hours=BARS_BEFORE)
        span = ["--from", _instant(first), "--to", _instant(first + timedelta(hours=ticks))]
        command = [AGENTIC, "sim", "run", str(skill), *span, "--funding", "off", "--yes", "--json", *more]
        process = measure(command, self._environment(url), folder=self.home.folder, limit_s=LIMIT_S)
        said = _said(process)
        if said["metrics"]["ticks"] != {"hold": ticks}:
            raise NotAvailable(f"{ticks} held ticks were wanted, and there were {said['metrics']['ticks']}")
        pace = self._pace(ticks) if runs == 1 and url and ticks > FEW_TICKS else {}
        thought = Thought(name, ticks, runs, latency_ms, process, said["timing"]["loop_s"], **pace)
        return thought, said["digests"]["report"]

    def _environment(self, url: str | None) -> dict[str, str]:
        budgets = dict.fromkeys(
            ("AGENTIC_INFERENCE_USD_PER_USER_DAY", "AGENTIC_INFERENCE_USD_PER_DAY"), "1000000"
        )
        asked = {"AGENTIC_ANTHROPIC_API_KEY": "none", "AGENTIC_MODEL_BASE_URL": url} if url else {}
        return self.home.environment | budgets | asked

    def _pace(self, ticks: int) -> dict[str, Any]:
        command = [sys.executable, "-m", "bench.pace", self.home.dsn, str(ticks)]
        found: dict[str, Any] = _said(measure(command, clean_environment(), folder=ROOT))
        return found

    def _bare(self, name: str, client: str, calls: int, latency_ms: int, url: str) -> Thought:
        script = [sys.executable, str(LIMITS / "bare_calls.py"), url, str(calls), client]
        process = measure(script, clean_environment(), folder=self.home.folder, limit_s=LIMIT_S)
        return Thought(name, calls, 1, latency_ms, process, **_said(process))


@contextmanager
def stand_in(latency_ms: int) -> Iterator[str]:
    """Have a process play the model, and give its URL."""
    command = [sys.executable, "-m", "tests.standins.messages_api", "--brain", "hold"]
    process = subprocess.Popen(
        [*command, "--latency-ms", str(latency_ms)],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise NotAvailable("the stand-in for a model could not be started")
            yield url
        finally:
            process.terminate()


def _said(process: Process) -> Any:
    if process.exit_code:
        raise NotAvailable(process.reason())
    return last_json(process.output)


def _instant(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%MZ}"
