"""MCP servers: started when they are first needed, held by a task of their own, and never trusted.

Whatever a server does (hangs, dies, floods, answers nonsense) becomes an answer that says so. What it says of itself
beyond its tools, and what it would ask of us (to sample, to elicit, to list roots), is declined.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from config.mcp import McpServer
from domain.tools import PinnedTool, ToolRefused, ToolReply, depth, pin, visible

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

START_TIMEOUT_S = 30.0
PAUSE_S = 5.0
"""For so long after a failure a server is not tried again."""
CLOSE_TIMEOUT_S = 10.0
AT_ONCE = 8
"""Calls that one server has on its hands at a time; others wait, and their wait counts."""

MOST_TOOLS, MOST_PAGES = 200, 10
DEEPEST_DATA = 30
MOST_ERROR = 500


class McpUnavailable(Exception):
    """A server that can't be reached or started, or makes no sense. One line."""


class Offered(msgspec.Struct, frozen=True):
    """What a server offers: the tools that can be used, and a line for each that can't."""

    tools: tuple[PinnedTool, ...]
    refused: tuple[str, ...] = ()


class McpServers:
    """All MCP servers of the settings, by name. Nothing is started before it is asked; `close` ends it all."""

    def __init__(self, servers: Mapping[str, McpServer]) -> None:
        self._owners = {name: _Owner(server) for name, server in servers.items()}

    @property
    def names(self) -> list[str]:
        """The servers there are."""
        return sorted(self._owners)

    async def offered(self, server: str) -> Offered:
        """What a server offers, as it said when its connection was made. Raises McpUnavailable."""
        owner = self._owners.get(server)
        if owner is None:
            raise McpUnavailable(
                f"there is no MCP server {server} in the settings; add it to AGENTIC_MCP_SERVERS"
            )
        return (await owner.connected()).offered

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolReply:
        """The answer of a tool, in time and in bounds, or what went wrong. Never raises for what a server does."""
        owner = self._owners.get(server)
        if owner is None:
            return _failed("unreachable", f"there is no MCP server {server}")
        try:
            return await owner.call(tool, arguments)
        except McpUnavailable as error:
            return _failed("unreachable", str(error))

    async def close(self) -> None:
        """End every connection and every program that was started."""
        await asyncio.gather(*(owner.close() for owner in self._owners.values()))


class _Connection(msgspec.Struct, frozen=True):
    """A live connection: its client, and what the server offers."""

    client: "Client"
    offered: Offered


