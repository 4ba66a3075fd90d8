"""The replay loop: history bar by bar, in the order that docs/trading-rules.md §3 gives, through the real engine.

What there is for every bar is kept as columns, what is rare as records. The loop stops wherever its caller likes; what
it added since and the state it reached are then one stretch, from which it can go on, here or elsewhere, to the
same bytes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from decimal import Decimal

import msgspec
import numpy as np

from agent.run import HELD, SHUT, Agent, Decision, run_skill
from brokers.paper.replay import Alarm, ReplayVenue
from brokers.paper.tape import Tape
from brokers.paper.venue import VenueState
from domain.bars import Ticks
from domain.inference import Inference, Memo
from domain.journal import Entry
from domain.snapshots import DecisionSnapshot, TickOutcome
from engine.engine import Engine, EngineState
from engine.journal import BatchedJournal
from skills.schedule import Schedule

_HOLD = int(TickOutcome.HOLD)


class Checkpoint(msgspec.Struct):
    """Where a run stands when `index` bars have closed and their instant was observed, before its tick.

    `point_equity` (USD) and `point_tick` are those of the last point, which waits for the ticks up to the next one.
    `memos` are what a model remembers, `inference` what its thinking took so far.
    """

    venue: VenueState
    engine: EngineState
    index: int
    link: bytes
    entries: int
    point_equity: Decimal
    point_tick: int = 0
    ticks: dict[int, int] = {}  # how many ended in which way
    refusals: dict[str, int] = {}  # how many actions were refused, by their first reason
    memos: list[Memo] = []
    inference: Inference = msgspec.field(default_factory=Inference)


class Stretch(msgspec.Struct, frozen=True):
    """What a part of a run added, and where it led. The columns are of one length, a point at each market close."""

    ts: Ticks
    equity: list[Decimal]
    ticks: list[int]
    entries: Sequence[tuple[Entry, bytes]]
    decisions: Sequence[DecisionSnapshot]
    end: Checkpoint


class Replay:
    """One run in progress, from a checkpoint on. `point_ms` is the Skill's market interval."""

    def __init__(
        self,
        tape: Tape,
        venue: ReplayVenue,
        engine: Engine,
        agent: Agent,
        journal: BatchedJournal,
        schedule: Schedule,
        point_ms: int,
        start: Checkpoint,
    ) -> None:
        self._tape = tape
        self._venue = venue
        self._engine = engine
        self._agent = agent
        self._journal = journal
        self._due = _due(schedule, tape)
        self._every = point_ms // tape.interval_ms
        self._first_point = start.index // self._every
        self._equity = [start.point_equity]
        self._ticks = [start.point_tick]
        self._counts = Counter(start.ticks)
        self._refusals = Counter(start.refusals)
        self._inference = deepcopy(start.inference)
        self._decisions: list[DecisionSnapshot] = []
        self.index = start.index

    @property
    def agent(self) -> Agent:
        """Who decides, and what it looks at and acts through."""
        return self._agent

    @property
    def is_done(self) -> bool:
        """Whether the last bar has closed."""
        return self.index == self._tape.length

    async def run(self, most_bars: int, is_over: Callable[[], bool] | None = None) -> Stretch:
        """Replay at most so many bars, and give what they added.

        It also ends behind a bar at whose tick something was left to record, when `is_over` says so.
        """
        venue, engine, agent = self._venue, self._engine, self._agent
        due, every, equity, ticks = self._due, self._every, self._equity, self._ticks
        start_ts, interval_ms = self._tape.start_ts, self._tape.interval_ms
        last = min(self.index + most_bars, self._tape.length)
        held, stops = 0, False
        for index in range(self.index, last):
            ts = start_ts + index * interval_ms
            if due[index]:
                decision = SHUT if engine.is_shut else await run_skill(agent, ts)
                if decision is HELD:
                    held += 1
                    ticks[-1] = ticks[-1] or _HOLD
                else:
                    self._record(decision)
                    stops = is_over is not None and is_over()
            while (alarm := venue.open_bar(index)) is not None:
                await self._raise(alarm)
            while (alarm := venue.close_bar()) is not None:
                await self._raise(alarm)
            venue.settle_funding()
            await engine.observe(ts + interval_ms)
            if (index + 1) % every == 0:
                equity.append(engine.equity)
                ticks.append(0)
            if stops:
                last = index + 1
                break
        self._counts[_HOLD] += held
        self.index = last
        return self._take()

    def _record(self, decision: Decision) -> None:
        outcome = int(decision.outcome)
        self._counts[outcome] += 1
        self._ticks[-1] = max(self._ticks[-1], outcome)
        if decision.snapshot is not None:
            self._decisions.append(decision.snapshot)
            refused = (verdict for verdict in decision.snapshot.verdicts if not verdict.approved)
            self._refusals.update(verdict.refusals[0].cap for verdict in refused)
            self._inference.take(decision.snapshot.calls, decision.snapshot.ended)

    async def _raise(self, alarm: Alarm) -> None:
        await self._engine.halt(alarm.ts, alarm.equity)

    def _take(self) -> Stretch:
        """Cut off what was added. The last point stays, since ticks may still fall to it, unless the run is over."""
        equity, ticks = self._equity, self._ticks
        ready = len(equity) if self.is_done else len(equity) - 1
        point_ms = self._every * self._tape.interval_ms
        numbers = np.arange(self._first_point, self._first_point + ready, dtype=np.int64)
        self._equity, self._ticks = equity[ready:], ticks[ready:]
        self._first_point += ready
        decisions, self._decisions = self._decisions, []
        return Stretch(
            ts=self._tape.start_ts + numbers * point_ms,
            equity=equity[:ready],
            ticks=ticks[:ready],
            entries=self._journal.take(),
            decisions=decisions,
            end=self._checkpoint(equity[-1], ticks[-1]),
        )

    def _checkpoint(self, point_equity: Decimal, point_tick: int) -> Checkpoint:
        return Checkpoint(
            venue=self._venue.state,
            engine=self._engine.state,
            index=self.index,
            link=self._journal.link,
            entries=self._journal.count,
            point_equity=point_equity,
            point_tick=point_tick,
            ticks=dict(self._counts),
            refusals=dict(self._refusals),
            memos=list(self._agent.memos),
            inference=deepcopy(self._inference),
        )


def _due(schedule: Schedule, tape: Tape) -> bytearray:
    """For each bar, whether a tick falls on its open."""
    due = bytearray(tape.length)
    for ts in schedule.ticks(tape.start_ts, tape.end_ts):
        due[(ts - tape.start_ts) // tape.interval_ms] = 1
    return due
