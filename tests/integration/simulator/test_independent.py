"""`sma-cross` without costs and funding, against a calculation written from the rules alone, to the last cent.

What the two share is the file. The calculation knows nothing of the engine, the venue or the simulator.
"""

import csv
import gzip
import random
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from uuid import UUID

import pytest

from db.pool import Database
from domain.time import ManualClock
from market.importing import Kind, Wanted, import_series
from tests.integration.simulator.samples import LATER, T0, simulate, skill_text

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars" / "binance-perp"
HOUR = 3_600_000
CASH = Decimal(1_000_000)
FAST, SLOW = 20, 50
SIZES = {"BTC": "0.3", "ETH": "4", "SOL": "50"}
PRICES = {"BTC": (60_000.0, 1), "ETH": (3_000.0, 2), "SOL": (150.0, 3)}

Row = tuple[Decimal, Decimal]  # open, close


def read(path: Path) -> dict[int, Row]:
    """Open and close by open time, as the file writes them."""
    with gzip.open(path, "rt") as file:
        return {int(row["ts"]): (Decimal(row["open"]), Decimal(row["close"])) for row in csv.DictReader(file)}


def final_equity(
    market: dict[str, dict[int, Row]], from_ts: int, to_ts: int, size: Decimal, may_short: bool
) -> Decimal:
    """What the account is worth at the end: rules §2.4 (costs none), §2.8 (fees), §2.11 (books), §3 (order)."""
    cash, held = CASH, dict.fromkeys(market, Decimal(0))
    closes = {symbol: [rows[ts][1] for ts in rows if ts < from_ts] for symbol, rows in market.items()}
    for ts in range(from_ts, to_ts, HOUR):
        for symbol, rows in market.items():
            seen = closes[symbol]
            if ts not in rows:  # a hole: no fresh price at this tick or the next, and nothing fills
                continue
            is_fresh = ts - HOUR in rows
            fast, slow = sum(seen[-FAST:]) / FAST, sum(seen[-SLOW:]) / SLOW
            if is_fresh and len(seen) >= SLOW and fast != slow:
                target = size if fast > slow else -size if may_short else Decimal(0)
                traded, px = target - held[symbol], rows[ts][0]
                fee = (abs(traded) * px * Decimal("0.00045")).quantize(Decimal("0.000001"), ROUND_DOWN)
                cash, held[symbol] = cash - traded * px - fee, target
            seen.append(rows[ts][1])
    return cash + sum(held[symbol] * closes[symbol][-1] for symbol in market)


def made_up(folder: Path, symbol: str, without: range = range(0)) -> Path:
    """A random walk in a file, with enough turns for some dozen trades."""
    dice, path = random.Random(symbol), folder / f"{symbol}.csv.gz"
    px, decimals = PRICES[symbol]
    with gzip.open(path, "wt") as file:
        file.write("ts,open,high,low,close,volume\n")
        for number in range(1_500):
            opened = round(px * (1 + dice.gauss(0, 0.0005)), decimals)
            px = round(opened * (1 + dice.gauss(0, 0.01)), decimals)
            if number not in without:
                high, low = max(opened, px), min(opened, px)
                file.write(f"{T0 + number * HOUR},{opened},{high},{low},{px},{dice.choice([0, 3, 1e6])}\n")
    return path


async def check(
    database: Database, owner: UUID, files: dict[str, Path], size: str, *, may_short: bool = True
) -> None:
    """Run one Skill over the whole of some files, and compare its last equity with the calculation's."""
    clock = ManualClock(LATER)
    for symbol, path in files.items():
        wanted = Wanted(Kind.BARS, (path,), symbol, HOUR, "a-file")
        await import_series(database, clock, wanted, lambda told: None)
    market = {symbol: read(path) for symbol, path in files.items()}
    text = skill_text(
        model_params=f"{{fast: {FAST}, slow: {SLOW}, size: {size}}}",
        market=f"{{symbols: [{', '.join(files)}], interval: 1h, bars: 60}}",
        risk=f"{{max_leverage: 20, allow_short: {str(may_short).lower()}, daily_loss_pct: 90,"
        " max_drawdown_pct: 95, max_orders_per_day: 1000}",
    )
    finished = await simulate(database, owner, text, cash=CASH, costs="none", funding=False)

    record = finished.record
    assert record.final_equity == final_equity(market, record.from_ts, record.to_ts, Decimal(size), may_short)
    assert len(record.fills) >= 20
    assert {fill.symbol for fill in record.fills} == set(files)


@pytest.mark.parametrize("symbol", SIZES)
@pytest.mark.parametrize("may_short", [True, False])
async def test_each_symbol_alone(
    database: Database, owner: UUID, tmp_path: Path, symbol: str, may_short: bool
) -> None:
    """On bars that this test makes, some of them without volume."""
    await check(database, owner, {symbol: made_up(tmp_path, symbol)}, SIZES[symbol], may_short=may_short)


async def test_three_symbols_at_once(database: Database, owner: UUID, tmp_path: Path) -> None:
    """One Skill, one account."""
    await check(database, owner, {symbol: made_up(tmp_path, symbol) for symbol in SIZES}, "1.5")


HOLES = {"BTC": range(300, 320), "ETH": range(305, 306), "SOL": range(60, 1_400, 7)}


@pytest.mark.parametrize("symbol", HOLES)
async def test_with_holes(database: Database, owner: UUID, tmp_path: Path, symbol: str) -> None:
    """Nothing fills in a hole, nor is anything asked for there; the averages go on with the bars there are."""
    await check(database, owner, {symbol: made_up(tmp_path, symbol, HOLES[symbol])}, SIZES[symbol])


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded bars are not on this machine")
@pytest.mark.parametrize("symbols", [["BTC"], ["ETH"], ["SOL"], list(SIZES)], ids=",".join)
async def test_recorded_bars(database: Database, owner: UUID, symbols: list[str]) -> None:
    """Months of real hours."""
    files = {symbol: RECORDED / f"{symbol}USDT_1h.csv.gz" for symbol in symbols}
    await check(database, owner, files, SIZES[symbols[0]] if len(symbols) == 1 else "1.5")
