"""A process that carries out deployments, inside a test: the real fleet on a real database, under the real kernel."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from actors.fleet import FleetActor, Look
from actors.kernel import Actor, Exit, Policy, Ref, Spec, System, Time, WallTime
from actors.leases import Leases
from actors.office import Office, Records
from actors.staging import Replays, Staging
from agent.provider import Provider
from db.accounts import create_account
from db.deployments import DeploymentRow, create_deployment, load_deployment
from db.pool import Database
from db.skills import VersionRow
from domain.caps import LOOSEST
from domain.feeds import parse_feed
from domain.notices import NoNotices, Notices
from market.feeds.base import Feed
from market.feeds.registry import Feeds, Make, maker
from simulator.spec import RunSpec, to_config
from tests.standins.provider import NO_MODELS

A = TypeVar("A", bound=Actor)


class AtOnce:
    """A policy that starts a crashed actor again at once, so many times, and tells of it."""

    def __init__(self, most: int, restarted: Callable[[str], None]) -> None:
        self.left = most
        self._restarted = restarted

    def after(self, exit: Exit, now_s: float) -> float | None:
        if exit.error is None or not self.left:
            return None
        self.left -= 1
        self._restarted(str(exit.error))
        return 0.0


class Children:
    """What the supervisor is to the fleet, without its pauses."""

    def __init__(self, system: System, restarts: int) -> None:
        self.system = system
        self.restarts = restarts
        self.is_ending = False
        self._watching: set[asyncio.Future[None]] = set()

    def spawn(
        self,
        name: str,
        make: Callable[[], A],
        rank: int,
        gave_up: Callable[[str, BaseException | None, str], None],
        restarted: Callable[[str, str], None],
    ) -> Ref[A]:
        policy: Policy = AtOnce(self.restarts, partial(restarted, name))
        ref = self.system.spawn(Spec(name=name, make=make, policy=policy))
        watching = asyncio.ensure_future(self._watch(ref, gave_up))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        return ref

    async def _watch(self, ref: Ref[Any], gave_up: Callable[[str, BaseException | None, str], None]) -> None:
        end = await ref.ended()
        if end.error is not None:
            gave_up(ref.name, end.error, str(end.error))

    def find(self, name: str) -> Ref[Any] | None:
        return self.system.find(name)

    async def stop(self, name: str) -> None:
        if (ref := self.system.find(name)) is not None:
            await self.system.stop(ref)


class Runner:
    """Runs feeds, as the supervisor does."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._feeds: dict[str, Feed] = {}

    def start(self, name: str, feed: Feed) -> None:
        self._running[name] = asyncio.create_task(feed.run())
        self._feeds[name] = feed

    def feed(self, name: str) -> Feed:
        """The feed of this name, also once it was stopped."""
        return self._feeds[name]

    async def stop(self, name: str) -> None:
        if (task := self._running.pop(name, None)) is not None:
            task.cancel()
            await asyncio.wait({task})


class Process:
    """One process of the program, as far as deployments go. `make_feed` makes its feeds, where a test has its own."""

    def __init__(
        self,
        database: Database,
        *,
        provider: Provider = NO_MODELS,
        notices: Notices | None = None,
        live_by: Time | None = None,
        restarts: int = 3,
        make_feed: Make | None = None,
    ) -> None:
        self.time = live_by or WallTime()
        self.system = System(self.time)
        owner = f"test:{uuid4()}"
        self.office = Office(database, self.time, owner, notices or NoNotices(), Records(database, self.time))
        self.leases = Leases(database, owner, time.monotonic)
        self.runner = Runner()
        self.feeds = Feeds(make_feed or maker(database.as_worker, self.time), self.runner)
        self.staging = Staging(self.office, self.leases, provider, Replays(database), self.feeds, self.time)
        self.children = Children(self.system, restarts)
        self.fleet = self.system.spawn(
            Spec(
                name="fleet",
                make=lambda: FleetActor(self.office, self.leases, self.staging, self.children),
                policy=AtOnce(restarts, lambda *_: None),
            )
        )

    def look(self) -> None:
        """Have the fleet see what there is to do, now."""
        self.fleet.tell(Look())

    async def stop(self) -> None:
        """End in order."""
        self.children.is_ending = True
        await self.system.stop_all()


@asynccontextmanager
async def process(database: Database, **more: Any) -> AsyncIterator[Process]:
    """A process that is ended in order."""
    running = Process(database, **more)
    try:
        yield running
    finally:
        await running.stop()


async def deploy(
    database: Database,
    owner: UUID,
    version: VersionRow,
    feed: str,
    *,
    cash: Decimal = Decimal(10_000),
    **spec: Any,
) -> UUID:
    """Ask for a deployment on paper."""
    parsed, account_id = parse_feed(feed), uuid4()
    config = to_config(
        RunSpec(from_ts=parsed.from_ts, to_ts=parsed.to_ts, cash=cash, platform=LOOSEST, **spec)
    )
    async with database.as_user(owner) as connection:
        await create_account(connection, owner, account_id, "paper", cash)
        return await create_deployment(
            connection,
            owner,
            skill_version_id=version.id,
            account_id=account_id,
            mode="paper",
            feed=feed,
            config=config,
        )


async def row_of(database: Database, deployment_id: UUID) -> DeploymentRow:
    """The deployment as it is now."""
    async with database.as_worker() as connection:
        row = await load_deployment(connection, deployment_id)
    assert row is not None
    return row


async def until(holds: Callable[[], Any], most_s: float = 60.0) -> None:
    """Wait until something holds; the limit only keeps a broken test from hanging."""
    async with asyncio.timeout(most_s):
        while not await holds():
            await asyncio.sleep(0.01)
