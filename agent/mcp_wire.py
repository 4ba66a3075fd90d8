"""How MCP servers are spoken to: by the pipes of a program, or over HTTP, both bounded. Imported when one is needed.

The SDK's own transports read lines and bodies of any length; these don't. A program gets the few variables that the
SDK thinks safe (PATH, HOME and the like) and those written for it, and nothing else of our environment; what it writes
to stderr is thrown away, because a terminal would act on it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from config.mcp import McpServer

MOST_MESSAGE_BYTES = 4 * 1024 * 1024
"""Of one line from a program, and of one response over HTTP. Far above what any answer may have in the end."""

EXIT_TIMEOUT_S = 2.0
HTTP_TIMEOUT = httpx2.Timeout(30.0, read=300.0)

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectReceiveStream[SessionMessage]

_logger = logging.getLogger("mcp")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False  # it would write strangers' bytes to the terminal


def transport(server: McpServer, ended: asyncio.Event) -> AbstractAsyncContextManager[TransportStreams]:
    """The way to a server. Sets `ended` when the other side is gone."""
    return _program(server, ended) if server.command else _http(server)


@asynccontextmanager
async def _program(server: McpServer, ended: asyncio.Event) -> AsyncIterator[TransportStreams]:
    process = await asyncio.create_subprocess_exec(
        *server.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=get_default_environment() | server.env,
        limit=MOST_MESSAGE_BYTES,
        start_new_session=True,
    )
    to_session, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_server, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, process, to_session, ended)
        tasks.start_soon(_write, process, from_session)
        try:
            yield from_server, to_server
        finally:
            from_server.close()
            to_server.close()
            with anyio.CancelScope(shield=True):
                await _end(process)
            tasks.cancel_scope.cancel()


async def _read(process: asyncio.subprocess.Process, to_session: Incoming, ended: asyncio.Event) -> None:
    """Hand on each line that is a message; what is none is skipped. A line without an end ends the connection.

    What comes after that is thrown away: a pipe that nobody reads would keep the program's end from being seen.
    """
    assert process.stdout is not None
    async with to_session:
        with suppress(ValueError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while line := await process.stdout.readline():
                if message := _parsed(line):
                    await to_session.send(message)
    ended.set()
    while await process.stdout.read(65536):
        pass


def _parsed(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return None


async def _write(process: asyncio.subprocess.Process, from_session: Outgoing) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it is gone, which the reader sees too
        async with from_session:
            async for each in from_session:
                text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(text.encode() + b"\n")
                await process.stdin.drain()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close a program's stdin, which asks it to end; kill it with all it started when it does not."""
    assert process.stdin is not None
    process.stdin.close()
    for kill in (False, True):
        if kill:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), EXIT_TIMEOUT_S)
            return


@asynccontextmanager
async def _http(server: McpServer) -> AsyncIterator[TransportStreams]:
    client = httpx2.AsyncClient(
        headers={**server.headers, "accept-encoding": "identity"},
        timeout=HTTP_TIMEOUT,
        max_redirects=0,
        event_hooks={"response": [_bound]},
    )
    async with (
        client,
        streamable_http_client(
            server.url, http_client=client, max_sse_event_size=MOST_MESSAGE_BYTES
        ) as streams,
    ):
        yield streams


async def _bound(response: httpx2.Response) -> None:
    """Read no more of a response than is allowed, and none that would unfold to more than was sent."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError(
            "the response is compressed, which was not asked for", request=response.request
        )
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream, response.request)


class _Bounded(httpx2.AsyncByteStream):
    """A response's bytes, up to a bound."""

    def __init__(self, inner: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        self._inner = inner
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > MOST_MESSAGE_BYTES:
                raise httpx2.ReadError("the response is too long", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
