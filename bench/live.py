"""Deployments as the bench has them carried out: the real fleet under the real supervisor, on the made-up market.

One thing is the bench's own: a schedule of less than a minute, over which the ticks of all are spread evenly.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from actors.fleet import FleetActor
from actors.kernel import Ref, Time, WallTime
from actors.leases import Leases
from actors.office import Office, Records
from actors.plan import Plan
from actors.stage import Hooks
from actors.staging import Replays, Staging
from actors.ticker import Ticker
from agent.provider import Provider
from cli.boot import House
from cli.groups.deployments import SupervisedChildren, SupervisedFeeds
from db.accounts import create_account
from db.agent_state import load_states
from db.deployments import create_deployment
from db.skills import save_version
from domain.caps import LOOSEST
from domain.feeds import parse_feed
from domain.ids import uuid7
from domain.notices import NoNotices
from market.feeds.registry import Feeds, maker
from simulator.spec import RunSpec, to_config
from skills import skill_md
from skills.schedule import Schedule
from supervisor.children import ActorChild
from supervisor.supervisor import Identity, Supervisor

SYMBOL, FEED = "BTC", "synthetic@7"

Ready = Callable[[Ticker, int], None]
"""Is given each deployment's ticker, with the deployment's number, before it ticks."""


class EverySome(Schedule, frozen=True):
    """A tick every `every_ms`, `offset_ms` after the grid."""

    every_ms: int = 1_000
    offset_ms: int = 0

    def next_after(self, ts: int) -> int:
        return ts + self.every_ms - (ts - self.offset_ms) % self.every_ms


class BenchStaging(Staging):
    """Staging with the bench's schedule, for the deployments in `numbers`."""

    every_ms: int
    ready: Ready
    numbers: dict[UUID, int]

    async def _ticker(self, plan: Plan, *more: Any) -> Ticker:
        ticker = await super()._ticker(plan, *more)
        self.ready(ticker, self.numbers[plan.row.id])
        return ticker

    def _go_live(self, feed: Any, plan: Plan, engine: Ref[Any], ticker: Ticker, hooks: Hooks) -> Any:
        live = super()._go_live(feed, plan, engine, ticker, hooks)
        offset_ms = (2 * self.numbers[plan.row.id] + 1) * self.every_ms // (2 * len(self.numbers))
        live._schedule = EverySome("bench", (0,), every_ms=self.every_ms, offset_ms=offset_ms)
        return live


async def asked_for(home: House, count: int, text: str) -> list[UUID]:
    """Keep so many deployments of one Skill, in one transaction."""
    skill = skill_md.read(text, where="bench")
    feed = parse_feed(FEED)
    config = to_config(RunSpec(from_ts=feed.from_ts, to_ts=feed.to_ts, platform=LOOSEST))
    spec = {"name": skill.name, "model": skill.model}
    async with home.database.as_user(home.user_id) as connection:
        digest = str(hash(text))
        version, _ = await save_version(
            connection, home.user_id, name=skill.name, digest=digest, body=text, spec=spec
        )
        ids = []
        for _ in range(count):
            account_id = uuid7()
            await create_account(connection, home.user_id, account_id, "paper", Decimal(10_000))
            ids.append(
                await create_deployment(
                    connection,
                    home.user_id,
                    skill_version_id=version.id,
                    account_id=account_id,
                    mode="paper",
                    feed=FEED,
                    config=config,
                )
            )
    return ids


@asynccontextmanager
async def carried_out(
    home: House, ids: list[UUID], every_ms: int, ready: Ready, provider: Provider | None = None
) -> AsyncIterator[Supervisor]:
    """Run these deployments under a supervisor, and give that."""
    time_: Time = WallTime()
    owner = f"bench:{os.getpid()}"
    identity = Identity(owner=owner, host="bench", pid=os.getpid(), groups=["deployments"], started_ts=0)
    supervisor = Supervisor(identity, time_, Random(1).random)
    database, clock = home.database, home.clock
    office = Office(database, clock, owner, NoNotices(), Records(database, clock))
    leases = Leases(database, owner, time.monotonic)
    feeds = Feeds(maker(database.as_worker, time_), SupervisedFeeds(supervisor))
    staging = BenchStaging(office, leases, provider or home.provider, Replays(database), feeds, time_)
    staging.every_ms, staging.ready = every_ms, ready
    staging.numbers = {one: number for number, one in enumerate(ids)}
    make = partial(FleetActor, office, leases, staging, SupervisedChildren(supervisor), ids)
    async with supervisor.keeping(
        [ActorChild(name="fleet", group="deployments", make=make)], asyncio.Event()
    ):
        yield supervisor


async def are_up(home: House, ids: list[UUID], ticks: int) -> None:
    """Wait until each has ticked so often."""
    while True:
        async with home.database.as_worker() as connection:
            states = await load_states(connection, ids)
        if sum(sum(one.counts.values()) >= ticks for one in states.values()) == len(ids):
            return
        await asyncio.sleep(1)
