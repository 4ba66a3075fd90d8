"""Trading accounts: what is kept of each, and the lease by which one process at a time owns it.

A lease is measured by the database's clock. Taking one gives a *fence*, higher than every one before it; what is
written for the account names the fence, and is refused when the account has a newer owner. So an owner that was
paused for minutes can't write a thing, however sure it is of itself.
"""

from decimal import Decimal
from uuid import UUID

import msgspec

from db.connection import Connection
from db.errors import DatabaseError
from db.pool import Database

LEASE_S = 30.0
"""How long a lease lasts. It is renewed at a third of that; its holder stops a little before its end."""


class LeaseLost(DatabaseError):
    """The account belongs to another process now: nothing was written, and nothing may be sent."""


class AccountRow(msgspec.Struct, frozen=True):
    """An account as it was kept. `engine` and `venue` are None before anything happened in it.

    `heard` is how many of the venue's events the journal has, `last_seq` the number of its last entry.
    """

    id: UUID
    user_id: UUID
    mode: str
    start_usd: Decimal
    engine: bytes | None
    last_seq: int
    heard: int
    fence: int
    venue: bytes | None


async def create_account(
    connection: Connection, user_id: UUID, account_id: UUID, mode: str, start_usd: Decimal
) -> None:
    """Open an account, as its person. A paper account gets its place at the paper venue."""
    await connection.execute(
        "insert into trading_accounts (id, user_id, mode, start_usd) values ($1, $2, $3, $4)",
        account_id,
        user_id,
        mode,
        start_usd,
    )
    if mode == "paper":
        await connection.execute(
            "insert into paper_venues (account_id, user_id) values ($1, $2)", account_id, user_id
        )


async def load_account(connection: Connection, account_id: UUID) -> AccountRow | None:
    """Give an account, or None where there is none to be seen."""
    row = await connection.fetchrow(
        "select a.id, a.user_id, a.mode, a.start_usd, a.engine, a.last_seq, a.heard, a.fence, v.state"
        " from trading_accounts a left join paper_venues v on v.account_id = a.id where a.id = $1",
        account_id,
    )
    return row and AccountRow(*row)


_TAKE_SQL = """
insert into account_leases (account_id, user_id, owner, fence, expires_at)
select id, user_id, $2, fence + 1, clock_timestamp() + make_interval(secs => $3) from trading_accounts where id = $1
on conflict (account_id) do update set owner = excluded.owner, expires_at = excluded.expires_at,
  fence = excluded.fence
where account_leases.owner = excluded.owner or account_leases.expires_at < clock_timestamp()
returning fence
"""


async def take_lease(
    connection: Connection, account_id: UUID, owner: str, *, lease_s: float = LEASE_S
) -> int | None:
    """Become an account's owner, and give the new fence; None while another process owns it.

    `owner` is new with every start of a process. Taking it again, as its owner, shuts out what the owner had begun
    before.
    """
    await connection.fetchval("select fence from trading_accounts where id = $1 for update", account_id)
    fence: int | None = await connection.fetchval(_TAKE_SQL, account_id, owner, lease_s)
    if fence is not None:
        await connection.execute("update trading_accounts set fence = $2 where id = $1", account_id, fence)
        await connection.execute(
            "update paper_venues set fence = $2 where account_id = $1", account_id, fence
        )
    return fence


async def renew_leases(connection: Connection, owner: str, *, lease_s: float = LEASE_S) -> list[UUID]:
    """Prolong all leases of a process at once, and give the accounts it still owns."""
    rows = await connection.fetch(
        "update account_leases set expires_at = clock_timestamp() + make_interval(secs => $2)"
        " where owner = $1 and expires_at > clock_timestamp() returning account_id",
        owner,
        lease_s,
    )
    return [row["account_id"] for row in rows]


async def give_up_lease(connection: Connection, account_id: UUID, owner: str) -> None:
    """Let go of an account, so that another process need not wait for the lease to end."""
    await connection.execute(
        "delete from account_leases where account_id = $1 and owner = $2", account_id, owner
    )


async def lease_owners(connection: Connection) -> list[str]:
    """Who owns accounts now: every process that has a lease which has not ended."""
    rows = await connection.fetch(
        "select distinct owner from account_leases where expires_at > clock_timestamp()"
    )
    return [row["owner"] for row in rows]


async def end_leases(connection: Connection, owner: str) -> int:
    """End all leases of a process that is known to be gone, and tell how many there were."""
    rows = await connection.fetch("delete from account_leases where owner = $1 returning account_id", owner)
    return len(rows)


async def lease_owner(connection: Connection, account_id: UUID) -> str | None:
    """Who owns an account now, or None."""
    owner: str | None = await connection.fetchval(
        "select owner from account_leases where account_id = $1 and expires_at > clock_timestamp()",
        account_id,
    )
    return owner


async def save_venue(connection: Connection, account_id: UUID, fence: int, state: bytes) -> None:
    """Keep the state of an account's paper venue. Raises LeaseLost when the account has another owner."""
    saved = await connection.fetchval(
        "update paper_venues set state = $3, saved_at = clock_timestamp()"
        " where account_id = $1 and fence = $2 returning account_id",
        account_id,
        fence,
        state,
    )
    if saved is None:
        raise LeaseLost(f"account {account_id} belongs to another process now")


class PaperStore:
    """Where the paper venue keeps one account's state, for as long as the fence is the newest."""

    def __init__(self, database: Database, account_id: UUID, fence: int) -> None:
        self._database = database
        self._account_id = account_id
        self._fence = fence

    async def save(self, state: bytes) -> None:
        """Keep the state; it outlives a killed process at once, and the machine with the journal's next commit.

        Raises LeaseLost when the account has another owner, and a DatabaseError when it can't be kept.
        """
        async with self._database.as_worker(waits=False) as connection:
            await save_venue(connection, self._account_id, self._fence, state)
