"""The one pool of connections, and the two ways to use it: as a person, or as the program's worker.

The pool logs in as `agentic_app`, which may do nothing by itself. Every transaction first says as whom it
acts, and row security does the rest; the role ends with the transaction.

A model's call takes three transactions, and a deployment's tick is as fast as its commits. So what frames one is kept
to two messages: its beginning with the role, and its end with the reset of the connection, which the driver would send
each by itself. And one connection is kept in hand, as the driver's way to take and give one back is a quarter of what
a small transaction costs this process. For the same reason a transaction is a class and no generator.

A single statement of the worker's is a transaction by itself, and needs no frame. One connection is kept for those,
and is the worker's between them too: nobody else is given it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

import asyncpg

from db.connection import Connection, prepare_connection
from db.errors import DRIVER_ERRORS, LostConnection, Unavailable, translate

ACQUIRE_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
UNDO_S = 5.0

_RESET = "reset all"
"""What makes a connection as new: no transaction here sets or holds anything else that would outlast it."""

_WORKER = "role agentic_worker"

_FLUSHED = "select pg_logical_emit_message(true, 'agentic', '')"
"""Writes next to nothing, which is what it takes for a commit to wait for the disk."""


class Database:
    """A pool on one database. Everything above reaches the database through `as_user()` and `as_worker()`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", revive: Callable[[], None] | None) -> None:
        self._pool = pool
        self._revive = revive
        self._in_hand: Connection | None = None
        self._worker: Connection | None = None
        self._is_lent = False
        self._waiting = 0
        self._is_closing = False

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        user: str | None = None,
        password: str | None = None,
        max_size: int = 32,
        command_timeout_s: float = 60.0,
        revive: Callable[[], None] | None = None,
    ) -> Self:
        """Open the pool with one connection; `user` and `password` replace those of the DSN.

        `revive` is called (in a thread) when no server answers any more, before trying once again.
        Raises Unavailable when the database can't be reached or refuses the login.
        """
        pool = asyncpg.create_pool(
            dsn,
            user=user,
            password=password,
            min_size=0,  # with a floor the driver reconnects by itself, and logs each failure's traceback
            max_size=max_size,
            command_timeout=command_timeout_s,
            init=prepare_connection,
            reset=_is_reset,
        )
        try:
            await pool
            await pool.release(await pool.acquire())
        except (OSError, *DRIVER_ERRORS) as error:
            pool.terminate()
            raise translate(error) from error
        return cls(pool, revive)

    async def close(self) -> None:
        """Close the pool, waiting a little for what is still running."""
        self._is_closing = True
        kept = [self._in_hand, None if self._is_lent else self._worker]
        self._in_hand = self._worker = None
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                for connection in filter(None, kept):
                    await self._pool.release(connection)
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def as_user(self, user_id: UUID) -> "Transaction":
        """A transaction as a signed-in person, who sees and writes their own rows only."""
        claims = f'{{"sub": "{UUID(int=user_id.int)}", "role": "authenticated"}}'
        return Transaction(self, f"set local role authenticated; set local request.jwt.claims = '{claims}'")

    def as_worker(self, *, waits: bool = True) -> "Transaction":
        """A transaction as the program's worker, which may write what the migrations grant it by name.

        Unless it `waits`, its commit is not waited for to reach the disk. It gets there before the next one that is,
        or within a second; only a machine that stops before then loses it, and a process that is killed does not.
        """
        later = "" if waits else "; set local synchronous_commit = off"
        return Transaction(self, f"set local {_WORKER}{later}")

    def as_worker_once(self) -> "Statement":
        """A transaction of one statement as the worker, committed when that returns: a third sooner than another.

        A second statement in its block may be a transaction of its own.
        """
        return Statement(self, f"set local {_WORKER}")

    def as_worker_flushed(self) -> "Transaction":
        """A transaction as the worker that lets go of its locks first, and then waits for the disk.

        So those who wait for one another's locks wait for the disk together, and not in turn.
        """
        who = f"set local {_WORKER}; set local synchronous_commit = off"
        return Transaction(self, who, f"commit; {_RESET}; {_FLUSHED}")

    async def begin(self, who: str) -> Connection:
        """Begin a transaction; once again where the server was gone, as nothing had been done in it."""
        try:
            return await self._begin_once(who)
        except Unavailable as error:
            if self._revive is None and not isinstance(error, LostConnection):
                raise
        if self._revive is not None:
            await asyncio.to_thread(self._revive)
        return await self._begin_once(who)

    async def release(self, connection: Connection) -> None:
        """Give a connection back whose transaction is over. It stays in hand unless somebody waits for one."""
        wanted = self._in_hand is None and not self._waiting and not self._is_closing
        if wanted and not _is_lost(connection):
            self._in_hand = connection
        else:
            await self._pool.release(connection)

    async def borrow_worker(self) -> "Connection | None":
        """Lend the connection that is the worker's; None while somebody has it, or where it would be the only one."""
        if self._is_lent or self._is_closing or self._pool.get_max_size() == 1:
            return None
        self._is_lent = True
        try:
            if self._worker is None or _is_lost(self._worker):
                self._worker = await self._replaced(self._worker)
        except BaseException:
            self._worker, self._is_lent = None, False
            raise
        return self._worker

    async def return_worker(self, connection: Connection) -> None:
        """Take it back."""
        self._is_lent = False
        if self._is_closing:
            await self._pool.release(connection)

    async def _replaced(self, lost: "Connection | None") -> Connection:
        """Make a connection the worker's for as long as it lasts."""
        if lost is not None:
            await self._pool.release(lost)
        connection = await self.begin(f"set {_WORKER}")
        try:
            await connection.execute("commit")
        except BaseException as error:
            await _undo(connection)
            await self._pool.release(connection)
            _raise_as_ours(error)
            raise
        return connection

    async def _take(self) -> Connection:
        connection, self._in_hand = self._in_hand, None
        if connection is not None and not _is_lost(connection):
            return connection
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        finally:
            self._waiting -= 1

    async def _begin_once(self, who: str) -> Connection:
        try:
            connection = await self._take()
        except (OSError, *DRIVER_ERRORS) as error:
            raise translate(error) from error
        try:
            await connection.execute(f"begin; {who}")
        except BaseException as error:
            await _undo(connection)  # a cancelled one may have begun
            await self.release(connection)
            _raise_as_ours(error)
            raise
        return connection


