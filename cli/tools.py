"""`agentic tools`: what a Skill may call, and which tools of MCP servers are approved."""

from typing import Annotated

import typer

from agent.mcp_servers import McpServers
from cli import tools_views as views
from cli.boot import House, in_house
from cli.output import AsJson, emit
from control import tools as control

app = typer.Typer(
    no_args_is_help=True, help="Tools: ours, and those of MCP servers, which need your approval."
)

Server = Annotated[str, typer.Argument(metavar="SERVER", help="A server of AGENTIC_MCP_SERVERS.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TOOL]…", help="Its tools; all of them without one.", show_default=False),
]


@app.command("list")
def list_tools(as_json: AsJson = False) -> None:
    """List all tools, and say which of an MCP server's are new, approved, changed or gone."""
    lines = in_house(lambda home: control.list_tools(home.database, home.user_id, _servers(home)))
    emit(lines, as_json, views.listing)


@app.command()
def approve(server: Server, tools: Names = None, as_json: AsJson = False) -> None:
    """Approve tools as their server describes them now. A Skill can use no other."""
    done = in_house(
        lambda home: control.approve_tools(home.database, home.user_id, _servers(home), server, tools or [])
    )
    emit(done, as_json, views.approvals)


@app.command()
def revoke(server: Server, tools: Names = None, as_json: AsJson = False) -> None:
    """Take an approval back. Runs that are recorded can still be replayed."""
    done = in_house(lambda home: control.revoke(home.database, home.user_id, server, tools or []))
    emit({"revoked": done}, as_json, lambda _: f"Not approved any more: {', '.join(done)}.")


def _servers(home: House) -> McpServers:
    return home.provider.servers or McpServers({})
