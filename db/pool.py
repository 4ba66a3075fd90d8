"""The one pool of connections, and the two ways to use it: as a person, or as the program's worker.

The pool logs in as `agentic_app`, which may do nothing by itself. Every transaction first says as whom it
acts, and row security does the rest; the role ends with the transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self
from uuid import UUID

import asyncpg

from db.connection import Connection, prepare_connection
from db.errors import Unavailable, translate, translated

CLOSE_TIMEOUT_S = 5.0


class Database:
    """A pool on one database. Everything above reaches the database through `as_user()` and `as_worker()`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", revive: Callable[[], None] | None) -> None:
        self._pool = pool
        self._revive = revive

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        user: str | None = None,
        password: str | None = None,
        max_size: int = 8,
        command_timeout_s: float = 60.0,
        revive: Callable[[], None] | None = None,
    ) -> Self:
        """Open the pool with one connection; `user` and `password` replace those of the DSN.

        `revive` is called (in a thread) when no server answers any more, before trying once again.
        Raises Unavailable when the database can't be reached or refuses the login.
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                user=user,
                password=password,
                min_size=1,
                max_size=max_size,
                command_timeout=command_timeout_s,
                init=prepare_connection,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise translate(error) from error
        return cls(pool, revive)

    async def close(self) -> None:
        """Close the pool, waiting a little for what is still running."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def as_user(self, user_id: UUID) -> AsyncIterator[Connection]:
        """A transaction as a signed-in person, who sees and writes their own rows only."""
        claims = f'{{"sub": "{UUID(int=user_id.int)}", "role": "authenticated"}}'
        async with self._transaction(
            f"set local role authenticated; set local request.jwt.claims = '{claims}'"
        ) as c:
            yield c

    @asynccontextmanager
    async def as_worker(self) -> AsyncIterator[Connection]:
        """A transaction as the program's worker, which may write what the migrations grant it by name."""
        async with self._transaction("set local role agentic_worker") as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, who: str) -> AsyncIterator[Connection]:
        connection = await self._acquire()
        try:
            with translated():
                transaction = connection.transaction()
                await transaction.start()
                try:
                    await connection.execute(who)
                    yield connection
                except BaseException:
                    with suppress(
                        asyncpg.InterfaceError, asyncpg.PostgresError
                    ):  # a lost one has undone itself
                        await transaction.rollback()
                    raise
                await transaction.commit()
        finally:
            await self._pool.release(connection)

    async def _acquire(self) -> Connection:
        try:
            return await self._connect()
        except Unavailable:
            if self._revive is None:
                raise
        await asyncio.to_thread(self._revive)
        return await self._connect()

    async def _connect(self) -> Connection:
        try:
            return await self._pool.acquire(timeout=30)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise translate(error) from error
