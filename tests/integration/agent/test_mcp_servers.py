"""MCP servers that behave and that don't: real programs and real sockets, and never an exception out of a call."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent.mcp_servers import McpServers, McpUnavailable
from config.mcp import McpServer
from domain.tools import ToolReply
from tests.architecture.repository import ROOT
from tests.integration.agent.mcp_samples import page, program
from tests.standins.mcp_server import HIDDEN_PROMPT

KEY = "sk-planted-key"


@asynccontextmanager
async def running(*servers: McpServer) -> AsyncIterator[McpServers]:
    """These servers, ended at the end."""
    opened = McpServers({server.name: server for server in servers})
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def over_http(**env: str) -> AsyncIterator[str]:
    """The stand-in behind a URL: it serves on a socket that listens before it is started."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.standins.mcp_server", "http", str(listening.fileno())),
            pass_fds=[listening.fileno()],
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            process.kill()
            await process.wait()


@asynccontextmanager
async def answering(answer: Any) -> AsyncIterator[str]:
    """A server of HTTP that is no MCP server: `answer` handles every request."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
async def desk(anyio_backend: str) -> AsyncIterator[McpServers]:
    """The stand-in as a program, with a key planted in our own environment, and quick to be given up on."""
    os.environ["PLANTED_KEY"] = KEY
    async with running(program(timeout_s=1.5, env={"GIVEN": "yes"})) as opened:
        yield opened
    del os.environ["PLANTED_KEY"]


async def test_a_program_is_started_once_and_offers_its_tools(desk: McpServers) -> None:
    """They are pinned, in the order of their names; what it says of itself beyond them is not read."""
    offered = (await desk.offered("desk")).tools

    assert [tool.name for tool in offered] == sorted(tool.name for tool in offered)
    assert {tool.server for tool in offered} == {"desk"}
    assert (await desk.offered("desk")).tools is offered
    greet = next(tool for tool in offered if tool.name == "greet")
    assert (greet.description, greet.schema["required"]) == ("Greets.", ["name"])
    assert "Whoever reads this" not in repr(offered)


async def test_a_tool_answers_with_its_structured_content(desk: McpServers) -> None:
    """Not with the text that says the same at twice the length."""
    assert await desk.call("desk", "greet", {"name": "Ada"}) == ToolReply({"result": "hello Ada"})


async def test_calls_do_not_wait_for_each_other(desk: McpServers) -> None:
    """One that takes too long is given up on; the others have answered by then, and later ones do."""
    slow = asyncio.create_task(desk.call("desk", "slow", {"seconds": 30}))
    quick = await asyncio.gather(*(desk.call("desk", "greet", {"name": str(n)}) for n in range(5)))

    assert not slow.done()
    assert [reply.data["result"] for reply in quick] == [f"hello {n}" for n in range(5)]
    assert await slow == ToolReply("the MCP server desk did not answer within 1.5 s", True, "timeout")
    assert not (await desk.call("desk", "greet", {"name": "Ada"})).is_error


async def test_a_program_sees_nothing_of_our_environment(desk: McpServers) -> None:
    """It gets what is written for it and what every program needs."""
    reply = await desk.call("desk", "environment", {})

    assert KEY not in str(reply.data)
    assert reply.data["GIVEN"] == "yes"
    assert set(reply.data) <= {
        *("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"),
        *("PYTHONPATH", "GIVEN", "LC_CTYPE"),
    }


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("greet", {}, "Field required"),
        ("nonesuch", {}, "Unknown tool"),
        ("refuse", {}, "no stories"),
        ("deep", {"levels": 40}, "deeper than 30 levels"),
        ("ask_back", {}, "Cannot send"),
    ],
)
async def test_what_a_server_refuses_is_an_error_answer(
    desk: McpServers, tool: str, arguments: dict[str, Any], says: str
) -> None:
    """So is what it would ask of us: nothing is written for it by our model."""
    reply = await desk.call("desk", tool, arguments)

    assert (reply.is_error, reply.failure) == (True, "")
    assert says in reply.data


async def test_a_long_answer_is_cut_and_says_so(desk: McpServers) -> None:
    """Nothing beyond the bound reaches a model."""
    reply = await desk.call("desk", "huge", {"size": 200_000})

    assert len(reply.data) < 65_536 + 100
    assert reply.data.endswith("[cut here: of 200013 bytes at most 65536 are shown]")


@pytest.mark.parametrize(("tool", "arguments"), [("crash", {}), ("huge", {"size": 5_000_000})])
async def test_a_server_that_dies_or_floods_is_started_again(
    desk: McpServers, tool: str, arguments: dict[str, Any]
) -> None:
    """The call is answered with an error, and the next one reaches a new process."""
    assert await desk.call("desk", tool, arguments) == ToolReply(
        "the MCP server desk broke off", True, "unreachable"
    )
    assert not (await desk.call("desk", "greet", {"name": "Ada"})).is_error


async def test_a_caller_that_gives_up_leaves_the_server_in_order(desk: McpServers) -> None:
    """As a tick does at its deadline."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await desk.call("desk", "slow", {"seconds": 30})

    assert not (await desk.call("desk", "greet", {"name": "Ada"})).is_error