class Transaction:
    """A transaction as somebody: committed at the end of its block, undone where that is left by an error.

    The driver's errors come out of it as ours; errors of other kinds unchanged.
    """

    __slots__ = ("_connection", "_database", "_end", "_who")

    def __init__(self, database: Database, who: str, end: str = f"commit; {_RESET}") -> None:
        self._database, self._who, self._end = database, who, end

    async def __aenter__(self) -> Connection:
        self._connection = await self._database.begin(self._who)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._commit()
            else:
                await _undo(self._connection)
                _raise_as_ours(error)
        finally:
            await self._database.release(self._connection)

    async def _commit(self) -> None:
        try:
            await self._connection.execute(self._end)
        except BaseException as error:
            await _undo(self._connection)
            _raise_as_ours(error)
            raise


class Statement(Transaction):
    """A transaction of one statement as the worker: without a frame, unless somebody has the worker's connection."""

    __slots__ = ("_is_framed",)

    async def __aenter__(self) -> Connection:
        connection = await self._database.borrow_worker()
        self._is_framed = connection is None
        if connection is None:
            return await super().__aenter__()
        self._connection = connection
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_framed:
            return await super().__aexit__(kind, error, trace)
        try:
            if error is not None:
                await _undo(self._connection)
                _raise_as_ours(error)
        finally:
            await self._database.return_worker(self._connection)


def _raise_as_ours(error: BaseException) -> None:
    if isinstance(error, (*DRIVER_ERRORS, TimeoutError)):
        raise translate(error) from error


def _is_lost(connection: Connection) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the driver has taken it back already
        return True


async def _undo(connection: Connection) -> None:
    """Undo a transaction. Where that is cancelled in its turn, or takes too long, the connection ends, and it with it.

    It takes too long where the server missed that a statement was called off, and still waits for a lock.
    """
    try:
        with suppress(*DRIVER_ERRORS):  # a lost one undid itself
            async with asyncio.timeout(UNDO_S):
                await connection.execute(f"rollback; {_RESET}")
    except TimeoutError:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise


async def _is_reset(connection: Connection) -> None:
    """Nothing is left to do for a connection that is given back: it was reset at the end of its transaction."""
