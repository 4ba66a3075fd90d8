"""One deployment as an actor: it drives its market or listens to it, ticks on schedule, and obeys its person.

A tick runs as a child task and comes back as a message, so that the actor always answers: a kill never waits for a
model. What it is told to do it does once, whatever happens: a command is acknowledged first, every effect can be done
again without doing more, and what it is part of (a latch, an intent, a status) is kept before its command is finished.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from actors.attending import attend
from actors.bulletin import Bulletin
from actors.deployment_messages import (
    Abandon,
    DriveEnded,
    MayTick,
    Ordered,
    Silent,
    Stood,
    Told,
    Took,
    Urgent,
)
from actors.engine import EngineActor
from actors.kernel import Actor, Done, Failed, Ref, handles
from actors.messages import Adopt, CancelRaising, Flatten, ResetHalt, Standing, Where
from actors.obeying import Cannot, Clerk, argument, by_hand, decision_of
from actors.office import Office
from actors.plan import Plan
from actors.port import ASK_S
from actors.settling import steps_to_follow
from actors.stage import Hooks, Stage
from actors.ticker import Ticked
from db.commands import CommandRow
from db.deployments import move_deployment, set_version
from db.seen_bars import SeenBar
from domain.deployments import CommandKind, Status, Step, after
from domain.feeds import BarClosed, FeedEvent
from domain.journal import HaltCause, HaltPhase
from domain.time import SECOND_MS, iso

FINISH_TICK_MS = 15 * SECOND_MS
"""How long a tick in hand may take to end by itself when its deployment is stopped."""

_TICKING = frozenset({Status.RUNNING, Status.FLATTENING, Status.HALTED})


class DeploymentFailed(Exception):
    """What a deployment can't go on after, in one line."""


