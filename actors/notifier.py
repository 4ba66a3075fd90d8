"""The notifier: sends what people are to be told, beside everything else and in nobody's way."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from uuid import UUID

from actors.kernel import Actor, Failed, Message, Outcome, WhenFull, handles
from actors.notices.outbox import Outbox
from actors.notices.outside import Messenger, Receiver
from db.errors import DatabaseError
from db.pool import Database

log = logging.getLogger(__name__)

POLL_MS = 2_000
"""How often it looks by itself: what is grave wakes it, the rest may wait for so long."""
LAST_MESSAGE_S = 4.0
"""What the message under way is given to be settled in, when the notifier ends."""


class Look(Message["NotifierActor"], frozen=True):
    """There may be something to send."""

    when_full = WhenFull.KEEP_NEWEST


class Looked(Message["NotifierActor"], frozen=True):
    """What was due is sent, or could not be."""

    outcome: Outcome[None]


class NotifierActor(Actor):
    """Empties the outbox: one round at a time, as a child task, so that it always answers.

    `receivers` makes them, in a thread since that takes a second; a URL that can't be used is a crash at start, which
    `agentic ps` shows, while notices are kept. `owner` is the person whose receivers they are.
    """

    def __init__(
        self, database: Database, receivers: Callable[[], Sequence[Receiver]], owner: UUID, per_hour: int
    ) -> None:
        self._database = database
        self._make_receivers = receivers
        self._owner = owner
        self._per_hour = per_hour
        self._round: asyncio.Task[None] | None = None
        self._is_wanted = False

    async def started(self) -> None:
        """Make the receivers, remember what was sent lately, and look."""
        messenger = Messenger(await asyncio.to_thread(self._make_receivers))
        self._outbox = Outbox(self._database, self.time.now_ms, messenger, self._owner, self._per_hour)
        await self._outbox.recall()
        self.every(POLL_MS, Look())
        self._begin()

    async def stopping(self) -> None:
        """Let the message that is under way be settled, so that it is not sent again at the next start."""
        if self._round is not None:
            self._outbox.close()
            await asyncio.wait({self._round}, timeout=LAST_MESSAGE_S)

    @handles(Look)
    async def look(self, message: Look) -> None:
        """Begin a round, or another one after the one under way."""
        if self._round is None:
            self._begin()
        else:
            self._is_wanted = True

    @handles(Looked)
    async def looked(self, message: Looked) -> None:
        """A round is over. A database that is out of reach is waited for; any other error is a crash."""
        self._round = None
        if isinstance(message.outcome, Failed):
            error = message.outcome.error
            if not isinstance(error, DatabaseError):
                raise error
            log.warning("notifications wait: %s", error)
        elif self._is_wanted:
            self._begin()

    def _begin(self) -> None:
        self._is_wanted = False
        self._round = self.child(self._outbox.empty(), then=Looked)
