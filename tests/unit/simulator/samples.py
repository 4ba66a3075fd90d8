"""Finished runs for the tests: an account with exact books, led over a price path by a list of orders."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from domain.account import FLAT, Account
from domain.actions import ProposeOrder
from domain.bars import Bars, Floats
from domain.events import FundingPaid
from domain.money import BPS, ONE, exact, truncate_usd
from domain.orders import Fill, Liquidity, Side
from domain.snapshots import AccountView, DecisionSnapshot, TickOutcome
from domain.time import HOUR_MS, parse_ts
from domain.verdicts import Verdict
from simulator.record import RunRecord

START = parse_ts("2025-01-01")
CASH = Decimal(10_000)
TAKER_BPS = Decimal("4.5")
CENT = Decimal("0.01")


class Entry(msgspec.Struct, frozen=True):
    """At the open of bar `at`, trade `size` (signed) of a symbol, for a cause and a reason."""

    at: int
    size: Decimal
    symbol: str = "BTC"
    cause: str = "market"
    why: str = ""


class Books:
    """An account that trades and pays, and can say at any time what it is worth."""

    def __init__(self, cash: Decimal = CASH) -> None:
        self.account = Account(cash)
        self.positions: dict[str, Any] = {}
        self.fills: list[Fill] = []
        self.funding: list[FundingPaid] = []

    def trade(
        self,
        ts: int,
        size: Decimal,
        px: Decimal,
        *,
        symbol: str = "BTC",
        slippage_bps: Decimal = Decimal("1.5"),
        cause: str = "market",
    ) -> Fill:
        """Book a taker's fill of `size` (signed) at `px`, worsened."""
        side = Side.BUY if size > 0 else Side.SELL
        paid = (px * (ONE + side.sign * slippage_bps * BPS)).quantize(CENT)
        fee = truncate_usd(abs(size) * paid * TAKER_BPS * BPS)
        after, realized = self.positions.get(symbol, FLAT).after(size, paid)
        self.positions[symbol] = after
        self.account.realized += realized
        self.account.fees += fee
        fill = Fill(
            ts=ts,
            order=len(self.fills) + 1,
            symbol=symbol,
            side=side,
            size=abs(size),
            px=paid,
            fee=fee,
            realized=realized,
            reference_px=px,
            liquidity=Liquidity.TAKER,
            cause=cause,
            position=after.size,
            cash=self.account.cash,
        )
        self.fills.append(fill)
        return fill

    def settle(self, ts: int, rate: Decimal, px: Decimal, *, symbol: str = "BTC") -> None:
        """Pay or receive funding on what is held; nothing when flat."""
        held = self.positions.get(symbol, FLAT).size
        if held:
            amount = truncate_usd(-held * px * rate)
            self.account.funding += amount
            self.funding.append(FundingPaid(ts, symbol, rate, px, held, amount, self.account.cash))

    def equity(self, marks: dict[str, Decimal]) -> Decimal:
        """Cash and open PnL at these marks, in USD."""
        return self.account.cash + sum(
            (position.unrealized(marks[symbol]) for symbol, position in self.positions.items()), Decimal(0)
        )


def walk(
    count: int, *, symbol: str = "BTC", seed: int = 1, start: float = 60_000.0, interval_ms: int = HOUR_MS
) -> Bars:
    """Bars of a random walk, in cents."""
    random = np.random.default_rng(seed)
    close = np.maximum(np.round(start * np.exp(np.cumsum(random.normal(0, 0.006, count))), 2), 0.01)
    opened = np.concatenate([[start], close[:-1]])
    spread = np.round(np.abs(random.normal(0, 0.002, count)) * close, 2)
    high, low = np.maximum(opened, close) + spread, np.maximum(np.minimum(opened, close) - spread, 0.01)
    ts = START + np.arange(count) * interval_ms
    prices = (opened, np.round(high, 2), np.round(low, 2), close)
    return Bars.from_floats(symbol, interval_ms, ts, prices, np.full(count, 1000.0))


