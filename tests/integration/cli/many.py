"""Deployments that real processes of `agentic up` carry out, and what the books say of them afterwards."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from uuid import UUID

from control import skills
from db.connection import Connection
from db.decisions import thoughts
from db.deployments import load_deployment
from db.journal import load_entries
from db.pool import Database
from db.skills import VersionRow
from domain.caps import LOOSEST, tightest
from domain.journal import IntentRecorded
from skills import skill_md
from tests.audit.account import audit_account
from tests.integration.actors.fleet import deploy, until
from tests.integration.cli.test_up import started
from tests.integration.simulator.samples import keep_market, skill_text

HOURLY = skill_text(model="baseline:random", model_params="{size: 0.05}")
BY_THE_MINUTE = skill_text(
    model="baseline:random",
    model_params="{size: 0.05}",
    schedule="1m",
    market="{symbols: [BTC], interval: 1m, bars: 20}",
)
CAPS = tightest(skill_md.read(HOURLY, where="here").caps, LOOSEST)
DAYS = "replay:2025-01-02..2025-01-09@{}x"


@contextmanager
def carried_out(home: Path, *options: str, **environment: str) -> Iterator["Popen[str]"]:
    """A running `agentic up` without its page, that is killed in the end if it is still there."""
    with started(home, "--group", "deployments", "--no-demo", *options, **environment) as (process, _):
        yield process


async def asked_for(
    database: Database, owner: UUID, feeds: Sequence[str], *, text: str = HOURLY, market: bool = True
) -> list[UUID]:
    """Ask for a deployment on each of these feeds, all of one Skill."""
    if market:
        await keep_market(database)
    version = await version_of(database, owner, text)
    return [await deploy(database, owner, version, feed, seed=number) for number, feed in enumerate(feeds, 1)]


async def version_of(database: Database, owner: UUID, text: str = HOURLY) -> VersionRow:
    """Keep a Skill."""
    saved = await skills.save(database, owner, text)
    return await skills.find(database, owner, f"{saved.name}@{saved.version}")


async def faults_of(admin: Connection, deployments: Sequence[UUID], *, at_rest: bool = False) -> list[str]:
    """All that is wrong in the accounts of these deployments: a line for each fault."""
    found = []
    for deployment_id in deployments:
        row = await load_deployment(admin, deployment_id)
        assert row is not None
        found += await audit_account(admin, row.account_id, CAPS, ("BTC",), at_rest=at_rest)
        found += await _doubled(admin, row.account_id)
    return found


async def _doubled(admin: Connection, account_id: UUID) -> list[str]:
    """Ticks that were decided twice, orders that were sent twice, and intents that no decision is kept for."""
    decided = await thoughts(admin, account_id)
    ticks = Counter(one.tick_ts for one in decided)
    intents = [one for one in await load_entries(admin, account_id) if isinstance(one, IntentRecorded)]
    sent = Counter(order.client_id for intent in intents for order in intent.orders)
    unknown = {intent.decision_id for intent in intents} - {one.id for one in decided}
    return [
        *(f"the tick of {ts} was decided {count} times" for ts, count in ticks.items() if count > 1),
        *(f"order {client} was sent {count} times" for client, count in sent.items() if count > 1),
        *(f"there is an intent of {decision} and no decision" for decision in unknown),
    ]


async def entries_in_all(admin: Connection) -> int:
    """How many entries all journals have together."""
    count: int = await admin.fetchval("select count(*) from journal_entries")
    return count


async def until_written(admin: Connection, more: int) -> None:
    """Wait until the journals have so many entries more than now."""
    wanted = await entries_in_all(admin) + more

    async def are_there() -> bool:
        return await entries_in_all(admin) >= wanted

    await until(are_there)


async def statuses(admin: Connection) -> Counter[str]:
    """How many deployments are in each status."""
    rows = await admin.fetch("select status, count(*) from deployments group by status")
    return Counter({row["status"]: row["count"] for row in rows})
