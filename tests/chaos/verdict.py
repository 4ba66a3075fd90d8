"""What must hold after a life, whatever went wrong in it. A line for each fault."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence

import msgspec

from actors.settling import steps_to_follow
from db.accounts import load_account
from db.commands import load_command
from db.connection import Connection
from db.decisions import thoughts
from db.journal import load_entries
from domain.caps import LOOSEST, tightest
from domain.deployments import Status
from domain.ids import decision_id
from domain.journal import Entry, HaltChanged, HaltPhase, IntentRecorded
from domain.orders import Fill
from engine.engine import EngineState
from tests.audit.account import audit_account
from tests.chaos.world import One, World
from tests.integration.actors.fleet import row_of


async def faults_of(world: World, admin: Connection) -> list[str]:
    """All that is wrong. To be asked when nothing goes on any more."""
    found: list[str] = []
    for number, one in enumerate(world.deployments):
        found += [f"deployment {number}: {fault}" async for fault in _of_one(world, one, admin)]
    for command_id in world.sent:
        command = await load_command(admin, command_id)
        if command is None or not command.is_over:
            found.append(f"a command is not over: {command}")
    return found


async def counts_of(world: World, admin: Connection) -> Counter[str]:
    """How much happened, so that a life in which nothing did is seen as that."""
    counts = Counter(lives=1, processes=world.starts, commands=len(world.sent), points=world.points)
    for fault in world.plan.faults:
        counts[f"of {fault.kind.name}"] += 1
    for one in world.deployments:
        row = await row_of(world.real, one.id)
        counts[f"deployments {row.status}"] += 1
        entries = await load_entries(admin, row.account_id)
        for thought in await thoughts(admin, row.account_id):
            counts[f"decisions {thought.outcome}"] += 1
        counts["intents"] += sum(isinstance(entry, IntentRecorded) for entry in entries)
        counts["fills"] += sum(isinstance(entry, Fill) for entry in entries)
        latched = [e for e in entries if isinstance(e, HaltChanged) and e.phase is HaltPhase.FLATTENING]
        counts["latches"] += len(latched)
    return counts


async def _of_one(world: World, one: One, admin: Connection) -> AsyncIterator[str]:
    row = await row_of(world.real, one.id)
    caps = tightest(one.caps, LOOSEST)
    for fault in await audit_account(admin, row.account_id, caps, ("BTC",), at_rest=not row.status.is_over):
        yield fault
    entries = await load_entries(admin, row.account_id)
    async for fault in _ticks(world, one, admin, entries):
        yield fault
    account = await load_account(admin, row.account_id)
    assert account is not None
    if account.engine is None:
        yield f"it never began: {row.status}, {row.reason}"
        return
    watch = msgspec.msgpack.decode(account.engine, type=EngineState).watch
    if not row.status.is_over and steps_to_follow(row.status, watch.phase):
        yield f"it is {row.status} while its account is {watch.phase}"
    if row.status is Status.STOPPING:
        yield "it is stopping for ever"
    if row.status is Status.FAILED and not one.is_hit:
        yield f"it failed: {row.reason}"


async def _ticks(world: World, one: One, admin: Connection, entries: Sequence[Entry]) -> AsyncIterator[str]:
    """Every decision once, and no intent without one."""
    row = await row_of(world.real, one.id)
    decided = Counter(thought.tick_ts for thought in await thoughts(admin, row.account_id))
    for ts, count in decided.items():
        if count > 1:
            yield f"the tick of {ts} was decided {count} times"
    indices: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry, IntentRecorded):
            indices[entry.decision_id] += [order.client_id for order in entry.orders]
    known = {thought.id for thought in await thoughts(admin, row.account_id)}
    for entry in entries:
        if (
            isinstance(entry, IntentRecorded)
            and entry.decision_id == decision_id(str(row.account_id), entry.ts)
            and entry.decision_id not in known
        ):
            yield f"the tick of {entry.ts} left an intent and no decision"
            break
    for decision, clients in indices.items():
        if len(clients) != len(set(clients)):
            yield f"decision {decision} sent an order twice"
