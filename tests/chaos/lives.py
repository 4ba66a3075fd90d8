"""Lives a plan in a database of its own, and says what was wrong afterwards."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec

import agent.baselines
import cli.groups.deployments
from actors.staging import Staging
from control import skills
from db.connection import Connection
from db.journal import CommittedJournal
from db.pool import Database
from db.skills import VersionRow
from domain.journal import Entry, IntentRecorded
from tests.chaos.database import Struck
from tests.chaos.plans import Asked, Plan
from tests.chaos.restless import Restless
from tests.chaos.verdict import counts_of, faults_of
from tests.chaos.world import PARAMS, SKILL, World


class Life(msgspec.Struct, frozen=True):
    """A life that was lived: what was wrong afterwards, what struck where, and how much happened in it."""

    seed: int
    plan: str
    faults: list[str]
    struck: list[str]
    counts: Counter[str]


async def lived(real: Database, admin: Connection, owner: UUID, plan: Plan) -> Life:
    """Live a plan, and look over what it left."""
    world = World(real, owner, plan)

    async def version_of(asked: Asked) -> VersionRow:
        return await _version(real, owner, asked)

    with _staged(world):
        await world.prepare(version_of)
        try:
            await world.live()
        finally:
            await world.end()
    life = Life(
        plan.seed, str(plan), await faults_of(world, admin), world.struck, await counts_of(world, admin)
    )
    await admin.execute("update deployments set status = 'failed' where status not in ('stopped', 'failed')")
    await admin.execute(
        "update trading_accounts set holds = false"
    )  # nobody goes on with it in the next life
    return life


async def _version(real: Database, owner: UUID, asked: Asked) -> VersionRow:
    every = "1m" if asked.feed.startswith("synthetic") else "1h"
    loss = f"{asked.daily_loss_pct:g}"
    name = f"chaos-{asked.trader}-{every}-{loss.replace('.', '')}-{asked.on_stop}"
    text = SKILL.format(
        name=name,
        trader=asked.trader,
        params=PARAMS[asked.trader],
        every=every,
        loss=loss,
        on_stop=asked.on_stop,
    )
    saved = await skills.save(real, owner, text)
    return await skills.find(real, owner, f"{saved.name}@{saved.version}")


@contextmanager
def _staged(world: World) -> Iterator[None]:
    """What a test has to lay hands on: who trades at random, who is gone, and who can't start."""
    makers, is_gone = agent.baselines._MAKERS["random"], cli.groups.deployments.is_gone
    stage, open_account, append = Staging.stage, Staging.open_account, CommittedJournal.append

    def refuse(deployment_id: UUID) -> None:
        for one in world.deployments:
            if one.id == deployment_id and (one.is_doomed or one.storm > 0):
                one.storm -= 1
                raise RuntimeError("it can't start")

    async def stage_or_not(self: Staging, deployment_id: UUID, engine: Any) -> Any:
        refuse(deployment_id)
        return await stage(self, deployment_id, engine)

    async def open_or_not(self: Staging, deployment_id: UUID) -> Any:
        if not any(one.id == deployment_id and one.is_doomed for one in world.deployments):
            refuse(deployment_id)
        return await open_account(self, deployment_id)

    def append_and_count(self: CommittedJournal, entry: Entry) -> None:
        if isinstance(entry, IntentRecorded) and isinstance(self._database, Struck):
            self._database.intents += 1
        append(self, entry)

    CommittedJournal.append = append_and_count  # type: ignore[method-assign]
    agent.baselines._MAKERS["random"] = lambda skill, seed: Restless(world.plan.seed)
    cli.groups.deployments.is_gone = lambda owner: owner in world.gone
    Staging.stage, Staging.open_account = stage_or_not, open_or_not  # type: ignore[method-assign]
    try:
        yield
    finally:
        agent.baselines._MAKERS["random"], cli.groups.deployments.is_gone = makers, is_gone
        Staging.stage, Staging.open_account = stage, open_account  # type: ignore[method-assign]
        CommittedJournal.append = append  # type: ignore[method-assign]
