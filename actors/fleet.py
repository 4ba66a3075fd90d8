"""All deployments of this process: what should be running is compared with what is, and the difference is made up for.

It also does for all of them together what each would otherwise do by itself: renews leases, fetches commands, and
writes down where everybody stands.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from actors.bulletin import Bulletin
from actors.caretaker import CaretakerActor, Commanded, Heard
from actors.deployment import DeploymentActor
from actors.deployment_messages import Ordered, Told, Urgent
from actors.engine import EngineActor
from actors.kernel import Actor, MailboxFull, Message, Ref, handles
from actors.leases import RENEW_EVERY_S, AccountTaken, Leases
from actors.messages import Happened
from actors.obeying import end_left_over
from actors.office import Office
from actors.staging import Staging
from db.agent_state import load_states
from db.deployments import move_deployment
from db.errors import DatabaseError, Refused
from db.fleet import Waiting, Wanted, waiting_commands, wanted
from domain.deployments import CommandKind, Step
from domain.time import SECOND_MS

log = logging.getLogger(__name__)

LOOK_EVERY_MS = 2 * SECOND_MS
FLUSH_EVERY_MS = SECOND_MS
URGENT = frozenset({CommandKind.KILL, CommandKind.FLATTEN})
ENGINE_RANK, DEPLOYMENT_RANK = 1, 2
"""Deployments stop before their engines."""

A = TypeVar("A", bound=Actor)


class Children(Protocol):
    """What starts and stops actors at run time: the supervisor."""

    @property
    def is_ending(self) -> bool:
        """Whether the process ends, so that nothing is started any more."""

    def spawn(
        self,
        name: str,
        make: Callable[[], A],
        rank: int,
        gave_up: Callable[[str, BaseException | None, str], None],
        restarted: Callable[[str, str], None],
    ) -> Ref[A]:
        """Start an actor under a name that is free.

        `gave_up` and `restarted` are told its name and its crash as a line for people; both are called in the loop.
        """

    def find(self, name: str) -> Ref[Any] | None:
        """The child of this name, be it that it waits to be started again; None where there is none."""

    async def stop(self, name: str) -> None:
        """End a child in order; does nothing where there is none."""


class Look(Message["FleetActor"], frozen=True):
    """See what should be running, and what people want."""


class Renew(Message["FleetActor"], frozen=True):
    """Prolong the leases, and end those of processes that were killed, and the commands that nobody will take."""


class Flush(Message["FleetActor"], frozen=True):
    """Write down what waits, and see that prices still come."""


class Commands(Message["FleetActor"], frozen=True):
    """Somebody has sent a command to this deployment."""

    deployment_id: UUID


class ChildGaveUp(Message["FleetActor"], frozen=True):
    """A child won't be started again."""

    name: str
    error: BaseException | None
    line: str


class Pair(msgspec.Struct):
    """A deployment's two actors; where it is over, a caretaker is in its place."""

    row: Wanted
    bulletin: Bulletin
    engine: Ref[EngineActor] | None = None
    deployment: Ref[DeploymentActor] | None = None
    caretaker: Ref[CaretakerActor] | None = None

    @property
    def engine_name(self) -> str:
        return f"engine:{name_of(self.row)}"

    @property
    def deployment_name(self) -> str:
        return f"deployment:{name_of(self.row)}"

    @property
    def caretaker_name(self) -> str:
        return f"caretaker:{name_of(self.row)}"

    @property
    def names(self) -> tuple[str, ...]:
        """What its children are called, in the order in which they stop."""
        return self.deployment_name, self.caretaker_name, self.engine_name


def name_of(row: Wanted) -> str:
    """How a deployment is called among the children: its Skill's name and the end of its id."""
    return f"{row.skill_name}:{str(row.id)[-12:]}"


