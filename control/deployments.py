"""Deployments as a person works with them: ask for one, find it, see how it stands, read its log."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from agent.outside import NotApproved, NotForSimulations, Outside, pins_of
from agent.provider import Provider
from control.checks import check_cash, check_model, check_seed
from control.errors import Invalid, NotFound
from control.skills import find as find_version
from control.skills import skill_of
from db import deployments as store
from db.accounts import create_account
from db.agent_logs import KeptLog, tail_logs
from db.agent_state import StateRow, load_states
from db.connection import Connection
from db.deployments import DeploymentRow
from db.figures import AccountFigures, account_figures
from db.heartbeats import live_heartbeats
from db.mcp_tools import approved_tools
from db.pool import Database
from db.skills import VersionRow
from domain.caps import Caps
from domain.feeds import FeedSpec, parse_feed
from domain.ids import uuid7
from domain.money import plain
from simulator.coverage import check_market
from simulator.spec import DEFAULT_CASH, RunSpec, SimulationError, from_config, to_config
from skills.skill import Skill

MOST_OPEN = 1_000
"""How many deployments of one person may be open at once."""

MOST_LISTED = 200

GROUP = "deployment"
"""`deployments` is the group of `agentic up` that carries all out, `deployment:ID` is one alone."""

Mode = Literal["paper", "testnet", "mainnet"]


class DeployRequest(msgspec.Struct, frozen=True):
    """A deployment that is asked for. `cash` is what a paper account begins with, in USD."""

    feed: FeedSpec
    mode: Mode = "paper"
    cash: Decimal = DEFAULT_CASH
    seed: int = 0
    costs: Literal["default", "none"] = "default"


class DeploymentLine(msgspec.Struct, frozen=True):
    """One deployment, with where it stood when it was last heard of; None before anything was."""

    row: DeploymentRow
    state: StateRow | None


async def deploy(
    database: Database,
    user_id: UUID,
    version: VersionRow,
    request: DeployRequest,
    platform: Caps,
    provider: Provider,
) -> UUID:
    """Keep a deployment, with an account of its own, for whoever runs deployments to carry out.

    Raises Invalid, in one line, for one that can't be; nothing is kept then.
    """
    skill = skill_of(version)
    _check_mode(request)
    check_cash(request.cash)
    check_seed(request.seed)
    check_model(skill, provider, needs_key=True)
    spec = _spec(request, platform)
    async with database.as_user(user_id) as connection:
        await _check_tools(connection, user_id, skill, request.feed)
        if request.feed.is_replay:
            await _check_history(connection, skill, spec)
        await _check_room(connection)
        account_id = uuid7()
        await create_account(connection, user_id, account_id, request.mode, spec.cash)
        return await store.create_deployment(
            connection,
            user_id,
            skill_version_id=version.id,
            account_id=account_id,
            mode=request.mode,
            feed=str(request.feed),
            config=to_config(spec),
        )


async def find(database: Database, user_id: UUID, reference: str) -> DeploymentRow:
    """Give the deployment of this id, or of the only one whose id ends like this; `last` is the newest.

    A Skill's name stands for the only open deployment of it; where none is open, for its newest. Raises NotFound, or
    Invalid where several fit.
    """
    async with database.as_user(user_id) as connection:
        row = await _find(connection, reference)
    if row is None:
        raise NotFound(
            f"there is no deployment {reference}; `agentic deployments --all` shows those there are"
        )
    return row


async def listed(
    database: Database, user_id: UUID, *, limit: int = 50, only_open: bool = True, before: UUID | None = None
) -> list[DeploymentLine]:
    """Give a person's deployments, newest first, with where each stands: those that are open or still hold, or all.

    Raises Invalid for a limit out of bounds.
    """
    if not 1 <= limit <= MOST_LISTED:
        raise Invalid(f"limit is {limit}; it must be from 1 to {MOST_LISTED}")
    async with database.as_user(user_id) as connection:
        rows = await store.list_deployments(
            connection, limit=limit, only_open=only_open, or_holding=True, before=before
        )
        states = await load_states(connection, [row.id for row in rows])
    return [DeploymentLine(row, states.get(row.id)) for row in rows]


async def load(database: Database, user_id: UUID, deployment_id: UUID) -> DeploymentRow:
    """Give one deployment of a person's. Raises NotFound."""
    async with database.as_user(user_id) as connection:
        row = await store.load_deployment(connection, deployment_id)
    if row is None:
        raise NotFound(f"there is no deployment {deployment_id}; see `agentic deployments --all`")
    return row


async def seen(
    database: Database, user_id: UUID, deployment_id: UUID
) -> tuple[DeploymentLine, AccountFigures]:
    """Give one deployment, where it stands, and what its account came to so far. Raises NotFound."""
    row = await load(database, user_id, deployment_id)
    async with database.as_user(user_id) as connection:
        states = await load_states(connection, [deployment_id])
        figures = await account_figures(connection, row.account_id)
    return DeploymentLine(row, states.get(row.id)), figures


async def state(database: Database, user_id: UUID, deployment_id: UUID) -> StateRow | None:
    """Where a deployment stood when it was last heard of."""
    async with database.as_user(user_id) as connection:
        return (await load_states(connection, [deployment_id])).get(deployment_id)


