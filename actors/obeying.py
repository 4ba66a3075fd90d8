"""Taking commands: each is acknowledged first, carried out once however often it comes, and ended with what came of it.

What is begun and not ended when a process ends is taken again by the next one, so every effect can be done again
without doing more.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from actors.bulletin import Bulletin
from actors.engine import EngineActor
from actors.kernel import ActorFailed, AskTimeout, Ref
from actors.messages import ByHand
from actors.office import Office
from actors.port import ASK_S
from db import commands as store
from db.commands import CommandRow
from db.connection import Connection
from db.errors import Refused
from db.fleet import LeftOver, left_over_commands
from db.pool import Database
from domain.actions import CancelOrder, ClosePosition
from domain.deployments import CommandKind, CommandState, IllegalMove, Status
from domain.verdicts import Refusal

T = TypeVar("T")

CarryOut = Callable[[CommandRow], Awaitable[dict[str, Any] | None]]
"""Carries a command out and gives the result, or None where that comes later."""


class Cannot(Exception):
    """Why a command can't be carried out, in one line."""


class Clerk:
    """Keeps the books of one life of an actor that obeys."""

    def __init__(self, office: Office, bulletin: Bulletin) -> None:
        self._database = office.database
        self._bulletin = bulletin
        self._begun: set[UUID] = set()

    async def obey(self, command_id: UUID, carry_out: CarryOut) -> None:
        """Have a command carried out. What can't be done says why; what could not be asked is tried again later."""
        command = None if command_id in self._begun else await self._take(command_id)
        if command is None:
            return
        self._begun.add(command.id)
        self._bulletin.log("info", f"told to {command.kind}", command=str(command.id))
        try:
            result = await carry_out(command)
        except (IllegalMove, Refused, Cannot) as error:
            await self.refuse(command, str(error))
        except (ActorFailed, AskTimeout):
            self._begun.discard(command.id)
        else:
            if result is not None:
                await self.finish(command, result)

    async def _take(self, command_id: UUID) -> CommandRow | None:
        """Acknowledge a command; None where it is over, or its deadline has passed."""
        async with self._database.as_worker() as connection:
            command = await store.load_command(connection, command_id)
            if command is None or command.is_over:
                return None
            if command.state is CommandState.QUEUED and not await store.acknowledge(connection, command_id):
                return None
        return command

    async def finish(self, command: CommandRow, result: dict[str, Any]) -> None:
        """It is done."""
        async with self._database.as_worker() as connection:
            await store.finish(connection, command.id, result)
        self._bulletin.obeyed(command, CommandState.DONE, "")

    async def refuse(self, command: CommandRow, why: str) -> None:
        """It can't be done."""
        async with self._database.as_worker() as connection:
            await store.fail(connection, command.id, why)
        self._bulletin.log("warning", f"could not {command.kind}", why=why)
        self._bulletin.obeyed(command, CommandState.FAILED, why)


async def end_left_over(database: Database) -> None:
    """End the commands that nobody will take any more: overdue ones, and those to deployments that are over."""
    async with database.as_worker() as connection:
        await store.expire_overdue(connection)
        left_over = await left_over_commands(connection)
    for command in left_over:
        with suppress(Refused):  # another process was first
            async with database.as_worker() as connection:
                await _end(connection, command)


async def _end(connection: Connection, command: LeftOver) -> None:
    """One that came to what it was for is done, though its process was killed before it could say so."""
    if command.state is CommandState.QUEUED and not await store.acknowledge(connection, command.id):
        return
    was_begun = command.state is CommandState.ACKNOWLEDGED
    is_stopped = command.kind is CommandKind.STOP and command.status is Status.STOPPED
    is_flat = command.kind in (CommandKind.KILL, CommandKind.FLATTEN) and not command.holds
    if was_begun and (is_stopped or is_flat):
        result = {"status": command.status} if command.holds else {"status": command.status, "holding": []}
        await store.finish(connection, command.id, result)
    else:
        await store.fail(connection, command.id, f"the deployment was {command.status} before this was done")


def _plainly(refusal: Refusal) -> str:
    """A refusal as a person is told it who named something that is not there."""
    match refusal.cap:
        case "position":
            return refusal.hint
        case "order":
            return f"there is no live order {refusal.would_be}"
        case _:
            return str(refusal)


async def by_hand(engine: Ref[EngineActor], command: CommandRow) -> dict[str, Any]:
    """Close a position, or withdraw an order, as the command says. Raises Cannot where the engine refuses it."""
    action: ClosePosition | CancelOrder
    if command.kind is CommandKind.CLOSE:
        action = ClosePosition(argument(command, "symbol", str), "by hand")
    else:
        action = CancelOrder(argument(command, "order", int), "by hand")
    verdict = await engine.ask(ByHand(action, decision_of(command)), timeout_s=ASK_S)
    if not verdict.approved:
        raise Cannot("; ".join(map(_plainly, verdict.refusals)))
    return {"orders": list(verdict.orders), "note": verdict.note}


def argument(command: CommandRow, name: str, kind: type[T]) -> T:
    """Read one argument of a command. Raises Cannot for what is not there, or of another kind."""
    try:
        return msgspec.convert(command.args.get(name), kind)
    except msgspec.ValidationError as error:
        raise Cannot(f"{command.kind} takes {name}: {error}") from None


def decision_of(command: CommandRow) -> str:
    """The name under which what a command does is written down: the same however often it is begun."""
    return command.id.hex
