"""The job's bars: sane, chained, the same again."""

from pathlib import Path

import numpy as np

from bench.data import DECIMALS, SEED, START_PRICE, make_bars, write_tidy
from bench.peers.job import FIRST_MS, HOUR_MS

BARS = make_bars(5000)
OPEN, HIGH, LOW, CLOSE, VOLUME = BARS.T


def test_a_bar_opens_where_the_last_one_closed() -> None:
    """Filling at a close or at the next open is then the same, so that peers with either habit agree."""
    assert OPEN[0] == START_PRICE
    assert np.array_equal(OPEN[1:], CLOSE[:-1])


def test_high_and_low_enclose_open_and_close() -> None:
    """No importer has a reason to refuse a row."""
    assert (np.maximum(OPEN, CLOSE) <= HIGH).all()
    assert (np.minimum(OPEN, CLOSE) >= LOW).all()
    assert (LOW > 0).all()
    assert (VOLUME > 0).all()


def test_prices_are_whole_thousandths() -> None:
    """Every engine can hold them exactly."""
    assert np.array_equal(np.round(BARS, DECIMALS), BARS)


def test_the_same_seed_gives_the_same_bars() -> None:
    """A record can be made again; another seed gives another series."""
    assert np.array_equal(make_bars(500, SEED), make_bars(500, SEED))
    assert not np.array_equal(make_bars(500, SEED), make_bars(500, SEED + 1))


def test_a_tidy_file_holds_the_very_numbers(tmp_path: Path) -> None:
    """Times step by the interval from the first, and each price reads back to the same float."""
    write_tidy(tmp_path / "bars.csv", BARS[:3], FIRST_MS, HOUR_MS)

    lines = (tmp_path / "bars.csv").read_text().splitlines()

    assert lines[0] == "ts,open,high,low,close,volume"
    assert [int(line.split(",")[0]) for line in lines[1:]] == [FIRST_MS + i * HOUR_MS for i in range(3)]
    assert [[float(cell) for cell in line.split(",")[1:]] for line in lines[1:]] == BARS[:3].tolist()
