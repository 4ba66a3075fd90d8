"""The journal of a live account: what was committed is there after a restart, in order, and nothing else."""

from decimal import Decimal
from uuid import UUID

import pytest

from db.accounts import LeaseLost, load_account
from db.connection import Connection
from db.errors import DatabaseError
from db.journal import Beside, CommittedJournal
from db.pool import Database
from domain.journal import DayOpened, Entry
from tests.integration.db.accounts import entries_of, new_account, open_journal
from tests.integration.db.samples import T0


def day(number: int) -> Entry:
    """An entry that tells itself from others."""
    return DayOpened(T0 + number, Decimal("1000.10") + number)


async def test_what_was_committed_is_there_in_order(database: Database, owner: UUID) -> None:
    """Appending alone writes nothing; a reopened journal goes on at its end; other accounts have their own."""
    account = await new_account(database, owner)
    journal = await open_journal(database, account)
    assert await entries_of(database, account) == []
    await journal.commit()
    journal.append(day(0))
    journal.append(day(1))
    assert await entries_of(database, account) == []
    await journal.commit()
    await journal.commit()
    again = await open_journal(database, account)
    assert await entries_of(database, account) == [day(0), day(1)]
    again.append(day(2))
    await again.commit()
    assert await entries_of(database, account) == [day(0), day(1), day(2)]
    assert await entries_of(database, await new_account(database, owner)) == []


async def test_a_commit_that_failed_keeps_what_is_waiting(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """It is written, once, when the database takes it again."""
    account = await new_account(database, owner)
    journal = await open_journal(database, account)
    journal.append(day(0))
    await admin.execute("revoke insert on journal_entries from agentic_worker")
    with pytest.raises(DatabaseError):
        await journal.commit()
    await admin.execute("grant insert on journal_entries to agentic_worker")
    journal.append(day(1))
    await journal.commit()
    assert await entries_of(database, account) == [day(0), day(1)]


async def test_whoever_took_an_account_shuts_its_former_owner_out(database: Database, owner: UUID) -> None:
    """However sure of itself it is: what it commits from then on is refused, and nothing of it is written."""
    account = await new_account(database, owner)
    former = await open_journal(database, account)
    former.append(day(0))
    await former.commit()
    newer = await open_journal(database, account)
    former.append(day(1))
    with pytest.raises(LeaseLost, match="another process"):
        await former.commit()
    newer.append(day(2))
    await newer.commit()
    assert await entries_of(database, account) == [day(0), day(2)]


async def test_while_it_is_held_nothing_is_committed(database: Database, owner: UUID) -> None:
    """And then all of it is, at once."""
    account = await new_account(database, owner)
    journal = await open_journal(database, account)
    journal.is_held = True
    journal.append(day(0))
    await journal.commit()
    assert await entries_of(database, account) == []
    journal.is_held = False
    journal.append(day(1))
    await journal.commit()
    assert await entries_of(database, account) == [day(0), day(1)]


class Venue:
    """What a venue of our own looks like to the journal."""

    def __init__(self, journal: CommittedJournal) -> None:
        self.state: bytes | None = b"before"
        journal.go_with(
            Beside(
                state=lambda: b"engine",
                holds=lambda: False,
                heard=lambda: 0,
                save=self._save,
                unsaved=lambda: self.state,
                saved=lambda: self.moved(None),
                then=lambda heard: None,
            )
        )

    async def _save(self) -> None:
        raise AssertionError("there are entries to be written with it")

    def moved(self, state: bytes | None) -> None:
        self.state = state


async def test_the_venue_is_never_ahead_of_what_is_kept_with_the_entries(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """A commit that comes to nothing leaves it where it was, and the next one takes it along."""
    account = await new_account(database, owner)
    journal = await open_journal(database, account)
    venue = Venue(journal)
    journal.append(day(0))
    await journal.commit()
    venue.moved(b"after")
    journal.point(T0, Decimal(10_000))
    await admin.execute("revoke insert on equity_points from agentic_worker")
    with pytest.raises(DatabaseError):
        await journal.commit()
    between = await load_account(admin, account)
    await admin.execute("grant insert on equity_points to agentic_worker")
    await journal.commit()
    after = await load_account(admin, account)

    assert between is not None
    assert after is not None
    assert (between.venue, after.venue) == (b"before", b"after")
    assert venue.state is None
    assert await admin.fetchval("select count(*) from equity_points") == 1
