"""The job's bars: one seeded series, made up and the same everywhere. `python -m bench.data FOLDER`.

The logarithm of the price walks at random with clustered volatility and a very weak pull to its start, so that
500,000 hourly bars stay at a sane price. Each bar opens where the last one closed: a fill at this close and one
at the next open are the same price, so that peers with either habit reach the same final equity.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.peers.job import FIRST_MS, HOUR_MS, columns_file, import_file, tidy_file

SEED = 20_260_731
SIZES = (10_000, 100_000, 500_000)  # bars; each is the beginning of the longest
START_PRICE = 200.0
DECIMALS = 3

IMPORT_ROWS = 1_000_000
MINUTE_MS = 60_000

Floats = NDArray[np.float64]

_OMEGA, _ALPHA, _BETA = 2.5e-7, 0.08, 0.90
_PULL = 1 / 8760


def make_bars(bars: int, seed: int = SEED) -> Floats:
    """Make a float64 array of `bars` rows: open, high, low, close in USD, volume in base units."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(5, bars) / np.sqrt(5 / 3)
    above = np.abs(rng.standard_normal(bars))
    below = np.abs(rng.standard_normal(bars))
    volume = np.round(1_000_000 * rng.lognormal(0.0, 0.5, bars))
    log_price, spread = _walk(shocks)
    close = np.round(START_PRICE * np.exp(log_price), DECIMALS)
    opens = np.concatenate([[START_PRICE], close[:-1]])
    high = np.round(np.maximum(opens, close) * (1 + 0.5 * spread * above), DECIMALS)
    low = np.round(np.minimum(opens, close) * (1 - 0.5 * spread * below), DECIMALS)
    return np.column_stack([opens, high, low, close, volume])


def _walk(shocks: Floats) -> tuple[Floats, Floats]:
    """Give the logarithm of price over start, and the volatility, after each of the shocks: a GARCH(1,1)."""
    at, variance = 0.0, _OMEGA / (1 - _ALPHA - _BETA)
    path, spread = np.empty_like(shocks), np.empty_like(shocks)
    for i, shock in enumerate(shocks.tolist()):
        deviation = variance**0.5
        step = deviation * shock - _PULL * at
        at += step
        path[i], spread[i] = at, deviation
        variance = _OMEGA + _ALPHA * (deviation * shock) ** 2 + _BETA * variance
    return path, spread


def write_tidy(path: Path, rows: Floats, first_ms: int, step_ms: int) -> None:
    """Write bars as a tidy CSV file: ts,open,high,low,close,volume."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("ts,open,high,low,close,volume\n")
        for number, row in enumerate(rows.tolist()):
            file.write(f"{first_ms + number * step_ms},{','.join(map(repr, row))}\n")


def write_all(folder: Path) -> None:
    """Write the bars in each size, as arrays for the peers and tidy for us, and a file for the import."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = make_bars(max(SIZES))
    for size in SIZES:
        np.save(columns_file(str(folder), size), rows[:size])
        write_tidy(tidy_file(str(folder), size), rows[:size], FIRST_MS, HOUR_MS)
    write_tidy(import_file(str(folder)), make_bars(IMPORT_ROWS, SEED + 1), FIRST_MS, MINUTE_MS)


def main(arguments: list[str]) -> None:
    """Write all the files, once: a folder that is complete is left alone."""
    folder = Path(arguments[0])
    done = folder / f".made-from-{SEED}-numpy-{np.__version__}"
    if not done.exists():
        write_all(folder)
        done.touch()


if __name__ == "__main__":
    main(sys.argv[1:])
