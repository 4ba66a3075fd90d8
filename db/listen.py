"""What wakes a process: one connection of its own that listens, and tells everybody here who asked to be told.

A notification only wakes. Who is told looks into the tables for what there is to do, and is told to look as well
whenever something may have been missed: as soon as its channel is listened to, after every new connection, and every
few seconds. So a notification that is lost costs seconds and nothing else.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self, TypeAlias

import asyncpg

from db.connection import Connection
from db.errors import DRIVER_ERRORS, DatabaseError, Unavailable, translate, translated

log = logging.getLogger(__name__)

Told: TypeAlias = Callable[[str | None], object]
"""Is called with what was notified, or with None: look for yourself."""

POLL_S = 2.0
PROBE_S = 15.0
"""How often a silent connection is asked whether it is still there."""
TIMEOUT_S = 10.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 10.0


class Listener:
    """Listens while `run` runs, or while its block is open; connects again whenever the connection is lost.

    `revive` is called (in a thread) when no server answers, before trying once again.
    """

    def __init__(
        self,
        dsn: str,
        *,
        user: str | None = None,
        password: str | None = None,
        revive: Callable[[], None] | None = None,
        poll_s: float = POLL_S,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._connect = partial(
            asyncpg.connect, dsn, user=user, password=password, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S
        )
        self._revive = revive
        self._poll_s = poll_s
        self._chance = chance or Random(os.getpid()).random  # so that processes do not all come back at once
        self._told: dict[str, list[Told]] = {}
        self._heard: set[str] = set()
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def on(self, channel: str, told: Told) -> Callable[[], None]:
        """Have `told` called with each payload of a channel, and with None when it should look for itself.

        It is called in the loop and must not take long; what it raises is reported and stops nobody else. What is
        notified after a call with None is not missed, short of another such call. Gives the way to end it.
        """
        self._told.setdefault(channel, []).append(told)
        if channel in self._heard:
            _call(told, None)
        else:
            self._changed.set()
        return partial(self._off, channel, told)

    async def run(self) -> None:
        """Listen until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._poll())
            both.create_task(self._stay())

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.run(), name="listener")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None
        self._running.cancel()
        await asyncio.wait({self._running})
        if not self._running.cancelled():
            self._running.result()

    def _off(self, channel: str, told: Told) -> None:
        with suppress(ValueError):
            self._told[channel].remove(told)

    def _tell(self, channel: str, payload: str | None) -> None:
        for told in self._told[channel]:
            _call(told, payload)

    def _notified(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        self._tell(channel, payload)

    async def _poll(self) -> None:
        """Have everybody look now and then, whether or not there is a connection that could tell them."""
        while True:
            await asyncio.sleep(self._poll_s)
            for channel in self._told:
                self._tell(channel, None)

    async def _stay(self) -> None:
        """Be connected, again and again; later and later where that does not last."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            since = loop.time()
            try:
                async with self._connected() as connection:
                    if failures:
                        log.info("listening to the database again")
                    await self._listen(connection)
            except DatabaseError as error:
                failures = 0 if loop.time() - since > 2 * LONGEST_DELAY_S else failures
                if not failures:
                    log.warning("not listening to the database, only looking into it: %s", error)
            delay_s = min(FIRST_DELAY_S * 2**failures, LONGEST_DELAY_S)
            failures += 1
            await asyncio.sleep(delay_s * (0.5 + self._chance()))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._open()
        except Unavailable:
            if self._revive is None:
                raise
            await asyncio.to_thread(self._revive)
            connection = await self._open()
        try:
            with translated():
                yield connection
        finally:
            with suppress(OSError, TimeoutError, *DRIVER_ERRORS):
                await connection.close(timeout=1)

    async def _open(self) -> Any:
        try:
            return await self._connect()
        except (OSError, *DRIVER_ERRORS) as error:
            raise translate(error) from error

    async def _listen(self, connection: Connection) -> None:
        """Listen to what is asked for, until the connection is lost. Raises DatabaseError then."""
        connection.add_termination_listener(lambda _: self._changed.set())
        try:
            while True:
                self._changed.clear()
                for channel in self._told.keys() - self._heard:
                    await connection.add_listener(channel, self._notified)
                    self._heard.add(channel)
                    self._tell(channel, None)
                with suppress(TimeoutError):
                    async with asyncio.timeout(PROBE_S):
                        await self._changed.wait()
                await connection.execute("select 1")
        finally:
            self._heard.clear()


def _call(told: Told, payload: str | None) -> None:
    """Call it in a turn of its own: what it raises goes to the loop, which reports it."""
    asyncio.get_running_loop().call_soon(told, payload)
