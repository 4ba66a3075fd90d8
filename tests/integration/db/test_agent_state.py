"""What deployments show of themselves: the newest word of each, many written at once."""

import asyncio
from decimal import Decimal
from uuid import UUID, uuid4

import msgspec

from db.agent_state import StateRow, load_states, save_states
from db.connection import Connection
from db.pool import Database
from domain.deployments import Step
from tests.integration.db.deployed import move, new_deployment
from tests.integration.db.samples import T0


def state(deployment_id: UUID, user_id: UUID, beat_ts: int = T0) -> StateRow:
    """A state in which everything is said."""
    return StateRow(
        deployment_id=deployment_id,
        user_id=user_id,
        owner="host:1:abc",
        beat_ts=beat_ts,
        last_tick_ts=T0 - 2000,
        next_tick_ts=T0 + 1000,
        feed_ts=T0 - 1,
        equity=Decimal("10000.10"),
        positions={"BTC": {"size": "-0.10"}},
        counts={"ticks": 3, "skipped": 0},
        lateness_ms=1.25,
        restarts=2,
        last_error="it broke",
        stale=["BTC", "ETH"],
    )


async def save(database: Database, *states: StateRow) -> None:
    async with database.as_worker() as connection:
        await save_states(connection, states)


async def load(database: Database, *ids: UUID) -> dict[UUID, StateRow]:
    async with database.as_worker() as connection:
        return await load_states(connection, ids)


async def test_what_is_shown_is_what_was_saved_last(database: Database, owner: UUID) -> None:
    """Of many at once, with all that there is and with as little as there may be."""
    first, second, silent = [await new_deployment(database, owner) for _ in range(3)]
    bare = StateRow(second, owner, "o", T0, None, None, None, None, {}, {}, None, 0, None, [])
    await save(database)
    await save(database, state(first, owner), bare)
    assert await load(database, first, second, silent) == {first: state(first, owner), second: bare}
    later = msgspec.structs.replace(state(first, owner, T0 + 1), stale=[], equity=None, restarts=3)
    await save(database, later)
    assert await load(database, first, second) == {first: later, second: bare}
    assert await load(database) == {}


async def test_what_is_older_changes_nothing(database: Database, owner: UUID) -> None:
    """As when a process that was stopped for a while says its last word after its successor's first."""
    found = await new_deployment(database, owner)
    await save(database, state(found, owner))
    await save(database, msgspec.structs.replace(state(found, owner, T0 - 1), owner="stopped"))
    assert (await load(database, found))[found].owner == "host:1:abc"


async def test_a_clock_that_was_set_back_keeps_nobody_from_being_shown(
    database: Database, owner: UUID
) -> None:
    """What lies more than a minute before what is there was said after it."""
    found = await new_deployment(database, owner)
    await save(database, state(found, owner))
    await save(database, msgspec.structs.replace(state(found, owner, T0 - 60_001), owner="later"))
    assert (await load(database, found))[found].owner == "later"


async def test_one_that_there_is_not_keeps_no_other_from_being_saved(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Nor one said in the name of somebody else."""
    found, theirs = await new_deployment(database, owner), await new_deployment(database, other_user)
    nobodys = uuid4()
    await save(database, state(nobodys, owner), state(theirs, owner), state(found, owner))
    assert set(await load(database, found, theirs, nobodys)) == {found}


async def test_a_trouble_is_shown_however_it_is_worded(database: Database, owner: UUID) -> None:
    """What can't be stored is marked, what is too long is cut, and the others are saved with it."""
    odd, plain = [await new_deployment(database, owner) for _ in range(2)]
    said = msgspec.structs.replace(
        state(odd, owner),
        last_error="NUL \0 and half \ud800 " + "x" * 2000,
        positions={"a\0b": {1}},
        counts={"much": "x" * 100_000},
    )
    await save(database, said, state(plain, owner))
    found = await load(database, odd, plain)
    assert found[plain] == state(plain, owner)
    assert found[odd].last_error == ("NUL \ufffd and half ? " + "x" * 2000)[:1000]
    assert found[odd].positions == {"unreadable": "{'a\\x00b': {1}}"}
    assert list(found[odd].counts) == ["cut"]


async def test_two_that_save_the_same_at_once_take_one_order(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Whatever order they say it in, as when deployments change hands: so neither can lock the other out."""
    low, high = sorted([await new_deployment(database, owner) for _ in range(2)])
    await move(database, low, Step.STARTED)  # which leaves it behind the other in its table
    await save(database, state(low, owner), state(high, owner))
    free = "select deployment_id from agent_state order by 1 for update skip locked"
    async with database.as_worker() as connection:
        await save_states(connection, [state(high, owner)])
        other = asyncio.create_task(save(database, state(high, owner), state(low, owner)))
        async with asyncio.timeout(60):
            while await admin.fetchval(free) is not None:
                pass
    await other
    assert await admin.fetchval(free) == low


async def test_people_see_theirs(database: Database, owner: UUID, other_user: UUID) -> None:
    """And nobody else's."""
    mine, theirs = await new_deployment(database, owner), await new_deployment(database, other_user)
    await save(database, state(mine, owner), state(theirs, other_user))
    async with database.as_user(owner) as connection:
        assert set(await load_states(connection, [mine, theirs])) == {mine}
