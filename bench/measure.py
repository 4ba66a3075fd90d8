"""A whole process, measured from outside: wall time, processor time and peak memory as the kernel counts them.

The peak of a process can't be seen below what its parent held when it was started (Linux hands it on), so the
program that measures stays small: it imports no numpy and none of the product's rooms.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TIME_LIMIT_S = 600.0
_LOOK_S = 0.002
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


@dataclass(frozen=True, slots=True)
class Process:
    """A process that has ended: seconds, MB (10^6 bytes), and what it wrote."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    exit_code: int
    output: str
    errors: str

    def reason(self) -> str:
        """Say in one line why it failed, by the last line it wrote."""
        said = (self.errors or self.output).strip().splitlines()
        return f"exit {self.exit_code}: {said[-1].strip() if said else 'it said nothing'}"


def clean_environment(**more: str) -> dict[str, str]:
    """Give this process's environment for a child: no Python settings of ours, byte code kept, no database named."""
    drop = ("PYTHON", "AGENTIC_", "DATABASE_URL", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(drop)} | more


def measure(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    limit_s: float = TIME_LIMIT_S,
) -> Process:
    """Run a command to its end, in `folder`, and say what it took. One that overruns is killed and ends with -9."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        status, usage = _wait(process, started + limit_s)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Process(
            wall_s,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * _RSS_UNIT / 1e6,
            process.returncode,
            output.read().decode(errors="replace"),
            errors.read().decode(errors="replace"),
        )


def _wait(process: subprocess.Popen[bytes], give_up: float) -> tuple[int, resource.struct_rusage]:
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            return status, usage
        if time.perf_counter() > give_up:
            process.kill()
            _, status, usage = os.wait4(process.pid, 0)
            return status, usage
        time.sleep(_LOOK_S)


def calibrate_ms(steps: int = 400_000) -> float:
    """Time a fixed piece of plain Python, so that a record shows how fast the machine was just then."""
    started = time.perf_counter()
    total, table = 0.0, {}
    for i in range(steps):
        total += i * 0.5
        table[i & 255] = total
    return (time.perf_counter() - started) * 1e3


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """Give the median, the least and the greatest."""
    return median(values), min(values), max(values)
