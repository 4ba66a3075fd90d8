"""The housekeeper: once a day it has forgotten what has become old (db/retention.py)."""

import asyncio
import logging

from actors.kernel import Actor, Done, Failed, Message, Outcome, handles
from db.errors import DatabaseError
from db.pool import Database
from db.retention import Forgotten, forget_old
from domain.time import DAY_MS, MINUTE_MS

log = logging.getLogger(__name__)

FIRST_MS = 5 * MINUTE_MS
"""How long after its start it looks for the first time: a machine that is off every midnight has old rows, too."""


class Forget(Message["HousekeeperActor"], frozen=True):
    """It is time."""


class Forgot(Message["HousekeeperActor"], frozen=True):
    """What went, or why it did not."""

    outcome: Outcome[Forgotten]


class HousekeeperActor(Actor):
    """One for a process; with several on one database nothing is done twice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: asyncio.Task[Forgotten] | None = None

    async def started(self) -> None:
        self.after(FIRST_MS, Forget(), key="first")
        self.every(DAY_MS, Forget(), key="daily")

    @handles(Forget)
    async def forget(self, message: Forget) -> None:
        """Begin, unless it is under way."""
        if self._under_way is None:
            self._under_way = self.child(forget_old(self._database), then=Forgot)

    @handles(Forgot)
    async def forgot(self, message: Forgot) -> None:
        """A database that is out of reach is tried again the next day; any other error is a crash."""
        self._under_way = None
        match message.outcome:
            case Done(gone) if any(gone):
                log.info(
                    "forgot %d old log lines and %d old equity points", gone.log_lines, gone.equity_points
                )
            case Failed(DatabaseError() as error):
                log.warning("what is old could not be forgotten: %s", error)
            case Failed(error):
                raise error
