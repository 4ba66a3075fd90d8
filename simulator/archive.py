"""Between a run and the tables: what a stretch adds as rows, and a finished run read back as a record."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from db.records import DecisionRow, JournalRow, decision_row, fill_row, order_row
from db.runs import Chunk
from db.series import Series
from domain.bars import Floats, Ticks
from domain.events import FundingPaid, Liquidated, OrderChanged
from domain.inference import Inference
from domain.journal import Entry, HaltChanged, HaltPhase, IntentRecorded
from domain.money import plain
from domain.orders import Fill, Order
from domain.snapshots import DecisionSnapshot, TickOutcome
from domain.time import iso, parse_interval
from simulator.data import MarketData
from simulator.record import RunRecord
from simulator.replay import Stretch
from simulator.spec import RunSpec
from skills.skill import Skill

OUTCOMES = {outcome.value: outcome.name.lower() for outcome in TickOutcome}


class History(msgspec.Struct):
    """What a run has been through, from its beginning, in the order it happened."""

    entries: list[Entry] = []
    decisions: list[DecisionSnapshot] = []
    ts: list[Ticks] = []
    equity: list[Floats] = []

    def add(self, stretch: Stretch) -> None:
        """Take a stretch in."""
        self.entries += [entry for entry, _ in stretch.entries]
        self.decisions += [decision.light for decision in stretch.decisions]
        self.ts.append(stretch.ts)
        self.equity.append(np.array([float(usd) for usd in stretch.equity]))


def chunk_of(stretch: Stretch, before: int, progress: float, checkpoint: bytes) -> Chunk:
    """A stretch as rows. `before` is the number of journal entries that came before it."""
    numbered = list(enumerate(stretch.entries, before + 1))
    changed = {
        entry.order.number: entry.order for _, (entry, _) in numbered if isinstance(entry, OrderChanged)
    }
    return Chunk(
        progress=progress,
        checkpoint=checkpoint,
        journal=[JournalRow(seq, entry.ts, _tag(entry), body) for seq, (entry, body) in numbered],
        orders=[order_row(order) for order in changed.values()],
        fills=[fill_row(seq, entry) for seq, (entry, _) in numbered if isinstance(entry, Fill)],
        decisions=[decision_row(decision) for decision in stretch.decisions],
        series=Series(stretch.ts, stretch.equity, np.array(stretch.ticks, np.int16)),
    )


def history_of(journal: Iterable[JournalRow], decisions: Iterable[DecisionRow], series: Series) -> History:
    """What was written of a run, read back."""
    return History(
        entries=[msgspec.convert(row.body, Entry) for row in journal],
        decisions=[msgspec.convert(row.body, DecisionSnapshot) for row in decisions],
        ts=[series.ts],
        equity=[np.asarray(series.equity, np.float64)],
    )


def record_of(
    run_id: str,
    skill: Skill,
    number: int,
    spec: RunSpec,
    market: MarketData,
    manifest: dict[str, Any],
    history: History,
    baselines: dict[str, Floats],
    final_equity: Decimal,
    ticks: dict[str, int],
    refusals: dict[str, int],
    inference: Inference,
) -> RunRecord:
    """Put a finished run together in the form that metrics and reports read."""
    decisions = {decision.id: decision for decision in history.decisions}
    return RunRecord(
        run_id=run_id,
        skill_name=skill.name,
        skill_version=number,
        model=skill.model,
        schedule=skill.schedule,
        symbols=skill.market.symbols,
        from_ts=spec.from_ts,
        to_ts=spec.to_ts,
        interval_ms=parse_interval(skill.market.interval),
        start_usd=spec.cash,
        final_equity=Decimal(plain(final_equity)),  # as it is when it is read back
        ts=np.concatenate(history.ts),
        equity=np.concatenate(history.equity),
        baselines=baselines,
        fills=tuple(entry for entry in history.entries if isinstance(entry, Fill)),
        funding=tuple(entry for entry in history.entries if isinstance(entry, FundingPaid)),
        liquidations=tuple(entry for entry in history.entries if isinstance(entry, Liquidated)),
        refusals=refusals,
        ticks=ticks,
        decisions=decisions,
        order_decisions={
            order.number: order.decision_id
            for order in _orders(history.entries)
            if order.decision_id in decisions
        },
        prices=market.prices,
        manifest=manifest,
        warnings=(*_left_out(spec), *_halts(history.entries), *market.warnings),
        seed=spec.seed,
        inference=inference,
        cutoff_ts=spec.cutoff_ts,
        masked=spec.mask,
    )


def _left_out(spec: RunSpec) -> list[str]:
    """What a reader must know of costs that were switched off: nobody trades without them."""
    told = []
    if spec.costs == "none":
        told.append(
            "Spread and impact were left out. Any size filled at the tape's own price, and only fees were paid for it."
        )
    if not spec.funding:
        told.append("Funding was left out. None was paid or received.")
    return told


def _halts(entries: Sequence[Entry]) -> list[str]:
    """What a reader must know of halts: how often, the first, and whether trading went on."""
    begun = [e for e in entries if isinstance(e, HaltChanged) and e.phase is HaltPhase.FLATTENING]
    if not begun:
        return []
    ended = next(entry for entry in reversed(entries) if isinstance(entry, HaltChanged))
    times = "once" if len(begun) == 1 else f"{len(begun)} times"
    told = [_halt("First", begun[0])] if len(begun) > 1 else []
    told.append(_halt("Last" if told else "That was", begun[-1]))
    if ended.phase is not HaltPhase.ACTIVE:
        told.append("It never traded again.")
    return [f"The engine halted the account {times}. {' '.join(told)}"]


def _halt(when: str, halt: HaltChanged) -> str:
    return f"{when} on {iso(halt.ts)} at {halt.equity:,.2f} USD, by {halt.cause}."


def _orders(entries: Iterable[Entry]) -> Iterable[Order]:
    for entry in entries:
        if isinstance(entry, IntentRecorded):
            yield from entry.orders
        elif isinstance(entry, OrderChanged):
            yield entry.order


def _tag(entry: Entry) -> str:
    return str(entry.__struct_config__.tag)
