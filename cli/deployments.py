"""`agentic deployments`: which there are, and how one stands."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import deployment_views as views
from cli.boot import House, in_house
from cli.commands import One
from cli.output import AsJson, emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from control.deployments import DeploymentLine
    from db.agent_logs import KeptLog
    from db.commands import CommandRow
    from db.figures import AccountFigures

    Shown = tuple[DeploymentLine, AccountFigures, Sequence[CommandRow], Sequence[KeptLog]]

app = typer.Typer(help="Deployments: which are open, how one stands.")

COMMANDS_SHOWN, LINES_SHOWN = 5, 10


@app.callback(invoke_without_command=True)
def deployments(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over and flat, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the deployments that are open, or still hold something."""
    if context.invoked_subcommand is not None:
        return

    async def work(home: House) -> "list[DeploymentLine]":
        from control import deployments as control

        return await control.listed(home.database, home.user_id, limit=limit, only_open=not everything)

    lines = in_house(work)
    emit([views.document(line) for line in lines], as_json, lambda _: views.listing(lines, everything))


@app.command()
def show(deployment: One, as_json: AsJson = False) -> None:
    """Show how one stands: its account, its ticks, what it was told, the last lines of its log."""

    async def work(home: House) -> "Shown":
        from control import commands
        from control import deployments as control

        row = await control.find(home.database, home.user_id, deployment)
        line, figures = await control.seen(home.database, home.user_id, row.id)
        told = await commands.latest(home.database, home.user_id, row.id, limit=COMMANDS_SHOWN)
        lines = await control.logs(home.database, home.user_id, row.id, limit=LINES_SHOWN)
        return line, figures, told, lines

    line, figures, told, lines = in_house(work)
    emit(
        views.document(line, figures, told, lines),
        as_json,
        lambda _: views.shown(line, figures, told, lines),
    )
