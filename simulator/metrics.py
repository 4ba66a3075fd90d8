"""What a run is worth: the figures of its report and of `sim run --json`. Formulas are in docs/metrics.md.

Ratios are floats, money is Decimal, lengths are ms. What is undefined is None, never 0: a Sharpe ratio of
returns that do not vary, an average win where nothing was won. Equity is the account's, after fees, spread,
impact and funding; the cost of inference is not taken from the account, so it stands beside, and
`net_return` includes it.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.bars import Floats, Ticks
from domain.money import USD_QUANTUM, ZERO, exact, plain
from domain.orders import Fill
from simulator.bootstrap import Range, intervals
from simulator.curves import Curve, curve, simple_returns
from simulator.cutoff import Split, split
from simulator.record import RunRecord
from simulator.thinking import Thinking, often_first, thinking
from simulator.trades import Trade, slippage_usd, trades


class Metrics(Curve, frozen=True, kw_only=True):
    """The figures of a run.

    `pnl` is final equity less start. `gross_pnl` is what prices alone would have given: `pnl` before fees,
    slippage and funding. `net_pnl` and `net_return` are after inference, and None where its price is not
    known. `funding` is positive when received. `open_pnl` is the part of `pnl` that was not realized at the
    end; `adjustments` is what a backstop took or a bankruptcy wrote off. `split` is None for a baseline.
    """

    sharpe_ci95: Range | None
    total_return_ci95: Range | None
    net_return: float | None
    pnl: Decimal
    gross_pnl: Decimal
    net_pnl: Decimal | None
    open_pnl: Decimal
    fees: Decimal
    slippage: Decimal
    funding: Decimal
    adjustments: Decimal
    inference_cost: Decimal | None
    exposure: float | None
    turnover: float | None
    fills: int
    trades: int
    open_trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: Decimal | None
    avg_win: Decimal | None
    avg_loss: Decimal | None
    liquidations: int
    refused: int
    refusals: dict[str, int]
    inference: Thinking
    split: Split | None
    baselines: dict[str, Curve]


def compute(record: RunRecord) -> Metrics:
    """Work out every figure of a finished run."""
    made = trades(record.fills, record.funding, record.order_decisions)
    traded = _trading(made)
    returns = simple_returns(record.equity)
    luck = intervals(returns, record.interval_ms, record.seed)
    figures = {
        **_whole(record, record.equity, record.final_equity),
        **_money(record),
        **traded,
        "sharpe_ci95": luck.sharpe,
        "total_return_ci95": luck.total_return,
        "exposure": _exposure(record),
        "turnover": _turnover(record),
        "fills": len(record.fills),
        "liquidations": len(record.liquidations),
        "refused": sum(record.refusals.values()),
        "refusals": often_first(record.refusals),
        "inference": thinking(record, traded["trades"]),
        "split": split(record, made),
        "baselines": {
            name: Curve(**_whole(record, equity, exact(float(equity[-1]))))
            for name, equity in record.baselines.items()
        },
    }
    return Metrics(**figures)


def _whole(record: RunRecord, equity: Floats, final: Decimal) -> dict[str, Any]:
    """The fields of a Curve over all of a run."""
    return curve(record.ts, equity, record.interval_ms, record.start_usd, final)


def as_dict(metrics: msgspec.Struct) -> dict[str, Any]:
    """Give the figures for JSON: money as plain decimal text, ratios as numbers, undefined as null."""
    return {name: _jsonable(value) for name, value in msgspec.structs.asdict(metrics).items()}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, msgspec.Struct):
        return as_dict(value)
    if isinstance(value, dict):
        return {key: _jsonable(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


# the account


def _money(record: RunRecord) -> dict[str, Any]:
    """Where the money came from and went.

    What realized PnL, funding and fees do not explain is open PnL while something is held, and else an
    adjustment: one only ever happens to an account that was just closed out and cannot trade on.
    """
    fees = sum((fill.fee for fill in record.fills), ZERO)
    slippage = sum((slippage_usd(fill) for fill in record.fills), ZERO)
    realized = sum((fill.realized for fill in record.fills), ZERO)
    funding = sum((row.amount for row in record.funding), ZERO)
    pnl = record.final_equity - record.start_usd
    rest = pnl - realized - funding + fees
    is_open = any({fill.symbol: fill.position for fill in record.fills}.values())
    adjustments = ZERO if is_open else rest
    cost = record.inference.cost_usd
    net = None if cost is None else pnl - cost
    return {
        "net_return": None if net is None else float(net / record.start_usd),
        "pnl": pnl,
        "gross_pnl": pnl + fees + slippage - funding - adjustments,
        "net_pnl": net,
        "open_pnl": rest if is_open else ZERO,
        "fees": fees,
        "slippage": slippage,
        "funding": funding,
        "adjustments": adjustments,
        "inference_cost": cost,
    }


def _exposure(record: RunRecord) -> float | None:
    """The share of intervals at whose start, after that instant's fills, something was held."""
    starts = record.ts[:-1]
    if not len(starts):
        return None
    held = np.zeros(len(starts), np.bool_)
    by_symbol: dict[str, list[Fill]] = {}
    for fill in record.fills:
        by_symbol.setdefault(fill.symbol, []).append(fill)
    for fills in by_symbol.values():
        held |= _held(starts, fills)
    return float(held.mean())


def _held(starts: Ticks, fills: Sequence[Fill]) -> NDArray[np.bool_]:
    times = np.fromiter((fill.ts for fill in fills), np.int64, len(fills))
    after = np.fromiter((bool(fill.position) for fill in fills), np.bool_, len(fills))
    return np.concatenate([[False], after])[np.searchsorted(times, starts, side="right")]


def _turnover(record: RunRecord) -> float | None:
    """How many times over the mean equity was traded."""
    mean = float(record.equity.mean())
    return float(sum(fill.size * fill.px for fill in record.fills)) / mean if mean > 0 else None


def _trading(made: list[Trade]) -> dict[str, Any]:
    """Counts and averages of the closed trades, net of fees and funding."""
    nets = [trade.net for trade in made if not trade.is_open]
    won = [net for net in nets if net > 0]
    lost = [net for net in nets if net < 0]
    return {
        "trades": len(nets),
        "open_trades": len(made) - len(nets),
        "win_rate": len(won) / len(nets) if nets else None,
        "profit_factor": float(sum(won, ZERO) / -sum(lost, ZERO)) if lost else None,
        "expectancy": _mean(nets),
        "avg_win": _mean(won),
        "avg_loss": _mean(lost),
    }


def _mean(amounts: list[Decimal]) -> Decimal | None:
    if not amounts:
        return None
    return (sum(amounts, ZERO) / len(amounts)).quantize(USD_QUANTUM, rounding=ROUND_HALF_EVEN)
