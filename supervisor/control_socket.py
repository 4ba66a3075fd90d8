"""The control socket: served from a thread and a loop of its own, so that it answers whatever the children do.

A handler that never returns only waits; one that computes without end holds the main loop, but not this thread, which
can still say so. Only processes of the same user are answered.
"""

import asyncio
import logging
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from control.errors import Refused
from supervisor.wire import MOST_REQUEST_BYTES, BadRequest, Request, read_request, write_error, write_ok

log = logging.getLogger(__name__)

Answering = Callable[[Request], Awaitable[object]]
"""Does what a request asks for and gives the answer. Raises BadRequest or Refused, whose line is the answer then."""

MOST_CONNECTIONS = 64
END_S = 2.0


@contextmanager
def serving(path: Path, answering: Answering, beside: Callable[[], Awaitable[object]]) -> Iterator[None]:
    """Serve the socket at `path`, taking the place of one that a killed process left there.

    `beside` is awaited in the same thread for as long as it is served.
    """
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()
        server = _Server(listener, answering, beside)
        server.start()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            server.end()


class _Server(threading.Thread):
    """The thread with its loop."""

    def __init__(
        self, listener: socket.socket, answering: Answering, beside: Callable[[], Awaitable[object]]
    ) -> None:
        super().__init__(name="control socket", daemon=True)
        self._listener, self._answering, self._beside = listener, answering, beside
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._connected: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def end(self) -> None:
        """Close what is open, and wait a little for it."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._end.set)
        self.join(END_S)

    async def _serve(self) -> None:
        beside = asyncio.ensure_future(self._beside())
        server = await asyncio.start_unix_server(self._connect, sock=self._listener)
        await self._end.wait()
        server.close()
        for task in (beside, *self._connected):
            task.cancel()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connected.add(task)
        try:
            if problem := self._problem_with(writer.get_extra_info("socket")):
                writer.write(write_error(None, problem))
            else:
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other side has gone, or this one ends; asyncio would log a stream's task that was cancelled
        finally:
            self._connected.discard(task)
            writer.close()

    def _problem_with(self, peer: socket.socket) -> str | None:
        if len(self._connected) > MOST_CONNECTIONS:
            return f"{MOST_CONNECTIONS} connections are open already; close one"
        user = user_of(peer)
        if user is not None and user != os.getuid():
            return f"this is user {os.getuid()}'s, and you are user {user}"
        return None

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in lines(reader):
            writer.write(await self._answer(line))
            await writer.drain()

    async def _answer(self, line: bytes | None) -> bytes:
        if line is None:
            return write_error(None, f"a line of more than {MOST_REQUEST_BYTES} bytes is not read")
        request = Request("")
        try:
            request = read_request(line)
            return write_ok(request.id, await self._answering(request))
        except (BadRequest, Refused) as error:
            return write_error(request.id, str(error))
        except Exception:  # a fault of ours is told in one line, too, and the socket lives on
            log.exception("%s could not be answered", request.op)
            return write_error(
                request.id, f"{request.op} failed, which is a fault of the program; its log says why"
            )


def user_of(peer: socket.socket) -> int | None:
    """The user at the other end; None where the system can't say, and the socket's mode must do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _, user, _ = struct.unpack(
        "3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    return int(user)


async def lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes | None]:
    """Give each line that is sent, without its end; None for one that is too long, which is skipped."""
    kept, is_skipping = b"", False
    while chunk := await reader.read(MOST_REQUEST_BYTES):
        *whole, kept = (kept + chunk).split(b"\n")
        for line in whole:
            if is_skipping:
                is_skipping = False
            else:
                yield None if len(line) > MOST_REQUEST_BYTES else line
        if len(kept) > MOST_REQUEST_BYTES:
            if not is_skipping:
                yield None
            kept, is_skipping = b"", True