class FleetActor(Actor):
    """One for a process. `only` names certain deployments; None: all that nobody else looks after."""

    def __init__(
        self,
        office: Office,
        leases: Leases,
        staging: Staging,
        children: Children,
        only: Sequence[UUID] | None = None,
    ) -> None:
        self._office = office
        self._leases = leases
        self._staging = staging
        self._children = children
        self._only = only
        self._pairs: dict[UUID, Pair] = {}

    async def started(self) -> None:
        self.every(LOOK_EVERY_MS, Look(), key="look")
        self.every(int(RENEW_EVERY_S * SECOND_MS), Renew(), key="renew")
        self.every(FLUSH_EVERY_MS, Flush(), key="flush")
        self.me.tell(Renew())
        self.me.tell(Look())

    async def stopping(self) -> None:
        await self._office.records.flush()

    # What should be running.

    @handles(Look)
    async def look(self, message: Look) -> None:
        """Start what is missing, let go of what is over, and pass commands on."""
        if self._children.is_ending:
            return
        try:
            async with self._office.database.as_worker() as connection:
                rows = await wanted(connection, self._office.owner, self._only)
                waiting = await waiting_commands(connection, [row.id for row in rows])
        except DatabaseError as error:
            log.warning("deployments can't be looked up: %s", error)
            return
        for row in rows:
            if not self._children.is_ending:
                self._look_after(row)
        for gone in set(self._pairs) - {row.id for row in rows}:
            await self._let_go(gone)
        for command in waiting:
            self._pass_on(command)

    def _look_after(self, row: Wanted) -> None:
        """Start what is missing of a deployment. Of one that is over, its engine and a caretaker are left.

        What runs is asked for each time: it outlives a crash of this actor.
        """
        pair = self._pairs.get(row.id)
        if pair is None:
            pair = self._pairs[row.id] = Pair(row, Bulletin(self._office, row))
        pair.row = row
        pair.engine = self._children.find(pair.engine_name) or self._spawn_engine(pair)
        pair.deployment = self._children.find(pair.deployment_name)
        pair.caretaker = self._children.find(pair.caretaker_name)
        if not row.status.is_over:
            pair.deployment = pair.deployment or self._spawn_deployment(pair, pair.engine)
        elif pair.deployment is None:  # else it is about to end, and finishes what it was told
            pair.caretaker = pair.caretaker or self._spawn_caretaker(pair, pair.engine)

    def _spawn_caretaker(self, pair: Pair, engine: Ref[EngineActor]) -> Ref[CaretakerActor]:
        row = pair.row
        return self._children.spawn(
            pair.caretaker_name,
            partial(CaretakerActor, engine, self._office, pair.bulletin, row.id, row.status),
            DEPLOYMENT_RANK,
            self._on_failed,
            pair.bulletin.restarted,
        )

    def _spawn_deployment(self, pair: Pair, engine: Ref[EngineActor]) -> Ref[DeploymentActor]:
        stage_it = partial(self._staging.stage, pair.row.id, engine)
        return self._children.spawn(
            pair.deployment_name,
            partial(DeploymentActor, stage_it, engine, self._office, pair.bulletin),
            DEPLOYMENT_RANK,
            self._on_failed,
            pair.bulletin.restarted,
        )

    def _spawn_engine(self, pair: Pair) -> Ref[EngineActor]:
        row = pair.row
        return self._children.spawn(
            pair.engine_name,
            partial(
                EngineActor,
                partial(self._staging.open_account, row.id),
                partial(self._staging.tried, row.account_id),
                partial(self._tell, row.id),
                partial(self._leases.give_up, row.account_id),
            ),
            ENGINE_RANK,
            self._on_failed,
            pair.bulletin.restarted,
        )

    def _tell(self, deployment_id: UUID, happened: Happened) -> None:
        """Pass on what an engine tells to its deployment, at once, and to people."""
        pair = self._pairs.get(deployment_id)
        if pair is None:
            return
        pair.bulletin.teller.happened(happened)
        try:
            if pair.deployment is not None:
                pair.deployment.tell(Told(happened))
            if pair.caretaker is not None:
                pair.caretaker.tell(Heard(happened))
        except MailboxFull as error:  # an engine stops for nobody who does not listen
            log.warning("what happened in the account of %s is not told: %s", name_of(pair.row), error)

    async def _let_go(self, deployment_id: UUID) -> None:
        """Stop looking after a deployment that is over, or that somebody else looks after now."""
        for name in self._pairs.pop(deployment_id).names:
            await self._children.stop(name)

    # What people want.

    @handles(Commands)
    async def commands(self, message: Commands) -> None:
        """Pass on what was just sent to one deployment."""
        if message.deployment_id not in self._pairs:
            return
        try:
            async with self._office.database.as_worker() as connection:
                waiting = await waiting_commands(connection, [message.deployment_id])
        except DatabaseError as error:
            log.warning("commands can't be looked up: %s", error)
            return
        for command in waiting:
            self._pass_on(command)

    def _pass_on(self, command: Waiting) -> None:
        pair = self._pairs.get(command.deployment_id)
        if pair is None:
            return
        try:
            if pair.deployment is not None:
                pair.deployment.tell(Urgent(command.id) if command.kind in URGENT else Ordered(command.id))
            elif pair.caretaker is not None:
                pair.caretaker.tell(Commanded(command.id))
        except MailboxFull:
            log.warning("%s has no room for a command; it is told again", name_of(pair.row))

    # What all have in common.

    @handles(Renew)
    async def renew(self, message: Renew) -> None:
        try:
            await self._leases.renew()
            await self._leases.end_those_of_the_gone()
            await end_left_over(self._office.database)
        except DatabaseError as error:
            log.warning("leases can't be renewed: %s", error)

    @handles(Flush)
    async def flush(self, message: Flush) -> None:
        self._staging.look()
        try:
            await self._office.records.flush()
        except DatabaseError as error:
            log.warning("states and logs can't be written: %s", error)

    # What fails.

    def _on_failed(self, name: str, error: BaseException | None, line: str) -> None:
        self.me.tell(ChildGaveUp(name, error, line))

    @handles(ChildGaveUp)
    async def gave_up(self, message: ChildGaveUp) -> None:
        """A deployment that can't go on has failed, unless it is only that something else is missing for now."""
        pair = next((pair for pair in self._pairs.values() if message.name in pair.names), None)
        if pair is None:
            return
        await self._let_go(pair.row.id)
        if isinstance(message.error, AccountTaken | DatabaseError):
            return  # looked after again as soon as that is possible
        await self._fail(pair, f"{message.name} gave up: {message.line}")

    async def _fail(self, pair: Pair, reason: str) -> None:
        """Write down that a deployment can't go on, and tell its person."""
        row = pair.row
        try:
            async with self._office.database.as_worker() as connection:
                await move_deployment(connection, row.id, Step.GAVE_UP, reason=reason)
                shown = await load_states(connection, [row.id])
        except Refused:
            return  # it was over
        except DatabaseError as error:
            log.warning("%s failed, which can't be written down: %s", name_of(row), error)
            return
        last = (
            sorted(shown[row.id].positions) if row.id in shown else []
        )  # an engine that never opened knows none
        holding = pair.bulletin.holding or tuple(last)
        pair.bulletin.teller.failed(reason, holding, self.time.now_ms())
