"""The journal of a live account: an entry is a row, and `commit` returns when the rows are safe.

With the entries go, in the same transaction, what they amount to (orders, fills, equity points) and the engine's state
after them, so that a restart need not read a year of entries. Every commit names the account's fence.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from db.accounts import AccountRow, LeaseLost, save_venue
from db.connection import Connection
from db.equity import PointRow, write_points
from db.pool import Database
from db.records import JournalRow, fill_row, load_rows, order_row, write_rows
from domain.events import OrderChanged
from domain.journal import Entry, IntentRecorded
from domain.orders import Fill, Order

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Entry).decode


class Beside(msgspec.Struct, frozen=True):
    """What a commit writes beside the entries.

    `state` gives the engine's state, `holds` whether the account has a position or an order, `heard` how many events of
    the venue the entries come from.

    What a venue of our own has told must be in its own memory when it is in the journal, and where it stands must not
    be ahead of what is kept with the entries. So its state, where `unsaved`, is written with them, and `saved` told;
    `save` has it kept by itself when there is nothing else. `then` is told how many of its events are safe now.
    """

    state: Callable[[], bytes]
    holds: Callable[[], bool]
    heard: Callable[[], int]
    save: Callable[[], Awaitable[None]]
    unsaved: Callable[[], bytes | None]
    saved: Callable[[], None]
    then: Callable[[int], None]


class CommittedJournal:
    """Appends to an account's journal through the worker's role, as the owner that `fence` names.

    While it `is_held` nothing is committed: what is appended then belongs to a step that is written whole.
    """

    def __init__(self, database: Database, account: AccountRow, fence: int) -> None:
        self._database = database
        self._account = account
        self._fence = fence
        self._seq = account.last_seq
        self._waiting: list[tuple[int, Entry]] = []
        self._points: list[tuple[int, Decimal]] = []
        self._beside: Beside | None = None
        self.is_held = False

    def go_with(self, beside: Beside) -> None:
        """Have every commit write this as well."""
        self._beside = beside

    @property
    def last_seq(self) -> int:
        """The number of the last entry that was appended."""
        return self._seq

    @property
    def is_dirty(self) -> bool:
        """Whether entries wait to be written."""
        return bool(self._waiting)

    def append(self, entry: Entry) -> None:
        self._seq += 1
        self._waiting.append((self._seq, entry))

    def point(self, ts: int, equity: Decimal) -> None:
        """Have an equity point written with the next commit."""
        self._points.append((ts, equity))

    async def commit(self) -> None:
        """Write what was appended, whole. Raises a DatabaseError and keeps it all when that fails.

        Raises LeaseLost when the account has another owner. Does nothing while it `is_held`.
        """
        if self.is_held:
            return
        if self._waiting or self._points:
            await self._write()
        elif self._beside is not None:
            await self._beside.save()

    async def _write(self) -> None:
        batch, points, beside = list(self._waiting), list(self._points), self._beside
        heard = self._account.heard if beside is None else beside.heard()
        stands = (heard, None, False) if beside is None else (heard, beside.state(), beside.holds())
        venue = None if beside is None else beside.unsaved()
        async with self._database.as_worker() as connection:
            if venue is not None:
                await save_venue(connection, self._account.id, self._fence, venue)
            await self._stand(connection, self._seq, *stands)
            await self._write_all(connection, batch)
            if points:
                rows = [PointRow(self._account.id, self._account.user_id, *point) for point in points]
                await write_points(connection, rows)
        del self._waiting[: len(batch)], self._points[: len(points)]
        if beside is not None:
            if venue is not None:
                beside.saved()
            beside.then(heard)

    async def _stand(
        self, connection: Connection, last: int, heard: int, state: bytes | None, holds: bool
    ) -> None:
        """Write where the account stands, and see in the same breath that it is still ours."""
        ours = await connection.fetchval(
            "update trading_accounts set last_seq = $3, heard = $4, engine = coalesce($5, engine), holds = $6"
            " where id = $1 and fence = $2 returning id",
            self._account.id,
            self._fence,
            last,
            heard,
            state,
            holds,
        )
        if ours is None:
            raise LeaseLost(f"account {self._account.id} belongs to another process now")

    async def _write_all(self, connection: Connection, batch: Sequence[tuple[int, Entry]]) -> None:
        user_id, account_id = self._account.user_id, self._account.id
        await write_rows(connection, user_id, account_id, [_journal_row(seq, entry) for seq, entry in batch])
        orders = {order.number: order for _, entry in batch for order in _orders_of(entry)}
        await write_rows(connection, user_id, account_id, [order_row(order) for order in orders.values()])
        fills = [fill_row(seq, entry) for seq, entry in batch if isinstance(entry, Fill)]
        await write_rows(connection, user_id, account_id, fills)


async def load_entries(connection: Connection, account_id: UUID, *, after: int | None = None) -> list[Entry]:
    """Read an account's entries back in order, those after a number where it is given."""
    rows = await load_rows(connection, JournalRow, account_id, after=after)
    return [_decode(msgspec.json.encode(row.body)) for row in rows]


class Tried(msgspec.Struct, frozen=True):
    """How often something was intended under a decision's name, and whether an order of it reached the venue."""

    times: int
    was_sent: bool


async def tried_before(
    connection: Connection, account_id: UUID, decision_id: str, *, never_sent: str
) -> Tried:
    """What became of a decision so far. `never_sent` is the reason of an order that recovery found was not sent."""
    times: int = await connection.fetchval(
        "select count(*) from journal_entries where account_id = $1 and kind = 'intent'"
        " and body->>'decision_id' = $2",
        account_id,
        decision_id,
    )
    was_sent: bool = await connection.fetchval(
        "select exists (select from orders where account_id = $1 and decision_id = $2"
        " and reason is distinct from $3)",
        account_id,
        decision_id,
        never_sent,
    )
    return Tried(times, was_sent)


_UNDECIDED_SQL = """
select j.decision, min(j.ts)
from (select body->>'decision_id' as decision, ts from journal_entries
      where account_id = $1 and kind = 'intent' order by seq desc limit $2) j
where not exists (select from decision_snapshots d where d.account_id = $1 and d.id = j.decision)
group by j.decision order by 2
"""


async def undecided_intents(
    connection: Connection, account_id: UUID, *, newest: int = 50
) -> list[tuple[str, int]]:
    """Of an account's newest intents, the decisions of which nothing is kept, each with its first intent's instant.

    They are halts and what people did by hand; and the ticks that were acting when their process ended.
    """
    return [(row[0], row[1]) for row in await connection.fetch(_UNDECIDED_SQL, account_id, newest)]


def _journal_row(seq: int, entry: Entry) -> JournalRow:
    return JournalRow(seq, entry.ts, str(entry.__struct_config__.tag), _encode(entry))


def _orders_of(entry: Entry) -> Sequence[Order]:
    if isinstance(entry, IntentRecorded):
        return entry.orders
    return (entry.order,) if isinstance(entry, OrderChanged) else ()