def record_of(
    bars: dict[str, Bars], entries: Iterable[Entry] = (), *, rate: str = "0.00001", **changes: Any
) -> RunRecord:
    """Lead an account over the bars; `changes` replaces fields of the finished record."""
    first = next(iter(bars.values()))
    due: dict[int, list[Entry]] = {}
    for entry in entries:
        due.setdefault(entry.at, []).append(entry)
    books, equity, decisions, causes = Books(), [CASH], {}, {}
    for index in range(len(first)):
        ts = int(first.ts[index])
        for entry in due.get(index, ()):
            px = int(bars[entry.symbol].open[index]) * bars[entry.symbol].tick
            fill = books.trade(ts, entry.size, px, symbol=entry.symbol, cause=entry.cause)
            decision = decision_of(entry, fill)
            decisions[decision.id] = decision
            causes[fill.order] = decision.id
        marks = {symbol: int(each.close[index]) * each.tick for symbol, each in bars.items()}
        for symbol, mark in marks.items():
            books.settle(ts + first.interval_ms, Decimal(rate), mark, symbol=symbol)
        equity.append(books.equity(marks))
    record = RunRecord(
        run_id="0193a0f0-0000-7000-8000-000000000001",
        skill_name="btc-trend",
        skill_version=7,
        model="baseline:sma-cross",
        schedule="1h",
        symbols=tuple(bars),
        from_ts=int(first.ts[0]),
        to_ts=int(first.ts[-1]) + first.interval_ms,
        interval_ms=first.interval_ms,
        start_usd=CASH,
        final_equity=equity[-1],
        ts=np.concatenate([first.ts[:1], first.ts + first.interval_ms]),
        equity=np.array([float(point) for point in equity]),
        baselines={"buy-and-hold": hold(first), "flat": np.full(len(first) + 1, float(CASH))},
        fills=tuple(books.fills),
        funding=tuple(books.funding),
        liquidations=(),
        refusals={},
        ticks={"hold": len(first) - len(due), "acted": len(due)},
        decisions=decisions,
        order_decisions=causes,
        prices=dict(bars),
        manifest={"seed": 0},
    )
    return msgspec.structs.replace(record, **changes)


def decision_of(entry: Entry, fill: Fill) -> DecisionSnapshot:
    """What a trader would have left behind for an order that was approved."""
    order = ProposeOrder(entry.symbol, fill.side, fill.size, why=entry.why)
    account = AccountView(fill.ts, fill.cash, fill.cash, {})
    verdict = Verdict(orders=(fill.order,))
    name = f"decision-{fill.order}"
    return DecisionSnapshot(
        name, fill.ts, TickOutcome.ACTED, "", "baseline:sma-cross", (), (order,), (verdict,), account
    )


def hold(bars: Bars) -> Floats:
    """What the cash would be worth in the symbol, without costs."""
    prices = np.concatenate([bars.open[:1], bars.close]) * float(bars.tick)
    return np.asarray(float(CASH) * prices / prices[0])


def crossings(bars: Bars, size: Decimal, *, fast: int = 20, slow: int = 50) -> list[Entry]:
    """The orders of a moving-average cross that is always long or short once it has begun."""
    close = bars.close.astype(float)
    quick, slower = _mean(close, fast)[slow - fast :], _mean(close, slow)
    sign = np.sign(quick - slower)
    turns = [i for i in range(1, len(sign)) if sign[i] != sign[i - 1] and sign[i]]
    entries, held = [], Decimal(0)
    tick = float(bars.tick)
    for turn in turns:
        if turn + slow < len(bars):
            target = size * int(sign[turn])
            name = "above" if target > 0 else "below"
            why = (
                f"SMA {fast} is {name} SMA {slow}: {quick[turn] * tick:.0f} against {slower[turn] * tick:.0f}"
            )
            entries.append(Entry(turn + slow, target - held, bars.symbol, why=why))
            held = target
    return entries


def _mean(values: Floats, width: int) -> Floats:
    return np.convolve(values, np.ones(width) / width, mode="valid")


def equity_record(equity: Floats, interval_ms: int = HOUR_MS) -> RunRecord:
    """A run that never traded, with this equity, for figures that look at nothing else."""
    ts = START + np.arange(len(equity)) * interval_ms
    bars = walk(1, interval_ms=interval_ms)
    start = exact(float(equity[0]))
    return msgspec.structs.replace(
        record_of({"BTC": bars}),
        ts=ts,
        equity=equity,
        baselines={},
        interval_ms=interval_ms,
        start_usd=start,
        final_equity=exact(float(equity[-1])),
        to_ts=int(ts[-1]),
    )
