"""A process's database in which every step of every transaction is a point at which something can go wrong.

What a process does that lasts, it does in a transaction: intents, what the venue keeps, decisions, commands, leases. So
whoever can strike before a transaction begins, before it is committed, and after it was committed and before the
answer came, can strike at every step there is.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any
from uuid import UUID

from db.connection import Connection
from db.errors import DiskFull, LostConnection, Unavailable
from db.pool import Database, Transaction

GONE = "this process was killed"


class Struck(Database):
    """The database as one process reaches it. `strike` is called at each point, with its number and its kind."""

    def __init__(self, real: Database) -> None:
        super().__init__(real._pool, None)
        self.points = 0
        self.intents = 0
        self.strike: Callable[[int, str], None] = lambda number, kind: None
        self.is_gone = False
        self.is_away = False
        self.is_full = False
        self.open = asyncio.Event()
        self.open.set()
        self.hangs = False
        self.busy = 0
        self.cut = asyncio.Event()

    def as_user(self, user_id: UUID) -> Transaction:
        return _Struck(self, super().as_user(user_id)._who)

    def as_worker(self, *, waits: bool = True) -> Transaction:
        return _Struck(self, super().as_worker(waits=waits)._who)

    def as_worker_once(self) -> Any:
        return self.as_worker()

    async def begin(self, who: str) -> Connection:
        await self.point("begin")
        return await super().begin(who)

    async def let_go(self) -> None:
        """Give back the connection that is kept in hand."""
        connection, self._in_hand = self._in_hand, None
        if connection is not None:
            await self._pool.release(connection)

    async def point(self, kind: str) -> None:
        """A point at which something may go wrong, or nothing go on for a while."""
        self._look()
        self.points += 1
        self.strike(self.points, kind)
        self._look()
        if self.hangs:
            self.hangs = False
            await self._wait(self.cut)
        if kind != "commit" and not self.open.is_set():
            await self._wait(self.open)
        self._look()
        if self.is_full and kind == "commit":
            raise DiskFull("the database's disk is full and nothing was written")

    async def _wait(self, event: asyncio.Event) -> None:
        self.busy -= 1
        try:
            await event.wait()
        finally:
            self.busy += 1

    def _look(self) -> None:
        if self.is_gone:
            raise Unavailable(GONE)
        if self.is_away:
            raise Unavailable("no database answers")

    def kill(self) -> None:
        """Nothing gets through any more, and nothing waits for ever."""
        self.is_gone = True
        self.cut.set()
        self.open.set()


class _Struck(Transaction):
    """A transaction with points before it is committed, and after."""

    __slots__ = ()

    _database: Struck

    async def __aenter__(self) -> Connection:
        self._database.busy += 1
        try:
            return await super().__aenter__()
        except BaseException:
            self._database.busy -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._finish(kind, error, trace)
        finally:
            self._database.busy -= 1

    async def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                await self._database.point("commit")
            except BaseException as struck:
                await super().__aexit__(type(struck), struck, struck.__traceback__)
                raise
        await super().__aexit__(kind, error, trace)
        if error is None:
            await self._database.point("answer")


def lost() -> LostConnection:
    """What a process sees whose connection is cut."""
    return LostConnection("the connection to the database was lost")
