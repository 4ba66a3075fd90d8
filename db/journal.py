"""The journal of a live account: an entry is a row, and `commit` returns when the rows are safe."""

from uuid import UUID

import msgspec

from db.pool import Database
from db.records import JournalRow, load_rows, write_rows
from domain.journal import Entry

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Entry).decode


class CommittedJournal:
    """Appends to an account's `journal_entries` through the worker's role."""

    def __init__(self, database: Database, user_id: UUID, account_id: UUID, last_seq: int = 0) -> None:
        self._database = database
        self._user_id = user_id
        self._account_id = account_id
        self._seq = last_seq
        self._waiting: list[JournalRow] = []

    @classmethod
    async def open(
        cls, database: Database, user_id: UUID, account_id: UUID
    ) -> tuple["CommittedJournal", list[Entry]]:
        """Open an account's journal at its end, with all that is in it: the account's state is their fold."""
        async with database.as_worker() as connection:
            rows = await load_rows(connection, JournalRow, account_id)
        entries = [_decode(msgspec.json.encode(row.body)) for row in rows]
        last = rows[-1].seq if rows else 0
        return cls(database, user_id, account_id, last), entries

    def append(self, entry: Entry) -> None:
        self._seq += 1
        kind = str(entry.__struct_config__.tag)
        self._waiting.append(JournalRow(self._seq, entry.ts, kind, _encode(entry)))

    async def commit(self) -> None:
        """Write what was appended, whole. Raises a DatabaseError and keeps it all when that fails."""
        batch = list(self._waiting)
        if batch:
            async with self._database.as_worker() as connection:
                await write_rows(connection, self._user_id, self._account_id, batch)
            del self._waiting[: len(batch)]
