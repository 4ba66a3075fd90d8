"""An account of a test's own, and its journal as its owner would open it."""

from decimal import Decimal
from uuid import UUID, uuid4

from db.accounts import create_account, load_account, take_lease
from db.journal import CommittedJournal, load_entries
from db.pool import Database
from domain.journal import Entry


async def new_account(database: Database, owner: UUID, start_usd: Decimal = Decimal(10_000)) -> UUID:
    """Open a paper account of a person's."""
    account_id = uuid4()
    async with database.as_user(owner) as connection:
        await create_account(connection, owner, account_id, "paper", start_usd)
    return account_id


async def open_journal(database: Database, account_id: UUID, process: str = "p") -> CommittedJournal:
    """Take an account, as a process, and open its journal at its end."""
    async with database.as_worker() as connection:
        fence = await take_lease(connection, account_id, process)
        account = await load_account(connection, account_id)
    assert account is not None
    assert fence is not None
    return CommittedJournal(database, account, fence)


async def entries_of(database: Database, account_id: UUID) -> list[Entry]:
    """What is in an account's journal."""
    async with database.as_worker() as connection:
        return await load_entries(connection, account_id)
