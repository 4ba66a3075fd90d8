"""What is left of a deployment that is over and still holds something: its account, which a person can still close.

Its engine goes on watching by itself: protections, funding, halts. The caretaker obeys, and shows where it stands.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from actors.bulletin import Bulletin
from actors.engine import EngineActor
from actors.kernel import Actor, ActorFailed, AskTimeout, Lane, Message, Ref, Stopped, handles
from actors.messages import Flatten, Happened, Standing, Where
from actors.obeying import Cannot, Clerk, by_hand
from actors.office import Office
from actors.port import ASK_S
from db.agent_state import load_states
from db.commands import CommandRow
from domain.deployments import CommandKind, Status
from domain.journal import HaltPhase
from domain.time import SECOND_MS

LOOK_EVERY_MS = 10 * SECOND_MS
"""How often what the account is worth is looked at, for whoever looks."""
LAST_LOOK_S = 2.0


class Commanded(Message["CaretakerActor"], frozen=True):
    """A command of its person's. None of those that it obeys can wait."""

    lane: ClassVar[Lane] = Lane.SYSTEM

    command_id: UUID


class Heard(Message["CaretakerActor"], frozen=True):
    """What the engine tells: fills, and steps of a halt."""

    lane: ClassVar[Lane] = Lane.SYSTEM

    happened: Happened


class LookIn(Message["CaretakerActor"], frozen=True):
    """It is time to see where the account stands."""


class CaretakerActor(Actor):
    """One for a deployment that ended in `status`, for as long as its account holds."""

    def __init__(
        self, engine: Ref[EngineActor], office: Office, bulletin: Bulletin, row_id: UUID, status: Status
    ) -> None:
        self._engine = engine
        self._office = office
        self._bulletin = bulletin
        self._row_id = row_id
        self._status = status
        self._clerk = Clerk(office, bulletin)
        self._until_flat: dict[UUID, CommandRow] = {}
        self._seq = -1

    async def started(self) -> None:
        """Take over what the deployment showed of itself last."""
        if self._bulletin.is_blank:
            async with self._office.database.as_worker() as connection:
                shown = await load_states(connection, [self._row_id])
            if self._row_id in shown:
                self._bulletin.recall(shown[self._row_id])
        self.every(LOOK_EVERY_MS, LookIn(), key="look")
        self.me.tell(LookIn())

    async def stopping(self) -> None:
        """Show how it came out in the end: once the account is flat, nobody stays here."""
        await self._look(LAST_LOOK_S)

    @handles(LookIn)
    async def look_in(self, message: LookIn) -> None:
        await self._look(ASK_S)

    async def _look(self, timeout_s: float) -> None:
        try:
            await self._follow(await self._engine.ask(Where(), timeout_s=timeout_s))
        except (ActorFailed, AskTimeout, Stopped):  # it is being started again, or has ended as well
            return

    @handles(Heard)
    async def heard(self, message: Heard) -> None:
        await self._follow(message.happened.standing)

    async def _follow(self, standing: Standing) -> None:
        """Show where the account stands, and finish what waited for it to be flat. What is older is left aside."""
        if standing.seq < self._seq:
            return
        self._seq = standing.seq
        self._bulletin.stands(standing)
        if standing.phase is HaltPhase.FLATTENING:
            return
        waiting, self._until_flat = list(self._until_flat.values()), {}
        for command in waiting:
            await self._clerk.finish(command, self._result(standing))

    @handles(Commanded)
    async def commanded(self, message: Commanded) -> None:
        await self._clerk.obey(message.command_id, self._carry_out)

    async def _carry_out(self, command: CommandRow) -> dict[str, Any] | None:
        obey = _OBEYED.get(command.kind)
        if obey is None:
            raise Cannot(f"the deployment is {self._status}; {command.kind} is for one that runs")
        return await obey(self, command)

    async def _flatten(self, command: CommandRow) -> None:
        self._until_flat[command.id] = command
        await self._follow(await self._engine.ask(Flatten(), timeout_s=ASK_S))

    async def _by_hand(self, command: CommandRow) -> dict[str, Any]:
        return await by_hand(self._engine, command)

    async def _stop(self, command: CommandRow) -> dict[str, Any]:
        """It is over, which may be what this command came to before the process that took it ended."""
        return self._result(await self._engine.ask(Where(), timeout_s=ASK_S))

    def _result(self, standing: Standing) -> dict[str, Any]:
        return {"status": self._status, "holding": sorted(standing.positions)}


_OBEYED: Mapping[CommandKind, Callable[[CaretakerActor, CommandRow], Awaitable[dict[str, Any] | None]]] = (
    MappingProxyType(
        {
            CommandKind.FLATTEN: CaretakerActor._flatten,
            CommandKind.KILL: CaretakerActor._flatten,
            CommandKind.CLOSE: CaretakerActor._by_hand,
            CommandKind.CANCEL: CaretakerActor._by_hand,
            CommandKind.STOP: CaretakerActor._stop,
        }
    )
)
"""What can be told of an account whose deployment is over. It gives the result, or None where that comes later."""