async def logs(
    database: Database, user_id: UUID, deployment_id: UUID, *, after_id: int | None = None, limit: int = 200
) -> list[KeptLog]:
    """The newest lines of a deployment's log, oldest first; those after one, where it is named."""
    async with database.as_user(user_id) as connection:
        return await tail_logs(connection, deployment_id, after_id=after_id, limit=limit)


async def successor(
    database: Database, user_id: UUID, row: DeploymentRow, version: str, provider: Provider
) -> VersionRow:
    """Find the version that a deployment shall be upgraded to: "3", or "NAME@3".

    Raises NotFound for one that is not there, and Invalid for one that needs another market than its own.
    """
    found = await find_version(
        database, user_id, f"{row.skill_name}@{version}" if version.isdigit() else version
    )
    if found.name != row.skill_name:
        raise Invalid(f"{version} is a version of another Skill; this deployment is of {row.skill_name}")
    if found.number == row.skill_number:
        raise Invalid(f"it is at {found.name}@{found.number} already")
    before = await find_version(database, user_id, f"{row.skill_name}@{row.skill_number}")
    old, new = skill_of(before), skill_of(found)
    feed = parse_feed(row.feed)
    if (old.market.symbols, old.market.interval) != (new.market.symbols, new.market.interval):
        raise Invalid(
            f"{found.name}@{found.number} trades {', '.join(new.market.symbols)} on {new.market.interval} bars, not "
            f"{', '.join(old.market.symbols)} on {old.market.interval}; deploy it by itself"
        )
    check_model(new, provider, needs_key=True)
    async with database.as_user(user_id) as connection:
        await _check_tools(connection, user_id, new, feed)
        if feed.is_replay:
            await _check_history(connection, new, spec_of(row))
    return found


def spec_of(row: DeploymentRow) -> RunSpec:
    """What a simulation of the same would be asked for."""
    feed = parse_feed(row.feed)
    return msgspec.structs.replace(from_config(row.config), from_ts=feed.from_ts, to_ts=feed.to_ts)


def group_of(deployment_id: UUID) -> str:
    """How a process that carries out this deployment alone shows itself."""
    return f"{GROUP}:{deployment_id}"


async def is_anybody_running(database: Database, deployment_id: UUID | None = None) -> bool:
    """Whether a process gives signs of life that carries deployments out: any, or this one at least."""
    groups = {f"{GROUP}s"} if deployment_id is None else {f"{GROUP}s", group_of(deployment_id)}
    async with database.as_worker() as connection:
        return any(groups & set(beat.groups) for beat in await live_heartbeats(connection))


def _spec(request: DeployRequest, platform: Caps) -> RunSpec:
    """What a simulation of the same would be asked for: so that one can be held beside it."""
    return RunSpec(
        from_ts=request.feed.from_ts,
        to_ts=request.feed.to_ts,
        cash=Decimal(plain(request.cash)),
        costs=request.costs,
        seed=request.seed,
        platform=platform,
    )


def _check_mode(request: DeployRequest) -> None:
    if request.mode != "paper":
        raise Invalid(f"paper first; {request.mode} is not here yet: use --mode paper")
    if request.feed.kind == "live":
        raise Invalid(
            "live prices are not here yet; rehearse on history with --feed replay:FROM..TO@max, or on prices that are "
            "made up as time passes with --feed synthetic"
        )


async def _check_tools(connection: Connection, user_id: UUID, skill: Skill, feed: FeedSpec) -> None:
    """See that its MCP tools are approved, and, on history, that they can say what they knew then."""
    if not skill.mcp:
        return
    try:
        pins = pins_of(skill.tools, await approved_tools(connection, user_id))
        Outside(pins, None, None, "live", is_replayed_history=feed.is_replay)
    except (NotApproved, NotForSimulations) as error:
        raise Invalid(str(error)) from error


async def _check_history(connection: Connection, skill: Skill, spec: RunSpec) -> None:
    """See that there is history to replay."""
    try:
        await check_market(connection, skill, spec)
    except (SimulationError, ValueError) as error:
        raise Invalid(str(error).replace("--from", "FROM").replace("--to", "TO")) from error


async def _check_room(connection: Connection) -> None:
    if len(await store.list_deployments(connection, limit=MOST_OPEN, only_open=True)) >= MOST_OPEN:
        raise Invalid(f"{MOST_OPEN:,} deployments are open, which is the most; stop one first")


async def _find(connection: Connection, reference: str) -> DeploymentRow | None:
    if reference == "last":
        newest = await store.list_deployments(connection, limit=1)
        return newest[0] if newest else None
    found = await store.find_deployments(connection, reference)
    if len(found) > 1:
        raise Invalid(f"{len(found)} deployments end in {reference}; write more of the id")
    if found:
        return await store.load_deployment(connection, found[0])
    return await _of_skill(connection, reference)


async def _of_skill(connection: Connection, name: str) -> DeploymentRow | None:
    """The deployment that a Skill's name stands for."""
    opened = await store.list_deployments(connection, limit=MOST_OPEN, only_open=True)
    fitting = [row for row in opened if row.skill_name == name]
    if len(fitting) > 1:
        ids = ", ".join(str(row.id)[-8:] for row in fitting[:5])
        raise Invalid(f"{len(fitting)} deployments of {name} are open; name one by its id: {ids}")
    if not fitting:
        newest = await store.list_deployments(connection, limit=MOST_LISTED)
        fitting = [row for row in newest if row.skill_name == name][:1]
    return fitting[0] if fitting else None
