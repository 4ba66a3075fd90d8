"""Finished runs of every kind that a report must be able to show, each made when it is asked for."""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import numpy as np

from domain.events import Liquidated
from domain.inference import Inference, Usage
from domain.money import exact
from domain.snapshots import TickOutcome
from domain.time import DAY_MS, HOUR_MS
from domain.verdicts import Refusal, Verdict
from simulator.record import Beside, RunRecord, Sibling
from tests.unit.simulator.samples import START, Entry, crossings, equity_record, record_of, walk

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)> \"'><b>&amp;{{ 7*7 }}"
RIGHT_TO_LEFT = "\u202eevil\u202c שלום עליכם مرحبا"
LONG_WORD = "w" * 400

ONE_TRADE = [Entry(5, Decimal("0.1"), why="it rose"), Entry(50, Decimal("-0.1"), why="it fell")]


def alternating(count: int) -> list[Entry]:
    """Orders that are long, then short, and so on, one every two bars."""
    flips = [Entry(2 * place, Decimal("0.02") * (-1) ** place) for place in range(1, count)]
    return [Entry(0, Decimal("0.01")), *flips]


def hostile() -> RunRecord:
    """A run in which everything that somebody may name or say tries to get out of its place."""
    nasty = f"{HOSTILE} {RIGHT_TO_LEFT} {LONG_WORD}"
    bars = msgspec.structs.replace(walk(168), symbol=HOSTILE)
    entries = [msgspec.structs.replace(each, symbol=HOSTILE, why=nasty) for each in ONE_TRADE]
    return record_of(
        {HOSTILE: bars},
        entries,
        skill_name=nasty,
        model=nasty,
        schedule=nasty,
        run_id=HOSTILE,
        cutoff_ts=None,
        masked=True,
        inference=Inference(calls=3, cost_usd=None, malformed={nasty: 2}, ended={HOSTILE: 1}),
        refusals={nasty: 1},
        ticks={HOSTILE: 168},
        warnings=(nasty, LONG_WORD),
        manifest={
            nasty: {HOSTILE: nasty},
            "prompt": nasty,
            "data": {HOSTILE: {"synthetic": True, "note": nasty}},
        },
    )


def hostile_and_refused() -> RunRecord:
    """The same, with nothing of it approved."""
    record = hostile()
    no = Verdict(refusals=(Refusal(HOSTILE, LONG_WORD, RIGHT_TO_LEFT),))
    refused = {
        name: msgspec.structs.replace(decision, verdicts=(no,), note=HOSTILE, ended=HOSTILE)
        for name, decision in record.decisions.items()
    }
    return msgspec.structs.replace(record, decisions=refused)


@cache
def week() -> RunRecord:
    """Seven days in which one trade was made."""
    return record_of({"BTC": walk(168)}, ONE_TRADE)


def week_with(**changes: Any) -> RunRecord:
    """The same week, different in these fields."""
    return msgspec.structs.replace(week(), **changes)


def four_symbols() -> RunRecord:
    """Four symbols, each long, then short, then flat."""
    bars = {name: walk(168, symbol=name, seed=place) for place, name in enumerate(("BTC", "ETH", "SOL", "X"))}
    orders = [
        Entry(at + place, Decimal(size), name)
        for at, size in ((10, 1), (60, -2), (110, 1))
        for place, name in enumerate(bars)
    ]
    return record_of(bars, orders)


THOUGHT = Inference(
    calls=2_460,
    usage=Usage(input=310_000, output=1_210_400, cache_read=9_120_000, cache_write_5m=402_000),
    cost_usd=Decimal("24.18"),
    malformed={"unknown_tool": 9, "wrong_type": 31, "prose": 4},
    ended={"malformed": 3, "calls": 2, "timeout": 1},
)


def sibling_of(sample: int, result: float | None, **changes: Any) -> Sibling:
    """A run of a batch that came to this, net."""
    total = (result or 0.05) + 0.0024
    cost = None if result is None else Decimal("24.18") + sample
    final = Decimal(10_000) * (1 + exact(round(total, 6)))
    one = Sibling(
        f"run-{sample}", sample, sample, final, total, result, 0.9 + sample / 7, -0.08, 9 + sample, 4, cost
    )
    return msgspec.structs.replace(one, **changes)


