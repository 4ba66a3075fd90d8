"""The peers' pins, and the limit that every other is held against."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.data import make_bars, write_tidy
from bench.environments import ROOT
from bench.jobs import PEERS
from bench.peers.job import CASH_USD, FAST, FEE_BPS, FIRST_MS, HOUR_MS, SIZE, SLOW, tidy_file

PINS = sorted((ROOT / "requirements").glob("bench-*.txt"))
BARS = 2000


def final_equity(opens: np.ndarray, closes: np.ndarray) -> tuple[int, float]:
    """The job array at a time: orders, and cash and position at the last close."""
    sums = np.concatenate([[0.0], np.cumsum(closes)])
    fast = (sums[SLOW:] - sums[SLOW - FAST : -FAST]) / FAST
    slow = (sums[SLOW:] - sums[:-SLOW]) / SLOW
    position = np.zeros(len(closes))
    position[SLOW:] = np.where(fast > slow, SIZE, -SIZE)[:-1]
    traded = np.diff(position, prepend=0.0)
    cash = CASH_USD - (traded * opens).sum() - (np.abs(traded) * opens).sum() * FEE_BPS / 10_000
    return int((traded != 0).sum()), cash + position[-1] * closes[-1]


@pytest.mark.parametrize("hop", [[], ["asyncio"]])
def test_the_limit_does_the_job(tmp_path: Path, hop: list[str]) -> None:
    """It reaches the orders and the equity that the arrays give, hop by hop as well."""
    bars = make_bars(BARS)
    write_tidy(tidy_file(str(tmp_path), BARS), bars, FIRST_MS, HOUR_MS)

    command = [sys.executable, str(PEERS / "limit_events.py"), str(tmp_path), str(BARS), *hop]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    orders, equity = final_equity(bars[:, 0], bars[:, 3])
    assert said["orders"] == orders > 20
    assert float(said["final_equity"]) == pytest.approx(equity, abs=1e-6)


@pytest.mark.parametrize("pins", PINS, ids=lambda path: path.stem)
def test_a_peers_packages_are_plain_pins(pins: Path) -> None:
    """Every line is `name==version`, and a script stands beside them."""
    lines = pins.read_text().splitlines()

    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.+]+", line)] == []
    assert (PEERS / f"peer_{pins.stem.removeprefix('bench-')}.py").is_file()


def test_every_peer_has_its_pins() -> None:
    """No script is without an environment to run in."""
    names = {path.stem.removeprefix("peer_") for path in PEERS.glob("peer_*.py")}

    assert names == {path.stem.removeprefix("bench-") for path in PINS}
