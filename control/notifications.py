"""What a person was told, or was to be told, and whether telling them works."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec

from actors.notices.outside import Messenger, ReceiverError, receivers_of
from control.errors import Invalid
from db import notifications as store
from db.notifications import NotificationRow
from db.pool import Database
from domain.notices import Severity
from domain.time import iso

MOST = 1_000
STATES = ("queued", "sent", "failed", "suppressed")


class Tried(msgspec.Struct, frozen=True):
    """A receiver that was sent a test. `problem` is None when it took the message."""

    receiver: str
    problem: str | None


async def list_notifications(
    database: Database, user_id: UUID, *, most: int, state: str | None = None
) -> list[NotificationRow]:
    """Give a person's notifications, the newest first, of one state or of all. Raises Invalid."""
    if not 1 <= most <= MOST:
        raise Invalid(f"{most} notifications can't be listed; ask for 1 to {MOST}")
    if state is not None and state not in STATES:
        raise Invalid(f"{state!r} is no state of a notification; there are {', '.join(STATES)}")
    async with database.as_user(user_id) as connection:
        return await store.list_notifications(connection, most=most, state=state)


async def send_test(urls: Sequence[str], now_ms: int) -> list[Tried]:
    """Send a test to every receiver, once, without rationing. Raises Invalid when there is none, or a URL is wrong."""
    if not urls:
        raise Invalid("there is nobody to send to; set AGENTIC_NOTIFY_URLS, see docs/notifications.md")
    try:
        messenger = Messenger(await asyncio.to_thread(receivers_of, urls))
    except ReceiverError as error:
        raise Invalid(str(error)) from None
    body = f"What happens to deployments is told here.\n{iso(now_ms // 1000 * 1000)}"
    problems = await messenger.send("A test of Agentic Trading", body, Severity.INFO)
    return [Tried(name, problem or None) for name, problem in problems.items()]