@pytest.mark.parametrize("how", ["flood", "prattle"])
async def test_a_program_that_is_no_mcp_server_is_unavailable(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be it one endless line, or lines that are no messages. A call of it is an error answer."""
    monkeypatch.setattr("agent.mcp_wire.EXIT_TIMEOUT_S", 0.1)
    async with running(program(how)) as servers:
        with pytest.raises(McpUnavailable, match="MCP server desk can't be reached, or ended at once"):
            await servers.offered("desk")
        reply = await servers.call("desk", "greet", {})

    assert (reply.is_error, reply.failure) == (True, "unreachable")


async def test_a_program_that_says_nothing_is_given_up_on_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for again at once, and is gone afterwards."""
    monkeypatch.setattr("agent.mcp_servers.START_TIMEOUT_S", 0.3)
    monkeypatch.setattr("agent.mcp_wire.EXIT_TIMEOUT_S", 0.1)
    async with running(program("silent")) as servers:
        for _ in range(2):
            with pytest.raises(McpUnavailable, match=r"did not answer within 0\.3 s"):
                await servers.offered("desk")

    assert _programs("silent") == []


async def test_closing_ends_the_programs_that_were_started() -> None:
    """None of them outlives its connection."""
    async with running(program(env={"STANDIN_GREETING": "Marks this one."})) as servers:
        await servers.offered("desk")
        assert len(_programs("stdio", "Marks this one.")) == 1

    assert _programs("stdio", "Marks this one.") == []


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (McpServer("desk", command=("no-such-program",)), "there is no such program as its command"),
        (McpServer("desk", command=("/dev/null",)), "its command may not be run"),
        (McpServer("desk", url="http://127.0.0.1:9/mcp"), "can't be reached"),
    ],
)
async def test_a_server_that_cannot_be_had_is_said_in_one_line(server: McpServer, says: str) -> None:
    """The line names the server and why, and no host, path or key."""
    async with running(server) as servers:
        with pytest.raises(McpUnavailable) as caught:
            await servers.offered("desk")

    assert says in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("127.0.0.1", "/dev/null", "\n"))


async def test_a_server_that_is_not_in_the_settings_is_said_so() -> None:
    """To whoever asks, and in the answer to a call."""
    async with running() as servers:
        with pytest.raises(McpUnavailable, match="there is no MCP server desk in the settings"):
            await servers.offered("desk")
        assert (await servers.call("desk", "greet", {})).failure == "unreachable"


async def test_a_server_is_reached_over_http() -> None:
    """It offers and answers the same. An answer that is too long is an error, and the next one comes."""
    async with over_http() as url, running(page(url)) as servers:
        assert {tool.name for tool in (await servers.offered("page")).tools} >= {"greet", "huge"}
        assert await servers.call("page", "greet", {"name": "Ada"}) == ToolReply({"result": "hello Ada"})
        flood = await servers.call("page", "huge", {"size": 5_000_000})
        after = await servers.call("page", "greet", {"name": "Ada"})

    assert flood.is_error
    assert after == ToolReply({"result": "hello Ada"})


async def test_a_redirect_is_not_followed() -> None:
    """Neither to another host nor within the same one: headers go where they were written for."""
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers.get("X-Key")))
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with answering(elsewhere) as url, running(page(url, headers={"X-Key": KEY})) as servers:
        with pytest.raises(McpUnavailable) as caught:
            await servers.offered("page")

    assert {path for path, _ in asked} == {"/mcp"}
    assert asked[0][1] == KEY
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
async def test_an_endless_or_compressed_response_is_not_read(headers: dict[str, str]) -> None:
    """Reading stops at the bound, or before."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)
            sent += 65536

    async with answering(endless) as url, running(page(url)) as servers:
        with pytest.raises(McpUnavailable):
            await servers.offered("page")

    assert sent < 64 * 1024 * 1024


@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_a_page_that_is_no_mcp_server_is_unavailable(status: int) -> None:
    """Whatever its status. What it wrote is not shown."""

    async def html(request: web.Request) -> web.Response:
        return web.Response(status=status, text=f"<h1>{HIDDEN_PROMPT}</h1>", content_type="text/html")

    async with answering(html) as url, running(page(url)) as servers:
        with pytest.raises(McpUnavailable) as caught:
            await servers.offered("page")

    assert HIDDEN_PROMPT not in str(caught.value)


def _programs(how: str, greeting: str = "") -> list[str]:
    """The stand-ins that run as children of this process, started this way."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if how.encode() in command and int(parent) == os.getpid() and greeting.encode() in environment:
            found.append(folder.name)
    return found
