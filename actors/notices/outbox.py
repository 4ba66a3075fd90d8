"""The outbox: takes what is due, has it sent, and writes down what came of it.

A message is claimed first, in a transaction, and settled after: it reaches everybody at least once. It reaches somebody
twice only where the process ended, or the database was lost, between sending and settling, or where a receiver took it
and did not say so within the deadline. Who has it is not sent it again while the others are tried.
"""

import logging
from collections.abc import Callable
from uuid import UUID

import msgspec

from actors.notices.outside import DEADLINE_S, Messenger
from actors.notices.plan import MOST_TRIES, Outgoing, Plan, plan
from actors.notices.ration import Rations
from db.notifications import claim, messages_since, put_off, settle, suppress, waiting
from db.pool import Database
from domain.time import DAY_MS, MINUTE_MS, SECOND_MS

log = logging.getLogger(__name__)

CLAIM_MS = round(DEADLINE_S * 1000) + MINUTE_MS
"""How long a claim lasts: a message that nobody settled by then is tried again."""
FIRST_PAUSE_MS = 30 * SECOND_MS
LONGEST_PAUSE_MS = 30 * MINUTE_MS
MOST_ERROR = 500

NOBODY = "there is nobody to send it to; set AGENTIC_NOTIFY_URLS"
NOT_THE_OWNER = "only the owner of this installation is sent messages"
LOST = "the program ended each time while it was sending this"


def pause_ms(attempt: int) -> int:
    """How long to wait after a try that failed: 30 s, then twice as long each time, 30 min at most."""
    return min(FIRST_PAUSE_MS << (attempt - 1), LONGEST_PAUSE_MS)


class Outbox:
    """What waits in the database, and the messenger that takes it out. `owner` is whose the receivers are."""

    def __init__(
        self, database: Database, now_ms: Callable[[], int], messenger: Messenger, owner: UUID, per_hour: int
    ) -> None:
        self._database = database
        self._now_ms = now_ms
        self._messenger = messenger
        self._owner = owner
        self._rations = Rations(per_hour)
        self._is_closed = False

    async def recall(self) -> None:
        """Take from the rations what was sent before this process began, so that no restart makes them whole."""
        async with self._database.as_worker() as connection:
            made = await messages_since(connection, self._now_ms() - DAY_MS)
        self._rations.recall(((one.user_id, one.kind, one.severity), one.ts) for one in made)

    async def empty(self) -> None:
        """Send all that is due, the gravest first. Raises DatabaseError; what was not settled is tried again."""
        while not self._is_closed and await self._send_first(await self._planned()):
            pass

    def close(self) -> None:
        """Begin no other message."""
        self._is_closed = True

    async def _send_first(self, made: Plan) -> bool:
        """Send the first message that is still to be had. False where there is none."""
        for planned in made.messages:
            if message := await self._claimed(planned):
                await self._send(message)
                return True
        return False

    async def _planned(self) -> Plan:
        now_ms = self._now_ms()
        async with self._database.as_worker() as connection:
            made = plan(await waiting(connection, now_ms), now_ms, self._rations, self._unsent)
            for ids, until_ms in made.put_off:
                await put_off(connection, ids, until_ms)
            for reason, ids in made.suppressed.items():
                await suppress(connection, ids, reason)
            for lost in made.given_up:
                await settle(connection, lost.id, lost.attempt, "failed", lost.delivered, now_ms, error=LOST)
        return made

    def _unsent(self, user_id: UUID) -> str | None:
        if not self._messenger.names:
            return NOBODY
        return None if user_id == self._owner else NOT_THE_OWNER

    async def _send(self, message: Outgoing) -> None:
        if message.attempt == 1:
            self._rations.take(message.of, self._now_ms())
        text = message.text
        problems = await self._messenger.send(
            text.title, text.body, message.severity, without=message.delivered
        )
        delivered = [*message.delivered, *(name for name, problem in problems.items() if not problem)]
        failed = [f"{name}: {problem}" for name, problem in problems.items() if problem]
        await self._settle(message, delivered, "; ".join(failed)[:MOST_ERROR])

    async def _claimed(self, message: Outgoing) -> Outgoing | None:
        """The message with what is still to be had of it; None where another notifier has it all."""
        now_ms = self._now_ms()
        async with self._database.as_worker() as connection:
            got = await claim(
                connection,
                message.ids,
                message.id,
                attempt=message.attempt,
                now_ms=now_ms,
                until_ms=now_ms + CLAIM_MS,
            )
        rows = tuple(row for row in message.rows if row.id in got)
        return msgspec.structs.replace(message, rows=rows) if rows else None

    async def _settle(self, message: Outgoing, delivered: list[str], failed: str) -> None:
        now_ms, is_last = self._now_ms(), message.attempt >= MOST_TRIES
        state = "sent" if not failed else "failed" if is_last else "queued"
        again_ms = now_ms + pause_ms(message.attempt) if state == "queued" else None
        if failed:
            more = "it is not tried again" if is_last else "it is tried again"
            log.warning("a message (%s) was not sent to all: %s; %s", message.rows[0].kind, failed, more)
        async with self._database.as_worker() as connection:
            await settle(
                connection,
                message.id,
                message.attempt,
                state,
                delivered,
                now_ms,
                error=failed or None,
                again_ms=again_ms,
            )
