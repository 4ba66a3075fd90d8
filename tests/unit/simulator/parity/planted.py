"""A deployment's ledger with divergences planted in it, made by the real engine on the real paper venue."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np

from agent.baselines import Trader
from agent.run import Agent, run_skill
from brokers.paper.costs import Costs
from brokers.paper.replay import ReplayVenue
from brokers.paper.venue import VenueState
from config.instruments import find
from db.market import BAR, FUNDING
from db.tape import Rows
from domain.account import Account
from domain.actions import Action
from domain.caps import tightest
from domain.journal import Entry
from domain.money import ZERO
from domain.snapshots import DecisionSnapshot, TickOutcome
from domain.time import HOUR_MS, parse_ts
from engine.engine import Engine, start
from engine.journal import BatchedJournal
from market.synth import make_up
from simulator.data import MarketData, assemble
from simulator.parity.account import AccountRecord
from simulator.parity.ticks import Absence, Circumstances
from simulator.rows import RunRows, SeriesRows, SymbolRows
from simulator.spec import RunSpec
from skills import skill_md
from skills.schedule import Schedule
from skills.skill import Skill

START = parse_ts("2025-01-01")
FROM = START + 24 * HOUR_MS
HOURS = 72
SPEC = RunSpec(from_ts=FROM, to_ts=FROM + HOURS * HOUR_MS)
SYMBOLS = ("BTC", "ETH")
DUE = range(FROM, SPEC.to_ts, HOUR_MS)

SKILL = skill_md.read("""\
---
name: sample
description: Follows short averages
model: baseline:sma-cross
model_params: {fast: 3, slow: 8, size: 0.05}
schedule: 1h
market: {symbols: [BTC, ETH], interval: 1h, bars: 20}
tools: [get_bars, propose_order]
risk: {max_leverage: 5, allow_short: true, daily_loss_pct: 90, max_drawdown_pct: 95, max_orders_per_day: 500,
       max_orders_per_hour: 50, price_band_pct: 50, max_slippage_bps: 500}
---
You trade.
""")


def _known(rows: Rows, dtype: "np.dtype[np.void]", after_ms: int) -> Rows:
    stamped = np.empty(len(rows), dtype)
    for name in rows.dtype.names or ():
        stamped[name] = rows[name]
    at = "settled_at" if "settled_at" in (dtype.names or ()) else "ts"
    stamped["available_at"] = stamped[at] + after_ms
    return stamped


def _rows(symbol: str) -> SymbolRows:
    made = make_up(find(symbol), HOUR_MS, START, SPEC.to_ts, 3)
    bars = SeriesRows(symbol, "bars", HOUR_MS, _known(made.bars, BAR, HOUR_MS), ("made",))
    funding = SeriesRows(symbol, "funding", None, _known(made.funding, FUNDING, 0), ("made",))
    return SymbolRows(bars, None, None, funding)


def market() -> MarketData:
    """Three days of two symbols, an hour a bar, with funding. New each time, as a tape is read along."""
    rows = RunRows({symbol: _rows(symbol) for symbol in SYMBOLS}, {s: find(s) for s in SYMBOLS}, HOUR_MS)
    return assemble(rows, SKILL.market, SPEC)


class Faults(msgspec.Struct, frozen=True):
    """What befalls a deployment. Ticks are named by their hour, from 0.

    `cut` are those in which the program dies once its actions are sent. `by_hand` is what a person does after a tick,
    `flattened` are hours at which a person has everything closed. `extra_funding` are rates that no tape tells.
    """

    missed: frozenset[int] = frozenset()
    cut: frozenset[int] = frozenset()
    by_hand: Mapping[int, Action] = {}
    flattened: frozenset[int] = frozenset()
    costs: Costs = Costs()
    extra_funding: Mapping[int, Decimal] = {}
    trader: Trader | None = None
    skill: Skill = SKILL


class _Life:
    """One account led through the market, in the order of the replay loop."""

    def __init__(self, name: str, faults: Faults, trader: Trader) -> None:
        self.market = market()
        self.faults = faults
        self.skill = faults.skill
        self.venue = ReplayVenue(
            self.market.tape, VenueState(Account(SPEC.cash)), self.market.instruments, faults.costs
        )
        self.journal = BatchedJournal()
        self.engine = Engine(
            self.venue,
            self.journal,
            account=name,
            symbols=self.skill.market.symbols,
            caps=tightest(self.skill.caps, SPEC.platform),
            state=start(SPEC.cash, FROM),
        )
        self.agent = Agent(self.skill, trader, self.market.history, self.engine, name, self.market.digest)
        self.entries: list[Entry] = []
        self.decisions: list[DecisionSnapshot] = []
        self.equity = [(FROM, SPEC.cash)]

    async def lead(self) -> None:
        schedule = Schedule.parse(self.skill.schedule)
        for hour, ts in enumerate(DUE):
            if schedule.is_due(ts) and hour not in self.faults.missed and not self.engine.is_shut:
                await self._tick(hour, ts)
            await self._person(hour, ts)
            while (alarm := self.venue.open_bar(hour)) is not None:
                await self.engine.halt(alarm.ts, alarm.equity)
            while (alarm := self.venue.close_bar()) is not None:
                await self.engine.halt(alarm.ts, alarm.equity)
            self.venue.settle_funding()
            self._surprise(hour, ts + HOUR_MS)
            await self.engine.observe(ts + HOUR_MS)
            self.equity.append((ts + HOUR_MS, self.engine.equity))
            self.entries += [entry for entry, _ in self.journal.take()]

    async def _tick(self, hour: int, ts: int) -> None:
        decision = await run_skill(self.agent, ts)
        snapshot = decision.snapshot
        if snapshot is not None and hour in self.faults.cut:
            snapshot = msgspec.structs.replace(
                snapshot, outcome=TickOutcome.INTERRUPTED, actions=(), verdicts=()
            )
        if snapshot is not None:
            self.decisions.append(snapshot)

    async def _person(self, hour: int, ts: int) -> None:
        if action := self.faults.by_hand.get(hour):
            await self.engine.submit(action, ts=ts, decision=f"by hand {hour}", index=0)
        if hour in self.faults.flattened:
            await self.engine.flatten(ts)

    def _surprise(self, hour: int, ts: int) -> None:
        """Have the venue charge something that the tape does not tell."""
        rate = self.faults.extra_funding.get(hour)
        if rate is not None:
            self.venue._pay_funding("BTC", rate, Decimal(60_000))


def lead(name: str, trader: Trader, faults: Faults = Faults()) -> AccountRecord:  # noqa: B008
    """Lead an account through the market, and give its record."""
    life = _Life(name, faults, trader)
    asyncio.run(life.lead())
    return AccountRecord(name, SPEC.cash, life.entries, life.decisions, life.equity, DUE)


def around(*, missed: frozenset[int] = frozenset(), late: frozenset[int] = frozenset()) -> Circumstances:
    """What is known besides the records: the marks at the end of the tape, and when no ticks were taken."""
    data = market()
    marks = {}
    for track in data.tape.tracks:
        marks[track.symbol] = track.marks.close[data.tape.length - 1] * track.marks.tick
    return Circumstances(
        from_ts=FROM,
        to_ts=SPEC.to_ts,
        marks=marks,
        interval_ms=HOUR_MS,
        absences=[Absence(DUE[hour], DUE[hour] + 1, "paused") for hour in sorted(missed)],
        late=frozenset(DUE[hour] for hour in late),
    )


def total(amounts: "list[Decimal]") -> Decimal:
    """A sum of money."""
    return sum(amounts, ZERO)
