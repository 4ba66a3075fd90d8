"""The journal of a live account: what was committed is there after a restart, in order, and nothing else."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from db.connection import Connection
from db.errors import DatabaseError
from db.journal import CommittedJournal
from db.pool import Database
from domain.journal import DayOpened, Entry
from tests.integration.db.samples import T0


def day(number: int) -> Entry:
    """An entry that tells itself from others."""
    return DayOpened(T0 + number, Decimal("1000.10") + number)


async def reopened(database: Database, owner: UUID, account: UUID) -> list[Entry]:
    _, entries = await CommittedJournal.open(database, owner, account)
    return entries


async def test_what_was_committed_is_there_in_order(database: Database, owner: UUID) -> None:
    """Appending alone writes nothing; a reopened journal goes on at its end; other accounts have their own."""
    account = uuid4()
    journal, entries = await CommittedJournal.open(database, owner, account)
    assert entries == []
    await journal.commit()
    journal.append(day(0))
    journal.append(day(1))
    assert await reopened(database, owner, account) == []
    await journal.commit()
    await journal.commit()
    again, entries = await CommittedJournal.open(database, owner, account)
    assert entries == [day(0), day(1)]
    again.append(day(2))
    await again.commit()
    assert await reopened(database, owner, account) == [day(0), day(1), day(2)]
    assert await reopened(database, owner, uuid4()) == []


async def test_a_commit_that_failed_keeps_what_is_waiting(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """It is written, once, when the database takes it again."""
    account = uuid4()
    journal, _ = await CommittedJournal.open(database, owner, account)
    journal.append(day(0))
    await admin.execute("revoke insert on journal_entries from agentic_worker")
    with pytest.raises(DatabaseError):
        await journal.commit()
    await admin.execute("grant insert on journal_entries to agentic_worker")
    journal.append(day(1))
    await journal.commit()
    assert await reopened(database, owner, account) == [day(0), day(1)]


async def test_two_who_write_one_accounts_journal_find_out(database: Database, owner: UUID) -> None:
    """The second to commit is refused: an entry's number is taken, and the account's state is another's."""
    account = uuid4()
    one, _ = await CommittedJournal.open(database, owner, account)
    other, _ = await CommittedJournal.open(database, owner, account)
    one.append(day(0))
    other.append(day(1))
    await one.commit()
    with pytest.raises(DatabaseError, match="already"):
        await other.commit()
    assert await reopened(database, owner, account) == [day(0)]
