"""The one job that everybody does, and how a script says what came of it. Standard library only.

At each bar close, compare the averages of the last FAST and SLOW closes: above → be long SIZE, below → be short
SIZE, equal → change nothing; nothing before there are SLOW bars. One market order for the difference, filled at
the next bar's open, which is this bar's close. A fee of FEE_BPS, and no other costs.
"""

import json
import time
from pathlib import Path

FAST, SLOW = 20, 50  # bars
SIZE = 2  # base units
FEE_BPS = 4.5
CASH_USD = 10_000
LEVERAGE = 3

FIRST_MS = 315_532_800_000  # 1980-01-01, so that 500,000 bars end in 2037: made-up prices, made-up times
HOUR_MS = 3_600_000


def crossed(fast: float, slow: float, target: int) -> int:
    """Give the position wanted, from the two averages and the one wanted until now."""
    return SIZE if fast > slow else -SIZE if fast < slow else target


def columns_file(folder: str, bars: int) -> Path:
    """Where the bars lie as a float64 array of open, high, low, close, volume."""
    return Path(folder) / f"bars_{bars}.npy"


def import_file(folder: str) -> Path:
    """Where a million one-minute bars lie as tidy CSV, to be imported."""
    return Path(folder) / "import_1m.csv"


def tidy_file(folder: str, bars: int) -> Path:
    """Where the bars lie as tidy CSV."""
    return Path(folder) / f"bars_{bars}.csv"


class Stopwatch:
    """Times the loop."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def seconds(self) -> float:
        """Say how long ago it was started."""
        return time.perf_counter() - self._started


def report(version: str, loop_s: float, orders: int, final_equity: float) -> None:
    """Print what came of the job, as the last line."""
    outcome = {"version": version, "loop_s": loop_s, "orders": orders, "final_equity": str(final_equity)}
    print(json.dumps(outcome), flush=True)
