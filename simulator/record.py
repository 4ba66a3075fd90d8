"""All that a finished run has to say, in the form that metrics and reports read."""

from decimal import Decimal
from typing import Any

import msgspec

from domain.bars import Bars, Floats, Ticks
from domain.events import FundingPaid, Liquidated
from domain.money import ZERO
from domain.orders import Fill
from domain.snapshots import DecisionSnapshot


class RunRecord(msgspec.Struct, frozen=True):
    """One finished run.

    `ts` are the instants of the equity points: the run's start, then every close of `interval_ms` (UTC ms, ascending).
    `equity`, and each of `baselines` ("buy-and-hold", "flat"), are USD at those instants and of the same length.
    `prices` are the skill's market bars by symbol, for the picture. `refusals` counts refused actions by cap name.
    `ticks` counts ticks by outcome name ("hold", "acted", "refused", "failed").
    `inference_usd` is None where the model's price is not known; baselines cost 0.
    `ledger_digest` names all that happened in the run, in order; "" where it was not kept.
    """

    run_id: str
    skill_name: str
    skill_version: int
    model: str
    schedule: str
    symbols: tuple[str, ...]
    from_ts: int
    to_ts: int
    interval_ms: int
    start_usd: Decimal
    final_equity: Decimal
    ts: Ticks
    equity: Floats
    baselines: dict[str, Floats]
    fills: tuple[Fill, ...]
    funding: tuple[FundingPaid, ...]
    liquidations: tuple[Liquidated, ...]
    refusals: dict[str, int]
    ticks: dict[str, int]
    decisions: dict[str, DecisionSnapshot]  # by decision id
    order_decisions: dict[int, str]  # order number → decision id
    prices: dict[str, Bars]
    manifest: dict[str, Any]
    warnings: tuple[str, ...] = ()
    inference_usd: Decimal | None = ZERO
    seed: int = 0
    ledger_digest: str = ""
