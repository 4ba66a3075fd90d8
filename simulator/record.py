"""All that a finished run has to say, in the form that metrics and reports read."""

from decimal import Decimal
from typing import Any

import msgspec

from domain.bars import Bars, Floats, Ticks
from domain.events import FundingPaid, Liquidated
from domain.inference import Inference
from domain.orders import Fill
from domain.snapshots import DecisionSnapshot


class Sibling(msgspec.Struct, frozen=True):
    """What one run of a batch came to, as its own metrics have it: USD and fractions.

    `net_return` and `inference_cost` are None where the model's price is not known, `sharpe` where it is undefined.
    """

    run_id: str
    sample: int
    seed: int
    final_equity: Decimal
    total_return: float
    net_return: float | None
    sharpe: float | None
    max_drawdown: float
    trades: int
    refused: int
    inference_cost: Decimal | None


class Beside(msgspec.Struct, frozen=True):
    """The finished runs of a batch, this one among them, and the one to which symbols, dates and prices were hidden."""

    runs: tuple[Sibling, ...]
    control: Sibling | None = None


class RunRecord(msgspec.Struct, frozen=True):
    """One finished run.

    `ts` are the instants of the equity points: the run's start, then every close of `interval_ms` (UTC ms, ascending).
    `equity`, and each of `baselines` ("buy-and-hold", "flat"), are USD at those instants and of the same length.
    `prices` are the skill's market bars by symbol, for the picture. `refusals` counts refused actions by cap name.
    `ticks` counts ticks by outcome name ("hold", "acted", "refused", "failed").
    `inference` is what its thinking took; its cost is None where the model's price is not known, and 0 for baselines.
    `cutoff_ts` is the first instant (UTC ms) after what the model knows of the world. Before it the run may be memory.
    0 is a trader that remembers nothing, a baseline; None a model of which nobody knows, so that all counts as before.
    `masked` says that symbols, dates and price levels were hidden from the model. `beside` are the other runs of the
    same batch: it may grow after this run is done, and is therefore in no digest.
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
    inference: Inference = msgspec.field(default_factory=Inference)
    seed: int = 0
    ledger_digest: str = ""
    cutoff_ts: int | None = 0
    masked: bool = False
    beside: Beside | None = None
