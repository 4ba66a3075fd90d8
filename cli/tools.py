"""`agentic tools`: what a Skill may call, and which tools of MCP servers are approved."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from agent.mcp_servers import McpServers
from cli import tools_views as views
from cli.boot import House, in_house
from cli.output import AsJson, emit
from config.mcp import read_servers
from control import tools as control

app = typer.Typer(
    no_args_is_help=True, help="Tools: ours, and those of MCP servers, which need your approval."
)

T = TypeVar("T")
Server = Annotated[str, typer.Argument(metavar="SERVER", help="A server of AGENTIC_MCP_SERVERS.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TOOL]…", help="Its tools; all of them without one.", show_default=False),
]


@app.command("list")
def list_tools(as_json: AsJson = False) -> None:
    """List all tools, and say which of an MCP server's are new, approved, changed or gone."""
    lines = _with_servers(lambda home, servers: control.list_tools(home.database, home.user_id, servers))
    emit(lines, as_json, views.listing)


@app.command()
def approve(server: Server, tools: Names = None, as_json: AsJson = False) -> None:
    """Approve tools as their server describes them now. A Skill can use no other."""
    done = _with_servers(
        lambda home, servers: control.approve(home.database, home.user_id, servers, server, tools or [])
    )
    emit(done, as_json, views.approvals)


@app.command()
def revoke(server: Server, tools: Names = None, as_json: AsJson = False) -> None:
    """Take an approval back. Runs that are recorded can still be replayed."""
    done = in_house(lambda home: control.revoke(home.database, home.user_id, server, tools or []))
    emit({"revoked": done}, as_json, lambda _: f"Not approved any more: {', '.join(done)}.")


def _with_servers(work: Callable[[House, McpServers], Awaitable[T]]) -> T:
    async def opened(home: House) -> T:
        servers = McpServers(read_servers(home.settings.mcp_servers))
        try:
            return await work(home, servers)
        finally:
            await servers.close()

    return in_house(opened)
