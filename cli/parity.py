"""`agentic parity`: a deployment beside the simulator, and what explains the difference."""

from typing import TYPE_CHECKING

import typer

from cli import parity_views as views
from cli.boot import House, in_house
from cli.commands import One
from cli.output import AsJson, emit, progress, say

if TYPE_CHECKING:
    from control.parity import DeploymentParity

app = typer.Typer(help="A deployment beside the simulator: what differs, and why.")


@app.command()
def parity(
    deployment: One,
    as_json: AsJson = False,
) -> None:
    """Simulate what a deployment lived through, and say what differs and why. The causes add up to the whole."""
    found = in_house(lambda home: _compare(home, deployment))
    if not as_json:
        for warning in found.warnings:
            say(f"warning: {warning}")
    emit(views.document(found), as_json, lambda _: views.shown(found))


async def _compare(home: House, reference: str) -> "DeploymentParity":
    from control import deployments
    from control.parity import parity as compared

    row = await deployments.find(home.database, home.user_id, reference)
    with progress("simulating", 1.0) as tell:
        return await compared(home.database, home.user_id, row.id, home.provider, home.clock, tell)
