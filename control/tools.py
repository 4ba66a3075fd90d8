"""Tools as a person works with them: see what there is, approve what a server offers, take that back."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import msgspec

from agent.mcp_servers import McpServers, McpUnavailable, Offered
from agent.tools import TOOLS
from control.errors import NotFound, Refused
from db import mcp_tools as store
from db.pool import Database
from domain.tools import PinnedTool
from skills.catalogue import TRADING_TOOLS

State = Literal["built-in", "new", "approved", "changed", "gone", "refused", "unreachable", "not set up"]


class ToolLine(msgspec.Struct, frozen=True):
    """One tool, or a server of which nothing is to be had. `note` says what is wrong, where something is.

    `offered` is how its server describes it now, `approved` how it was approved; for our own tools both are None.
    """

    name: str
    state: State
    description: str = ""
    note: str = ""
    offered: PinnedTool | None = None
    approved: PinnedTool | None = None


class Approval(msgspec.Struct, frozen=True):
    """What was approved, and in whose place: None where nothing was approved before."""

    tool: PinnedTool
    before: PinnedTool | None


async def list_tools(database: Database, user_id: UUID, servers: McpServers) -> list[ToolLine]:
    """Give the trading tools, then those of each MCP server. Connects to every server there is."""
    lines = [
        ToolLine(name, "built-in", str(TOOLS[name].wire()["description"]))
        for name in TRADING_TOOLS
        if name in TOOLS
    ]
    async with database.as_user(user_id) as connection:
        approved = await store.approved_tools(connection, user_id)
    for server in sorted({*servers.names, *(tool.server for tool in approved)}):
        of_server = {tool.name: tool for tool in approved if tool.server == server}
        if server not in servers.names:
            note = f"there is no MCP server {server} in the settings any more"
            lines += [_line("not set up", None, tool, note) for tool in of_server.values()]
            continue
        try:
            lines += _lines(server, await servers.offered(server), of_server)
        except McpUnavailable as error:
            lines.append(ToolLine(server, "unreachable", note=str(error)))
            lines += [
                _line("unreachable", None, tool, "its server can't be reached") for tool in of_server.values()
            ]
    return lines


async def approve_tools(
    database: Database, user_id: UUID, servers: McpServers, server: str, names: Sequence[str]
) -> list[Approval]:
    """Approve tools of a server as it offers them now; all of them where none is named.

    Raises NotFound for a server or a tool that there is none of, and Refused when the server can't be asked. Then
    nothing is approved.
    """
    _check_known(servers, server)
    try:
        offered = await servers.offered(server)
    except McpUnavailable as error:
        raise Refused(str(error)) from None
    tools = {tool.name: tool for tool in offered.tools}
    for name in names:
        if name not in tools:
            there_are = ", ".join(tools) or "nothing that can be used"
            raise NotFound(f"the MCP server {server} offers no tool {name}; it offers {there_are}")
    chosen = [tools[name] for name in dict.fromkeys(names)] or list(tools.values())
    async with database.as_user(user_id) as connection:
        before = {tool.full_name: tool for tool in await store.approved_tools(connection, user_id)}
        for tool in chosen:
            await store.approve_tool(connection, user_id, tool)
    return [Approval(tool, before.get(tool.full_name)) for tool in chosen]


async def revoke(database: Database, user_id: UUID, server: str, names: Sequence[str]) -> list[str]:
    """Take back the approval of these tools, or of all of a server's. Raises NotFound, and takes nothing back then."""
    async with database.as_user(user_id) as connection:
        done = await store.revoke_tools(connection, user_id, server, list(names) or None)
        if missing := sorted(set(names) - set(done)):
            raise NotFound(
                f"of the MCP server {server} {', '.join(missing)} is not approved; see `agentic tools list`"
            )
    if not done:
        raise NotFound(f"no tool of an MCP server {server} is approved; see `agentic tools list`")
    return [f"{server}.{name}" for name in done]


def _check_known(servers: McpServers, server: str) -> None:
    if server not in servers.names:
        there_are = f"there are {', '.join(servers.names)}" if servers.names else "none is set up"
        raise NotFound(f"there is no MCP server {server} in AGENTIC_MCP_SERVERS; {there_are}")


def _lines(server: str, offered: Offered, approved: dict[str, PinnedTool]) -> list[ToolLine]:
    """What a server offers beside what of it is approved."""
    lines = []
    for tool in offered.tools:
        before = approved.get(tool.name)
        state: State = "new" if before is None else "approved" if before.digest == tool.digest else "changed"
        lines.append(_line(state, tool, before))
    present = {tool.name for tool in offered.tools}
    gone = [tool for name, tool in approved.items() if name not in present]
    lines += [_line("gone", None, tool, "its server does not offer it any more") for tool in gone]
    return lines + [ToolLine(server, "refused", note=note) for note in offered.refused]


def _line(state: State, offered: PinnedTool | None, approved: PinnedTool | None, note: str = "") -> ToolLine:
    tool = offered or approved
    assert tool is not None
    return ToolLine(tool.full_name, state, tool.description, note, offered, approved)