@cache
def thinking() -> RunRecord:
    """A model's run that has all there is to show: it lies on both sides of the cutoff, in a batch, with a control."""
    bars = walk(24 * 60)
    record = record_of({"BTC": bars}, crossings(bars, Decimal("0.05")), model="anthropic:claude-sonnet-4-6")
    ended = [
        msgspec.structs.replace(
            next(iter(record.decisions.values())),
            id=f"ended-{place}",
            tick_ts=START + place * 9 * DAY_MS,
            outcome=TickOutcome.FAILED if kind == "timeout" else TickOutcome.HOLD,
            actions=(),
            verdicts=(),
            note=note,
            ended=kind,
        )
        for place, (kind, note) in enumerate(
            [
                (
                    "malformed",
                    "ended after 3 malformed answers: propose_order size: expected a number, got 'a lot'",
                ),
                ("calls", "ended after 12 calls"),
                ("timeout", "no answer within 120 s"),
            ],
            1,
        )
    ]
    said = (
        "The mean turned up while funding stayed low, so I go with it and keep the stop under the last low."
    )
    decisions = {name: msgspec.structs.replace(each, note=said) for name, each in record.decisions.items()}
    batch = tuple(
        sibling_of(place, result) for place, result in enumerate((0.136, 0.143, 0.0183, 0.18, 0.028))
    )
    own = msgspec.structs.replace(batch[2], run_id=record.run_id)
    return msgspec.structs.replace(
        record,
        decisions={**decisions, **{each.id: each for each in ended}},
        ticks={**record.ticks, "failed": 1},
        refusals={"max_order_usd": 3},
        inference=THOUGHT,
        cutoff_ts=START + 33 * DAY_MS,
        beside=Beside((*batch[:2], own, *batch[3:]), sibling_of(0, -0.021, trades=7)),
    )


def thinking_with(**changes: Any) -> RunRecord:
    """The same, different in these fields."""
    return msgspec.structs.replace(thinking(), **changes)


RUIN = Liquidated(START + 50 * HOUR_MS, Decimal(40), Decimal(60), {"BTC": Decimal(1)}, backstop=True)

SHAPES: dict[str, Callable[[], RunRecord]] = {
    "no trades": lambda: record_of({"BTC": walk(168)}),
    "one trade": week,
    "still open": lambda: record_of({"BTC": walk(168)}, ONE_TRADE[:1]),
    "thousands of trades": lambda: record_of({"BTC": walk(9_000)}, alternating(4_000)),
    "four symbols": four_symbols,
    "one bar": lambda: record_of({"BTC": walk(1)}),
    "one point": lambda: equity_record(np.array([10_000.0])),
    "no prices": lambda: week_with(prices={}),
    "years of days": lambda: record_of({"BTC": walk(2_000, interval_ms=DAY_MS)}, ONE_TRADE),
    "many minutes": lambda: record_of({"BTC": walk(3_000, interval_ms=60_000)}, ONE_TRADE),
    "liquidated": lambda: week_with(liquidations=(RUIN,)),
    "lost": lambda: equity_record(np.array([10_000.0, 5_000.0, 0.0, 0.0])),
    "grown a thousandfold": lambda: equity_record(np.geomspace(10_000, 1e7, 500)),
    "synthetic": lambda: week_with(manifest={"data": {"BTC": {"synthetic": True}}}),
    "warned": lambda: week_with(warnings=("A gap. It lasted.", "no full stop")),
    "refused": lambda: week_with(refusals={"max_order_usd": 3, "price_band_pct": 1}),
    "inference unknown": lambda: week_with(inference=Inference(calls=9, cost_usd=None)),
    "inference paid": lambda: week_with(inference=Inference(calls=9, cost_usd=Decimal("0.8421"))),
    "thinking": thinking,
    "thinking, all of it memory": lambda: thinking_with(cutoff_ts=START + 99 * DAY_MS, beside=None),
    "thinking, all of it unseen": lambda: thinking_with(cutoff_ts=START, beside=None),
    "thinking, unknown": lambda: thinking_with(
        cutoff_ts=None,
        inference=Inference(calls=9, cost_usd=None),
        beside=Beside((sibling_of(0, None), sibling_of(1, 0.02, sharpe=None)), sibling_of(0, None)),
    ),
    "thinking, masked": lambda: thinking_with(
        masked=True, beside=Beside((sibling_of(0, 0.1),), sibling_of(0, 0.02))
    ),
    "thinking, without baselines": lambda: thinking_with(baselines={}),
    "thinking, a hundred runs": lambda: thinking_with(
        beside=Beside(tuple(sibling_of(place, place / 100) for place in range(100)))
    ),
    "thinking, runs all alike": lambda: thinking_with(baselines={}, beside=Beside((sibling_of(0, 0.0),) * 3)),
    "thinking, one point": lambda: msgspec.structs.replace(
        equity_record(np.array([10_000.0])), cutoff_ts=None
    ),
    "thinking, lost": lambda: msgspec.structs.replace(
        equity_record(np.array([10_000.0, 5_000.0, 0.0, 0.0])), cutoff_ts=START + 2 * HOUR_MS
    ),
    "without baselines": lambda: week_with(baselines={}),
    "no ticks": lambda: week_with(ticks={}),
    "failed ticks": lambda: week_with(ticks={"hold": 5, "failed": 2}),
    "hostile": hostile,
    "hostile and refused": hostile_and_refused,
    "empty manifest": lambda: week_with(manifest={}),
}


@cache
def run_of(shape: str) -> RunRecord:
    """The run of this kind."""
    return SHAPES[shape]()