class DeploymentActor(Actor):
    """One deployment. `stage_it` makes it ready to run, and is called again for another version."""

    def __init__(
        self,
        stage_it: Callable[[], Awaitable[Stage]],
        engine: Ref[EngineActor],
        office: Office,
        bulletin: Bulletin,
    ) -> None:
        self._stage_it = stage_it
        self._engine = engine
        self._office = office
        self._bulletin = bulletin
        self._attending: asyncio.Task[None] | None = None
        self._in_hand: asyncio.Future[Ticked] | None = None
        self._driving: asyncio.Task[Standing | None] | None = None
        self._until_flat: dict[UUID, CommandRow] = {}
        self._leaving: dict[UUID, CommandRow] = {}
        self._upgrades: list[CommandRow] = []
        self._ticked_to = -1
        self._clerk = Clerk(office, bulletin)
        self._standing: Standing | None = None
        self._is_killed = False

    async def started(self) -> None:
        """Get ready, see where the account stands, and go on from there."""
        await self._set_stage()
        self._status = self._plan.row.status
        if self._status.is_over:  # it ended while somebody still took it for one that runs
            self.stop()
            return
        standing = await self._where()
        if self._status is Status.PROVISIONING:
            await self._move(Step.STARTED)
        self._bulletin.teller.started(self._plan, self._bulletin.now)
        await self._follow(standing)
        await self._stage.ticker.settle(standing.ts)
        self._drive()

    async def stopping(self) -> None:
        """Leave everything as it is: the next process goes on from here."""
        if self._in_hand is not None:
            self._in_hand.cancel()

    @property
    def _plan(self) -> Plan:
        return self._stage.plan

    async def _set_stage(self) -> None:
        """Get ready by the plan as it is now, and listen to its feed where it has one."""
        self._stage = await self._stage_it()
        if self._attending is not None:
            self._attending.cancel()
        feed = self._stage.feed
        if feed is not None:
            work = attend(feed, self._hear, [BarClosed], lambda silence: self.me.tell(Silent(silence)))
            self._attending = self.child(work)
        self._bulletin.begin(self._plan)

    def _hear(self, event: FeedEvent) -> None:
        """Keep a bar that was seen, so that the simulator can be shown the same."""
        assert isinstance(event, BarClosed)
        row, bar = self._plan.row, event.bar
        prices = map(float, (bar.open, bar.high, bar.low, bar.close, bar.volume))
        seen = SeenBar(row.id, row.user_id, event.symbol, event.interval_ms, bar.ts, event.ts, *prices)
        self._office.records.seen(seen)

    @handles(Silent)
    async def silent(self, message: Silent) -> None:
        self._bulletin.silence(message.silence)

    # Ticks.

    def _drive(self) -> None:
        """Have the market go by."""
        bulletin = self._bulletin
        hooks = Hooks(
            self._tick,
            lambda standing: self.me.tell(Stood(standing)),
            bulletin.late,
            bulletin.missed,
            self._ticked_to,
        )
        self._driving = self.child(self._stage.drive(hooks).run(), then=DriveEnded)

    async def _tick(self, ts: int, standing: Standing) -> None:
        """Take a tick, unless this is no time for one. Called by the drive, which waits for it."""
        may_tick = await self.me.ask(MayTick(standing), timeout_s=ASK_S)
        self._ticked_to = ts
        if not may_tick:
            self._bulletin.skipped()
            return
        task = self._in_hand = asyncio.ensure_future(self._stage.ticker.tick(ts))
        try:
            await asyncio.wait({task})
        finally:
            self._in_hand = None
            task.cancel()
        self.me.tell(Took(None if task.cancelled() else task.result()))

    @handles(MayTick)
    async def may_tick(self, message: MayTick) -> bool:
        """A person's pause, flatten, stop or kill holds ticks up. In a halt the engine refuses what raises."""
        standing = message.standing
        await self._follow(standing)
        by_hand = standing.phase is HaltPhase.FLATTENING and standing.cause is HaltCause.BY_HAND
        is_held_up = by_hand or self._is_killed or self._leaving or self._until_flat
        return self._status in _TICKING and not is_held_up

    def _abandon(self) -> None:
        """End the tick in hand at once and for good. What it has done already stays done, and is kept."""
        if self._in_hand is not None:
            self._stage.ticker.give_up()
            self._in_hand.cancel()

    @handles(Abandon)
    async def abandon(self, message: Abandon) -> None:
        self._abandon()

    @handles(Took)
    async def took(self, message: Took) -> None:
        """Write down how a tick ended; then is the time for what waited for its end."""
        self._bulletin.ticked(message.ticked)
        self._bulletin.show()
        if self._leaving:
            await self._leave()
        while self._upgrades:
            await self._upgrade_now(self._upgrades.pop(0))

    @handles(DriveEnded)
    async def driven(self, message: DriveEnded) -> None:
        """The market is over: so is the deployment. Where it broke off, this actor does, and is started again."""
        match message.outcome:
            case Failed(asyncio.CancelledError()):
                return
            case Failed(error):
                raise DeploymentFailed(f"its market can't go on: {error}") from error
            case Done(standing):
                held = standing is not None and not standing.is_flat
                reason = "the replay is over" + ("; its positions were not closed" if held else "")
                if standing is not None:
                    await self._follow(standing)
                await self._end(reason)

    # Where the account stands.

    @handles(Stood)
    async def stood(self, message: Stood) -> None:
        await self._follow(message.standing)

    @handles(Told)
    async def told(self, message: Told) -> None:
        await self._follow(message.happened.standing)

    async def _follow(self, standing: Standing) -> None:
        """Have the status agree with the account, and finish what waited for it to be flat.

        What was told before something that is known already is left aside: it would lift a latch that was just set.
        """
        if self._standing is not None and standing.seq < self._standing.seq:
            return
        self._standing = standing
        self._bulletin.stands(standing)
        for step in steps_to_follow(self._status, standing.phase):
            await self._move(step)
        if standing.phase is HaltPhase.FLATTENING:
            return
        waiting, self._until_flat = list(self._until_flat.values()), {}
        for command in waiting:
            if command.kind is CommandKind.FLATTEN:
                if self._status is Status.HALTED:
                    await self._move(Step.PAUSED)
                await self._clerk.finish(command, {"status": self._status, "equity": str(standing.equity)})
            else:
                self._leaving[command.id] = command
        if waiting and self._leaving:
            await self._end("killed" if self._is_killed else "stopped")

    async def _where(self) -> Standing:
        return await self._engine.ask(Where(), timeout_s=ASK_S)

    # Commands.

    @handles(Ordered)
    async def ordered(self, message: Ordered) -> None:
        await self._obey(message.command_id)

    @handles(Urgent)
    async def urgent(self, message: Urgent) -> None:
        await self._obey(message.command_id)

    async def _obey(self, command_id: UUID) -> None:
        if self._status.is_over:
            return  # it is about to end, and a caretaker will be told
        await self._clerk.obey(command_id, self._carry_out)
        self._bulletin.show()

    async def _carry_out(self, command: CommandRow) -> dict[str, Any] | None:
        return await _CARRY_OUT[command.kind](self, command)

    async def _pause(self, command: CommandRow) -> dict[str, Any]:
        if self._status is not Status.PAUSED:
            await self._move(Step.PAUSED)
        return {"status": self._status}

    async def _resume(self, command: CommandRow) -> dict[str, Any]:
        if self._status is not Status.RUNNING:
            await self._move(Step.RESUMED)
            await self._follow(await self._where())  # which may be halted
        return {"status": self._status}

    async def _flatten(self, command: CommandRow) -> None:
        self._abandon()  # else it would trade on, once the account is flat
        await self._get_flat(command)

    async def _get_flat(self, command: CommandRow) -> None:
        """Latch at the engine first; the status follows it."""
        self._until_flat[command.id] = command
        standing = await self._engine.ask(Flatten(), timeout_s=ASK_S)
        if standing.phase is HaltPhase.ACTIVE and self._status is Status.RUNNING:
            await self._move(Step.FLATTEN)  # it was flat at once, or is again
        await self._follow(standing)

    async def _stop(self, command: CommandRow) -> None:
        """Finish or abandon the tick in hand; then leave."""
        if self._status is not Status.STOPPING:
            await self._move(Step.STOP)
        self._leaving[command.id] = command
        if self._in_hand is None:
            await self._leave()
        else:
            self.after(FINISH_TICK_MS, Abandon(), key="abandon")

    async def _leave(self) -> None:
        """Cancel what raises; flatten where the Skill says so, or where that is under way; end."""
        (command, *_) = self._leaving.values()
        if self._is_killed:
            return
        await self._engine.ask(CancelRaising(decision_of(command)), timeout_s=ASK_S)
        if self._plan.skill.on_stop == "flatten" or self._until_flat:
            self._until_flat.update(self._leaving)
            self._leaving = {}
            await self._follow(await self._engine.ask(Flatten(), timeout_s=ASK_S))
        else:
            await self._end("stopped")

    async def _kill(self, command: CommandRow) -> None:
        """Now: abandon the model's call, flatten, end."""
        self._is_killed = True
        self._abandon()
        await self._get_flat(command)

    async def _by_hand(self, command: CommandRow) -> dict[str, Any]:
        return await by_hand(self._engine, command)

    async def _reset_halt(self, command: CommandRow) -> dict[str, Any]:
        problem = await self._engine.ask(ResetHalt(), timeout_s=ASK_S)
        if problem:
            raise Cannot(problem)
        await self._follow(await self._where())
        return {"status": self._status}

    async def _acknowledge(self, command: CommandRow) -> dict[str, Any]:
        raise Cannot("nothing foreign is held: a paper account has only what its deployment ordered")

    async def _upgrade(self, command: CommandRow) -> None:
        """At the next boundary between two ticks."""
        if self._in_hand is None:
            await self._upgrade_now(command)
        else:
            self._upgrades.append(command)

    async def _upgrade_now(self, command: CommandRow) -> None:
        """Go on with another version. A tick that was begun was the old one's, every later one is the new one's."""
        before, version_id = self._plan, argument(command, "version_id", UUID)
        async with self._office.database.as_worker() as connection:
            await set_version(connection, before.row.id, version_id)
        if self._driving is not None:
            self._driving.cancel()
        await self._set_stage()
        plan = self._plan
        await self._engine.ask(Adopt(plan.skill.market.symbols, plan.caps), timeout_s=ASK_S)
        standing = await self._where()  # after the bar that the old drive had opened still
        begins = max(standing.ts + standing.is_open, self._ticked_to + 1)
        self._drive()
        versions = {"from": before.row.skill_number, "to": plan.row.skill_number}
        self._bulletin.log("info", "goes on with another version", **versions, market=iso(begins))
        await self._clerk.finish(command, versions)

    # Ends.

    async def _end(self, reason: str) -> None:
        """It is over. What it holds its engine goes on watching."""
        if self._in_hand is not None:
            await asyncio.wait({self._in_hand})  # until what an abandoned tick did is kept
        if self._status is not Status.STOPPING:
            await self._move(Step.STOP)
        if self._driving is not None:
            self._driving.cancel()
        await self._move(Step.STOPPED, reason)
        holding = self._bulletin.holding
        for command in (self._leaving | self._until_flat).values():
            await self._clerk.finish(command, {"status": self._status, "holding": list(holding)})
        self._leaving, self._until_flat = {}, {}
        self._bulletin.teller.ended(reason, holding, self._bulletin.now)
        self._bulletin.show()
        self.stop()

    # Kept, shown and told.

    async def _move(self, step: Step, reason: str | None = None) -> None:
        """Take a step. Raises IllegalMove, changing nothing, where it can't be taken."""
        after(self._status, step)
        async with self._office.database.as_worker() as connection:
            self._status = await move_deployment(connection, self._plan.row.id, step, reason=reason)
        self._bulletin.moved(self._status, step)


_CARRY_OUT: dict[CommandKind, Callable[[DeploymentActor, CommandRow], Awaitable[dict[str, Any] | None]]] = {
    CommandKind.STOP: DeploymentActor._stop,
    CommandKind.PAUSE: DeploymentActor._pause,
    CommandKind.RESUME: DeploymentActor._resume,
    CommandKind.FLATTEN: DeploymentActor._flatten,
    CommandKind.KILL: DeploymentActor._kill,
    CommandKind.CLOSE: DeploymentActor._by_hand,
    CommandKind.CANCEL: DeploymentActor._by_hand,
    CommandKind.UPGRADE: DeploymentActor._upgrade,
    CommandKind.RESET_HALT: DeploymentActor._reset_halt,
    CommandKind.ACKNOWLEDGE: DeploymentActor._acknowledge,
}
"""What each command does. It gives the result, or None where that comes later."""