class _Owner:
    """Holds one server's connection in one task, which enters and leaves it, and makes a new one after a failure."""

    def __init__(self, server: McpServer) -> None:
        self._server = server
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[_Connection]
        self._ended: asyncio.Event
        self._failed = ("", -PAUSE_S)  # why there was no connection, and when

    async def connected(self) -> _Connection:
        """The connection, made if there is none. Raises McpUnavailable."""
        async with self._starting:
            now = asyncio.get_running_loop().time()
            message, failed_at = self._failed
            if now < failed_at + PAUSE_S:
                raise McpUnavailable(message)
            task, ready = await self._begun()
            awaited: set[asyncio.Future[Any]] = {task, ready}
            await asyncio.wait(awaited, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                return ready.result()
            await _finish(task)
            self._failed = (f"the MCP server {self._server.name} {_trouble(task)}", now)
            raise McpUnavailable(self._failed[0])

    async def _begun(self) -> "tuple[asyncio.Task[None], asyncio.Future[_Connection]]":
        """The task that holds the connection, and what it will say; new ones where the old ones are at their end."""
        if self._task is not None and not self._ended.is_set() and not self._task.done():
            return self._task, self._ready
        await self.close()
        self._ready = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._task = asyncio.create_task(self._hold(self._ready, self._ended))
        return self._task, self._ready

    async def call(self, tool: str, arguments: dict[str, Any]) -> ToolReply:
        """Call a tool. Raises McpUnavailable when there is no connection to be had."""
        client = (await self.connected()).client
        ended = self._ended
        made = asyncio.create_task(self._in_turn(client, tool, arguments))
        watch = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait(
                {made, watch}, timeout=self._server.timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if made.done() and made.exception() is None:
                return _reply(made.result(), self._server.most_bytes)
            return self._no_answer(made, ended)
        finally:
            await _finish(watch)
            await _finish(made)

    async def close(self) -> None:
        """End the connection, and the program if one was started."""
        if self._task is not None:
            self._ended.set()
            await asyncio.wait({self._task}, timeout=CLOSE_TIMEOUT_S if self._ready.done() else 0)
            await _finish(self._task)

    async def _hold(self, ready: "asyncio.Future[_Connection]", ended: asyncio.Event) -> None:
        """Enter the connection, say that it is there, and leave it when it is no good any more."""
        from mcp import Client

        from agent.mcp_wire import transport

        try:
            async with Client(
                transport(self._server, ended), read_timeout_seconds=START_TIMEOUT_S, cache=None
            ) as client:
                ready.set_result(_Connection(client, await _offers(self._server, client)))
                await ended.wait()
        finally:
            ended.set()

    async def _in_turn(self, client: "Client", tool: str, arguments: dict[str, Any]) -> "CallToolResult":
        async with self._turns:
            return await client.call_tool(tool, arguments, read_timeout_seconds=self._server.timeout_s)

    def _no_answer(self, made: "asyncio.Task[CallToolResult]", ended: asyncio.Event) -> ToolReply:
        """Say why a call came to nothing; a connection that broke is not used again."""
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        name = self._server.name
        error = made.exception() if made.done() else None
        code = getattr(error, "code", None)
        if ended.is_set() or code == CONNECTION_CLOSED:
            ended.set()
            return _failed("unreachable", f"the MCP server {name} broke off")
        if error is None or code == REQUEST_TIMEOUT:
            return _failed(
                "timeout", f"the MCP server {name} did not answer within {self._server.timeout_s:g} s"
            )
        if code is not None:
            return ToolReply(visible(str(error), MOST_ERROR), is_error=True)
        return ToolReply(f"the MCP server {name} gave no valid answer", is_error=True)


async def _offers(server: McpServer, client: "Client") -> Offered:
    """Ask a server for all its tools. Raises McpUnavailable when there is no end to them."""
    found = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) > MOST_TOOLS:
            break
    if cursor is not None or len(found) > MOST_TOOLS:
        raise McpUnavailable(f"offers more than {MOST_TOOLS} tools, or more than {MOST_PAGES} pages of them")
    tools, refused = [], []
    for name, count in Counter(tool.name for tool in found).items():
        tool = next(each for each in found if each.name == name)
        try:
            if count > 1:
                raise ToolRefused(
                    f"the MCP server {server.name} offers {count} tools called {visible(name, 60)!r}"
                )
            tools.append(pin(server.name, name, tool.description, tool.input_schema, server.as_of))
        except ToolRefused as error:
            refused.append(str(error))
    return Offered(tuple(sorted(tools, key=lambda tool: tool.name)), tuple(refused))


def _reply(result: "CallToolResult", most_bytes: int) -> ToolReply:
    """What a tool answered: its structured content where there is some, else its texts. Cut where it is too long."""
    data = result.structured_content
    if data is None:
        parts = (part.text if part.type == "text" else f"[{part.type} left out]" for part in result.content)
        data = "\n".join(parts)
    elif depth(data, DEEPEST_DATA) > DEEPEST_DATA:
        return ToolReply(f"the answer nests deeper than {DEEPEST_DATA} levels", is_error=True)
    try:
        encoded = msgspec.json.encode(data)
    except (OverflowError, ValueError):
        return ToolReply("the answer holds a number or a character that JSON does not have", is_error=True)
    if (size := len(encoded)) > most_bytes:
        text = (data if isinstance(data, str) else encoded.decode())[:most_bytes]
        data = f"{text} [cut here: of {size} bytes at most {most_bytes} are shown]"
    return ToolReply(data, bool(result.is_error))


def _failed(failure: str, message: str) -> ToolReply:
    return ToolReply(message, is_error=True, failure=failure)


async def _finish(task: "asyncio.Task[Any]") -> None:
    """End a task that is not needed any more, and look at how it ended, so that nobody is told of it later."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CLOSE_TIMEOUT_S)
    if task.done() and not task.cancelled():
        task.exception()


def _trouble(task: "asyncio.Task[None]") -> str:
    """Say why a connection was not made, without a host or a path: models read it, and records keep it."""
    error = task.exception() if task.done() and not task.cancelled() else None
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case McpUnavailable():
            return str(error)
        case FileNotFoundError():
            return "can't be started: there is no such program as its command"
        case PermissionError():
            return "can't be started: its command may not be run"
        case None:
            return f"did not answer within {START_TIMEOUT_S:g} s"
        case _:
            return f"can't be reached, or ended at once ({type(error).__name__}); see that it runs, and what it prints"
