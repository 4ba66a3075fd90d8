"""One tick of a deployment: look at the account, let the Skill decide, keep what it decided.

A tick is decided once. Where a decision is kept already it is left alone; where an action of it was on its way when the
process ended, it is kept as interrupted, since what else it would have done nobody knows. One that is cut short is kept
as far as it came.
"""

import asyncio
from uuid import UUID

import msgspec

from actors.kernel import ActorFailed, AskTimeout, Stopped
from actors.messages import Seen
from actors.port import RemoteEngine
from agent.asking import Stop
from agent.run import SHUT, Agent, cut_short, open_tick, take
from agent.tick import Tick
from db.decisions import decision_at
from db.pool import Database
from db.records import decision_row, write_rows
from domain.ids import decision_id
from domain.snapshots import DecisionSnapshot, TickOutcome

INTERRUPTED_NOTE = "the program ended while this tick was acting; what it had not done yet was left undone"
ABANDONED_NOTE = "it was stopped or killed during this tick; what it had not done yet was left undone"


class Ticked(msgspec.Struct, frozen=True):
    """How a tick ended. `problem` says in one line what went wrong, where something did."""

    ts: int
    outcome: TickOutcome
    snapshot: DecisionSnapshot | None = None
    problem: str = ""


class Ticker:
    """Takes the ticks of one deployment. `port` is the agent's own way to its engine."""

    def __init__(
        self, database: Database, user_id: UUID, account_id: UUID, agent: Agent, port: RemoteEngine
    ) -> None:
        self.agent = agent
        self._database = database
        self._user_id = user_id
        self._account_id = account_id
        self._port = port
        self._is_new = True  # since the start of this process, or of its engine
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
        tick: Tick | None = None
        try:
            seen = await self._port.look(ts)
            if self._is_new and (done := await self._begun_before(ts, seen)) is not None:
                return done
            self._is_new = False
            if self._port.is_shut:
                return Ticked(ts, SHUT.outcome)
            tick = open_tick(self.agent, ts)
            decision = await take(self.agent, tick)
        except Stop as stop:
            return await self._cut_short(ts, tick, stop.kind, str(stop))
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

    async def _begun_before(self, ts: int, seen: Seen) -> Ticked | None:
        """What became of this tick in a process before this one; None where it has not been begun."""
        async with self._database.as_worker() as connection:
            row = await decision_at(connection, self._account_id, ts)
        if row is not None:
            return Ticked(ts, TickOutcome[row.outcome.upper()])
        if seen.decided != decision_id(self.agent.account, ts):
            return None
        kept = cut_short(self.agent, open_tick(self.agent, ts), "interrupted", INTERRUPTED_NOTE)
        snapshot = msgspec.structs.replace(kept, outcome=TickOutcome.INTERRUPTED)
        await self._write(snapshot)
        return Ticked(ts, TickOutcome.INTERRUPTED, snapshot, INTERRUPTED_NOTE)

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
        async with self._database.as_worker() as connection:
            await write_rows(connection, self._user_id, self._account_id, [decision_row(snapshot)])
