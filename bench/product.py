"""The product at the same job: a home of its own with the bars in it, and the commands as a user types them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.environments import ROOT, NotAvailable
from bench.jobs import OURS, Job, Outcome
from bench.measure import Process, clean_environment, measure
from bench.peers.job import CASH_USD, FAST, FIRST_MS, LEVERAGE, SIZE, SLOW, tidy_file

AGENTIC = str(Path(sys.executable).parent / "agentic")
SYMBOL = "BENCH"

SKILL = f"""\
---
name: bench-cross
description: The benchmark's job
model: baseline:sma-cross
model_params: {{fast: {FAST}, slow: {SLOW}, size: {SIZE}}}
schedule: 1h
market: {{symbols: [{SYMBOL}], interval: 1h}}
tools: [get_bars, get_portfolio, propose_order]
risk:
  max_leverage: {LEVERAGE}
  allow_short: true
  daily_loss_pct: 99      # judged on every mark, never reached
  max_drawdown_pct: 99
---
Follow the averages.
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A state directory whose database server is kept running, for as long as `open_home` is open.

    Commands are run in it, so that no `.env` leads them to somebody's own database.
    """

    folder: Path
    dsn: str

    @property
    def environment(self) -> dict[str, str]:
        """What a command of the product is run with."""
        return clean_environment(AGENTIC_HOME=str(self.folder))

    def agentic(self, *arguments: str) -> Process:
        """Run a command of the product. Raises NotAvailable when it fails, with its last line."""
        process = measure([AGENTIC, *arguments], self.environment, folder=self.folder)
        if process.exit_code:
            raise NotAvailable(f"agentic {' '.join(arguments[:2])}: {process.reason()}")
        return process

    def import_bars(self, file: Path, symbol: str, interval: str) -> Process:
        """Import made-up bars of a made-up instrument."""
        facts = ("--sz-decimals", "0", "--max-leverage", str(LEVERAGE), "--source", "synthetic")
        return self.agentic(
            "data", "import", "bars", str(file), "--symbol", symbol, "--interval", interval, *facts
        )


@contextmanager
def open_home(under: Path) -> Iterator[Home]:
    """Make a new home below `under`, hold its database server, and remove both at the end."""
    under.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="home-", dir=under) as folder:
        holder = subprocess.Popen(
            [sys.executable, "-m", "bench.server", folder],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder:
            assert holder.stdin
            assert holder.stdout
            dsn = holder.stdout.readline().strip()
            if not dsn:
                raise NotAvailable("the embedded database server could not be started")
            yield Home(Path(folder), dsn)
            holder.stdin.close()


def product_job(home: Home, data: Path, most_bars: int) -> Job:
    """Import the bars once and give the job of simulating the Skill over them. Raises NotAvailable."""
    home.import_bars(tidy_file(str(data), most_bars), SYMBOL, "1h")
    skill = home.folder / "SKILL.md"
    skill.write_text(SKILL, "utf-8")
    report = str(home.folder / "report.html")

    def command(bars: int) -> list[str]:
        first = datetime.fromtimestamp(FIRST_MS / 1000, UTC)
        span = [
            "--from",
            f"{first:%Y-%m-%dT%H:%MZ}",
            "--to",
            f"{first + timedelta(hours=bars):%Y-%m-%dT%H:%MZ}",
        ]
        same = ["--cash", str(CASH_USD), "--costs", "none", "--funding", "off"]
        return [AGENTIC, "sim", "run", str(skill), *span, *same, "--report", report, "--json"]

    return Job(OURS, command, _read, home.environment, home.folder)


def _read(said: Any) -> Outcome:
    metrics = said["metrics"]
    return Outcome("", said["timing"]["loop_s"], metrics["fills"], Decimal(str(metrics["final_equity"])))
