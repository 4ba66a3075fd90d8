"""Who does the job: the product, its peers and the limits; and how each says what came of it."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.environments import ROOT, NotAvailable, interpreter_of
from bench.measure import Process, calibrate_ms, clean_environment, measure

PEERS = ROOT / "bench" / "peers"
OURS = "agentic"
NAUTILUS = "NautilusTrader"
SAME_WORK = (OURS, NAUTILUS, "backtrader", "bare events", "asyncio hop")
"""Those that must reach the same final equity, to the cent."""
NAMES = (*SAME_WORK, "backtesting.py")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the job: seconds in the loop, orders filled, final equity in USD."""

    version: str
    loop_s: float
    orders: int
    final_equity: Decimal


@dataclass(frozen=True, slots=True)
class Job:
    """One that does the job: `command` for a number of bars, where it is run, and how to read what it prints."""

    name: str
    command: Callable[[int], list[str]]
    read: Callable[[Any], Outcome]
    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Record:
    """One measured run, with the machine's state just before: calibration in ms, load over a minute."""

    job: str
    bars: int
    process: Process
    outcome: Outcome
    calibration_ms: float
    load: float

    @property
    def bars_per_s(self) -> float:
        """The rate in the loop."""
        return self.bars / self.outcome.loop_s


def run(job: Job, bars: int, load: float) -> Record:
    """Do the job once. Raises NotAvailable when it fails, with the reason."""
    calibration_ms = calibrate_ms()
    process = measure(job.command(bars), job.environment, folder=job.folder)
    if process.exit_code:
        raise NotAvailable(process.reason())
    return Record(job.name, bars, process, job.read(last_json(process.output)), calibration_ms, load)


def last_json(output: str) -> Any:
    """Read the JSON document that a process ended with: its last line, or all it wrote. Raises NotAvailable."""
    text = output.strip()
    for candidate in (text[text.rfind("\n") + 1 :], text):
        try:
            return json.loads(candidate)
        except json.JSONDecodeError:
            continue
    raise NotAvailable("it did not say what came of the job")


def others(home: Path, data: Path) -> list[tuple[str, Callable[[], Job]]]:
    """Give the peers and the limits by name. Making one makes its environment and can raise NotAvailable."""
    environments = home / "environments"

    def peer(name: str, package: str) -> tuple[str, Callable[[], Job]]:
        def make() -> Job:
            python = interpreter_of(package, environments)
            return _script(name, python, f"peer_{package}.py", data)

        return name, make

    here = Path(sys.executable)
    return [
        peer(NAUTILUS, "nautilus"),
        peer("backtrader", "backtrader"),
        peer("backtesting.py", "backtesting"),
        ("bare events", lambda: _script("bare events", here, "limit_events.py", data)),
        ("asyncio hop", lambda: _script("asyncio hop", here, "limit_events.py", data, "asyncio")),
    ]


def _script(name: str, python: Path, script: str, data: Path, *more: str) -> Job:
    def command(bars: int) -> list[str]:
        return [str(python), str(PEERS / script), str(data), str(bars), *more]

    return Job(name, command, _read_script, clean_environment(), data)


def _read_script(said: Any) -> Outcome:
    return Outcome(said["version"], said["loop_s"], said["orders"], Decimal(said["final_equity"]))
