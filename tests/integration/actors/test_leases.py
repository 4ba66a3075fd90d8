"""What a process owns is free at once when it is known to be gone, and stays its own otherwise."""

import asyncio
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from actors.leases import AccountTaken, Leases
from db.accounts import create_account
from db.connection import Connection
from db.errors import DatabaseError
from db.pool import Database


@pytest.fixture
async def account(database: Database, owner: UUID) -> UUID:
    return await opened(database, owner)


async def opened(database: Database, owner: UUID) -> UUID:
    """A new account."""
    account_id = uuid4()
    async with database.as_user(owner) as connection:
        await create_account(connection, owner, account_id, "paper", Decimal(10_000))
    return account_id


def leases(database: Database, owner: str, *gone: str) -> Leases:
    return Leases(database, owner, lambda: 0.0, is_gone=lambda name: name in gone)


async def test_the_accounts_of_a_process_that_was_killed_are_free_at_once(
    database: Database, account: UUID
) -> None:
    """Whoever comes next need not wait for its lease to end, and gets a higher fence."""
    first, second = leases(database, "killed"), leases(database, "next", "killed")
    fence = await first.take(account)
    await second.end_those_of_the_gone()
    assert await second.take(account) == fence + 1


async def test_the_accounts_of_a_process_that_lives_stay_its_own(database: Database, account: UUID) -> None:
    """Also where others are gone, and where it asks about itself."""
    first, second = leases(database, "lives", "lives"), leases(database, "next", "killed")
    await first.take(account)
    await first.end_those_of_the_gone()
    await second.end_those_of_the_gone()
    with pytest.raises(AccountTaken, match="owned by lives"):
        await second.take(account)


async def test_one_that_was_wrongly_taken_to_be_gone_can_write_nothing(
    database: Database, account: UUID
) -> None:
    """The fence is what holds, whoever is mistaken about whom."""
    first, second = leases(database, "lives"), leases(database, "next", "lives")
    await first.take(account)
    await second.end_those_of_the_gone()
    await second.take(account)
    await first.renew()
    with pytest.raises(DatabaseError):
        first.check(account)


async def test_an_account_that_is_taken_during_a_renewal_stays_ours(
    database: Database, admin: Connection, owner: UUID, account: UUID
) -> None:
    """The renewal has not seen it, and that is no reason to give it up."""
    ours, other = leases(database, "lives"), await opened(database, owner)
    await ours.take(account)
    async with admin.transaction():
        await admin.execute("select from account_leases where account_id = $1 for update", account)
        renewing = asyncio.create_task(ours.renew())
        while not await admin.fetchval("select count(*) from pg_locks where not granted"):
            await asyncio.sleep(0)
        await ours.take(other)
    await renewing
    ours.check(account)
    ours.check(other)
