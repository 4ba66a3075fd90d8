"""One tick of a deployment: look at the account, let the Skill decide, keep what it decided.

A tick is decided once. Where a decision is kept already it is left alone; where an action of it was on its way when the
process ended, it is kept as interrupted, since what else it would have done nobody knows. One that is cut short is kept
as far as it came.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec

from actors.kernel import ActorFailed, AskTimeout, Stopped
from actors.port import RemoteEngine
from actors.spending import Used, nearly_used
from agent.asking import Stop
from agent.run import SHUT, Agent, cut_short, open_tick, take
from agent.tick import Tick
from db.decisions import decision_at, newest_tick
from db.errors import Conflict, DatabaseError
from db.journal import undecided_intents
from db.pool import Database
from db.records import decision_row, write_rows
from domain.ids import decision_id
from domain.inference import Budget
from domain.snapshots import DecisionSnapshot, TickOutcome

log = logging.getLogger(__name__)

INTERRUPTED_NOTE = "the program ended while this tick was acting; what it had not done yet was left undone"
ABANDONED_NOTE = "it was stopped or killed during this tick; what it had not done yet was left undone"


class Ticked(msgspec.Struct, frozen=True):
    """How a tick ended. `problem` says in one line what went wrong, where something did.

    `refused_by` is a budget that did not allow for a call; `used` are those that are nearly used up, or are.
    """

    ts: int
    outcome: TickOutcome
    snapshot: DecisionSnapshot | None = None
    problem: str = ""
    refused_by: Budget | None = None
    used: tuple[Used, ...] = ()

    @property
    def has_thought(self) -> bool:
        """Whether a model was asked in it, or would have been but for a budget."""
        return self.refused_by is not None or bool(self.snapshot and self.snapshot.calls)


class Ticker:
    """Takes the ticks of one deployment. `port` is the agent's own way to its engine.

    `budgets` gives those that its thinking has to fit in now.
    """

    def __init__(
        self,
        database: Database,
        user_id: UUID,
        account_id: UUID,
        agent: Agent,
        port: RemoteEngine,
        budgets: Callable[[], Sequence[Budget]] = list,
    ) -> None:
        self.agent = agent
        self._database = database
        self._user_id = user_id
        self._account_id = account_id
        self._port = port
        self._budgets = budgets
        self._is_new = True  # since the start of this process, or of its engine
        self._decided_until = 0  # the newest tick of which a process before this one kept a decision
        self._is_given_up = False

    def start_again(self) -> None:
        """The engine was opened again: the next tick may have been begun before."""
        self._is_new = True

    def give_up(self) -> None:
        """The tick in hand will be cancelled, and is over then: no process takes it again."""
        self._is_given_up = True

    async def tick(self, ts: int) -> Ticked:
        """Take the tick of `ts`. What goes wrong in it is part of how it ended.

        Cancelled, it leaves the tick to the next process, or keeps what was done in it where it was given up.
        """
        self._is_given_up = False
        ticked = await self._take(ts)
        if not ticked.has_thought:
            return ticked
        try:
            used = await nearly_used(self._database, self._user_id, self._budgets(), ticked.refused_by)
        except DatabaseError as error:  # it is looked at again after the next tick
            log.warning("what is spent on thinking can't be looked up: %s", error)
            return ticked
        return msgspec.structs.replace(ticked, used=used)

    async def _take(self, ts: int) -> Ticked:
        tick: Tick | None = None
        try:
            await self._port.look(ts)
            if self._is_new:
                await self._settle(ts)
            self._is_new = False
            if ts <= self._decided_until and (done := await self._decided_before(ts)) is not None:
                return done
            if self._port.is_shut:
                return Ticked(ts, SHUT.outcome)
            tick = open_tick(self.agent, ts)
            decision = await take(self.agent, tick)
        except Stop as stop:
            ticked = await self._cut_short(ts, tick, stop.kind, str(stop))
            return msgspec.structs.replace(ticked, refused_by=stop.budget)
        except (ActorFailed, AskTimeout, Stopped) as error:
            self.start_again()
            return await self._cut_short(ts, tick, "engine", f"the engine did not answer: {error}")
        except asyncio.CancelledError:
            if not self._is_given_up or tick is None:
                raise
            return await self._cut_short(ts, tick, "abandoned", ABANDONED_NOTE)
        snapshot = decision.snapshot
        if snapshot is None:
            return Ticked(ts, decision.outcome)
        await self._write(snapshot)
        return Ticked(ts, snapshot.outcome, snapshot, snapshot.note if snapshot.ended else "")

    async def settle(self, ts: int) -> None:
        """See to the tick that a process before this one was acting in when it ended, if there was one.

        It is kept as interrupted, and not decided again. `ts` is the instant it is.
        """
        await self._port.look(ts)
        await self._settle(ts)

    async def _settle(self, ts: int) -> None:
        async with self._database.as_worker() as connection:
            undecided = await undecided_intents(connection, self._account_id)
            newest = await newest_tick(connection, self._account_id) or 0
        for decision, begun in undecided:
            if decision_id(self.agent.account, begun) != decision:
                continue  # it was no tick's: a halt's, or a person's
            kept = cut_short(self.agent, open_tick(self.agent, ts), "interrupted", INTERRUPTED_NOTE)
            await self._write(
                msgspec.structs.replace(
                    kept, id=decision, tick_ts=begun, outcome=TickOutcome.INTERRUPTED, context_digest=""
                )
            )
            newest = max(newest, begun)
        self._decided_until = newest

    async def _decided_before(self, ts: int) -> Ticked | None:
        """What became of this tick in a process before this one; None where it has not been begun."""
        async with self._database.as_worker() as connection:
            row = await decision_at(connection, self._account_id, ts)
        if row is None:
            return None
        outcome = TickOutcome[row.outcome.upper()]
        return Ticked(ts, outcome, None, INTERRUPTED_NOTE if outcome is TickOutcome.INTERRUPTED else "")

    async def _cut_short(self, ts: int, tick: Tick | None, ended: str, why: str) -> Ticked:
        """Keep how far a tick came, as far as the account could be seen, and what ended it."""
        if tick is None:
            if self._port.last_seen is None:
                return Ticked(ts, TickOutcome.FAILED, None, why)
            tick = open_tick(self.agent, ts)
        snapshot = cut_short(self.agent, tick, ended, why)
        await self._write(snapshot)
        return Ticked(ts, snapshot.outcome, snapshot, why)

    async def _write(self, snapshot: DecisionSnapshot) -> None:
        """Keep a decision. Where another process has kept one of this tick since, that one stands."""
        with suppress(Conflict):
            await self._insert(snapshot)

    async def _insert(self, snapshot: DecisionSnapshot) -> None:
        async with self._database.as_worker_once() as connection:
            await write_rows(connection, self._user_id, self._account_id, [decision_row(snapshot)])
