"""What people are to be told, and what became of telling them.

A notification is kept once for each key of its person, by the worker, in a transaction of its own or together with
what it tells of. The notifier *claims* what waits, which puts it off until the claim ends: should the notifier die, it
is claimed again, so a message is sent at least once, and twice only where the end came between sending and `settle`.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from db.connection import Connection
from domain.ids import uuid7

CHANNEL = "agentic_notifications"
"""What is notified on when something should leave at once; the rest is found by looking every few seconds."""

MOST_READ = 1000


class NewNotification(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell: a title and a body of plain text, clean already. `deployment` is a name, `key` says once.

    `unsent` says why it is kept to be read and is never sent; empty where it is sent.
    """

    user_id: UUID
    deployment_id: UUID | None
    key: str
    kind: str
    severity: str
    deployment: str
    title: str
    body: str
    unsent: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """A notification that waits to be sent; `seq` is the order in which they were told.

    `message` is None until it was part of one; `delivered` are the receivers who have that.
    """

    id: UUID
    user_id: UUID
    seq: int
    kind: str
    severity: str
    deployment: str
    title: str
    body: str
    created_ts: int
    attempts: int
    message: UUID | None
    delivered: list[str]


class NotificationRow(msgspec.Struct, frozen=True):
    """A notification as its person sees it. `error` says why it is not sent, or who does not have it."""

    id: UUID
    deployment_id: UUID | None
    kind: str
    severity: str
    deployment: str
    title: str
    body: str
    created_ts: int
    state: str
    attempts: int
    delivered: list[str]
    sent_ts: int | None
    error: str | None


class Rationed(msgspec.Struct, frozen=True):
    """A message that was made out: for whom, of which kind, how grave, and when."""

    user_id: UUID
    kind: str
    severity: str
    ts: int


_KEEP_SQL = """
insert into notifications (id, user_id, deployment_id, key, kind, severity, deployment, title, body, created_at,
  next_try_at, state, error)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10,
  case when $11::text is null then 'queued' else 'suppressed' end, $11) on conflict (user_id, key) do nothing
"""


async def keep_notification(
    connection: Connection, new: NewNotification, now_ms: int, *, wake: bool = False
) -> bool:
    """Keep something to tell, as the worker. False where its key is there already, which changes nothing.

    With `wake` the notifier is woken. That has its price: a commit that wakes waits for every other that does.
    """
    done = await connection.execute(
        _KEEP_SQL,
        uuid7(now_ms),
        new.user_id,
        new.deployment_id,
        new.key,
        new.kind,
        new.severity,
        new.deployment,
        new.title,
        new.body,
        now_ms,
        new.unsent or None,
    )
    is_new = str(done) == "INSERT 0 1"
    if is_new and wake:
        await connection.execute(f"select pg_notify('{CHANNEL}', '')")
    return is_new


async def waiting(connection: Connection, now_ms: int, *, most: int = MOST_READ) -> list[Waiting]:
    """Give what is due, in the order in which it was told."""
    rows = await connection.fetch(
        "select id, user_id, seq, kind, severity, deployment, title, body, created_at, attempts, message, delivered"
        " from notifications where state = 'queued' and next_try_at <= $1 order by next_try_at, seq limit $2",
        now_ms,
        most,
    )
    return sorted((Waiting(*row) for row in rows), key=lambda row: row.seq)


_CLAIM_SQL = """
with mine as (
  select id from notifications
  where id = any ($1) and state = 'queued' and attempts = $3 - 1 and next_try_at <= $4
  for update skip locked)
update notifications n set message = $2, attempts = $3, next_try_at = $5 from mine where n.id = mine.id returning n.id
"""


async def claim(
    connection: Connection, ids: Sequence[UUID], message: UUID, *, attempt: int, now_ms: int, until_ms: int
) -> set[UUID]:
    """Make these one message, for its `attempt`-th try from 1. Nobody else takes them before `until_ms`.

    Gives those that were still to be had; what another notifier has taken is not among them.
    """
    rows = await connection.fetch(_CLAIM_SQL, ids, message, attempt, now_ms, until_ms)
    return {row["id"] for row in rows}


async def put_off(connection: Connection, ids: Sequence[UUID], until_ms: int) -> None:
    """Let these wait."""
    await connection.execute("update notifications set next_try_at = $2 where id = any ($1)", ids, until_ms)


async def suppress(connection: Connection, ids: Sequence[UUID], reason: str) -> None:
    """Say that these are not sent to anybody, and why."""
    await connection.execute(
        "update notifications set state = 'suppressed', error = $2 where id = any ($1) and state = 'queued'",
        ids,
        reason,
    )


_SETTLE_SQL = """
update notifications set state = $3, delivered = $4, error = $5, next_try_at = coalesce($6, next_try_at),
  sent_at = case when $3 = 'sent' then $7::timestamptz end
where message = $1 and attempts = $2 and state = 'queued'
"""


async def settle(
    connection: Connection,
    message: UUID,
    attempt: int,
    state: str,
    delivered: Sequence[str],
    now_ms: int,
    *,
    error: str | None = None,
    again_ms: int | None = None,
) -> bool:
    """Say what came of a try: sent, failed for good, or queued for another at `again_ms`.

    False where the claim had ended and somebody else has tried since: then nothing is changed.
    """
    done = await connection.execute(
        _SETTLE_SQL, message, attempt, state, list(delivered), error, again_ms, now_ms
    )
    return str(done) != "UPDATE 0"


async def messages_since(connection: Connection, since_ms: int) -> list[Rationed]:
    """Give the messages that were made since an instant, in order, as the worker: the ration they were taken from."""
    rows = await connection.fetch(
        "select distinct on (message) user_id, kind, severity, message from notifications"
        " where message >= $1 order by message",
        uuid7(since_ms, bytes(10)),
    )
    return [Rationed(row["user_id"], row["kind"], row["severity"], row["message"].int >> 80) for row in rows]


async def list_notifications(
    connection: Connection, *, most: int, state: str | None = None
) -> list[NotificationRow]:
    """Give a person's notifications, the newest first."""
    rows = await connection.fetch(
        "select id, deployment_id, kind, severity, deployment, title, body, created_at, state, attempts, delivered,"
        " sent_at, error from notifications where $2::text is null or state = $2 order by seq desc limit $1",
        most,
        state,
    )
    return [NotificationRow(*row) for row in rows]


async def count_failed(connection: Connection, since_ms: int) -> int:
    """Count a person's notifications that were told since an instant and did not reach everybody."""
    found: int = await connection.fetchval(
        "select count(*) from notifications where state = 'failed' and created_at >= $1", since_ms
    )
    return found
