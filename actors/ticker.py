"""One tick of a deployment: look at the account, let the Skill decide, keep what it decided.

A tick is decided once. Where a decision is kept already it is left alone; where an action of it was on its way when the
process ended, it is kept as interrupted, since what else it would have done nobody knows.
"""

from uuid import UUID

import msgspec

from actors.kernel import ActorFailed, AskTimeout, Stopped
from actors.messages import Seen
from actors.port import RemoteEngine
from agent.asking import Stop
from agent.run import SHUT, Agent, Decision, run_skill
from db.decisions import decision_at
from db.pool import Database
from db.records import decision_row, write_rows
from domain.ids import decision_id
from domain.snapshots import DecisionSnapshot, TickOutcome

INTERRUPTED_NOTE = "the program ended while this tick was acting; what it had not done yet was left undone"


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

    def start_again(self) -> None:
        """The engine was opened again: the next tick may have been begun before."""
        self._is_new = True

    async def tick(self, ts: int) -> Ticked:
        """Take the tick of `ts`. What goes wrong in it is part of how it ended."""
        try:
            seen = await self._port.look(ts)
            if self._is_new and (done := await self._begun_before(ts, seen)) is not None:
                return done
            self._is_new = False
            if self._port.is_shut:
                return Ticked(ts, SHUT.outcome)
            decision = await run_skill(self.agent, ts)
            return await self._keep(ts, decision)
        except Stop as stop:
            return await self._failed(ts, str(stop), "budget" if "budget" in str(stop) else "model")
        except (ActorFailed, AskTimeout, Stopped) as error:
            self.start_again()
            return await self._failed(ts, f"the engine did not answer: {error}", "engine")

    async def _begun_before(self, ts: int, seen: Seen) -> Ticked | None:
        """What became of this tick in a process before this one; None where it has not been begun."""
        async with self._database.as_worker() as connection:
            row = await decision_at(connection, self._account_id, ts)
        if row is not None:
            return Ticked(ts, TickOutcome[row.outcome.upper()])
        if seen.decided != decision_id(self.agent.account, ts):
            return None
        snapshot = self._note_of(ts, TickOutcome.INTERRUPTED, seen, INTERRUPTED_NOTE, "interrupted")
        await self._write(snapshot)
        return Ticked(ts, TickOutcome.INTERRUPTED, snapshot, INTERRUPTED_NOTE)

    async def _keep(self, ts: int, decision: Decision) -> Ticked:
        if decision.snapshot is not None:
            await self._write(decision.snapshot)
        return Ticked(ts, decision.outcome, decision.snapshot)

    async def _failed(self, ts: int, problem: str, ended: str) -> Ticked:
        """Keep that a tick could not be decided, as far as the account could be seen."""
        if self._port.last_seen is None:
            return Ticked(ts, TickOutcome.FAILED, None, problem)
        snapshot = self._note_of(ts, TickOutcome.FAILED, self._port.last_seen, problem, ended)
        await self._write(snapshot)
        return Ticked(ts, TickOutcome.FAILED, snapshot, problem)

    def _note_of(self, ts: int, outcome: TickOutcome, seen: Seen, note: str, ended: str) -> DecisionSnapshot:
        return DecisionSnapshot(
            id=decision_id(self.agent.account, ts),
            tick_ts=ts,
            outcome=outcome,
            context_digest="",
            trader=self.agent.skill.model,
            calls=(),
            actions=(),
            verdicts=(),
            account=seen.view,
            note=note,
            ended=ended,
        )

    async def _write(self, snapshot: DecisionSnapshot) -> None:
        async with self._database.as_worker() as connection:
            await write_rows(connection, self._user_id, self._account_id, [decision_row(snapshot)])
