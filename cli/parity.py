"""`agentic parity`: a deployment beside the simulator, and what explains the difference."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import parity_views as views
from cli.boot import House, in_house
from cli.commands import One
from cli.files import see_that_it_can_be_written, write_whole
from cli.output import AsJson, emit, progress, say

if TYPE_CHECKING:
    from control.parity import DeploymentParity

app = typer.Typer(help="A deployment beside the simulator: what differs, and why.")


@app.command()
def parity(
    deployment: One,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison here, as one HTML file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate what a deployment lived through, and say what differs and why. The causes add up to the whole."""
    see_that_it_can_be_written(report)
    found = in_house(lambda home: _compare(home, deployment, report))
    if report is not None:
        say(f"report: {report}")
    if not as_json:
        for warning in found.warnings:
            say(f"warning: {warning}")
    emit(views.document(found), as_json, lambda _: views.shown(found))


async def _compare(home: House, reference: str, report: Path | None) -> "DeploymentParity":
    from control import deployments
    from control.parity import parity as compared
    from control.parity import report_html

    row = await deployments.find(home.database, home.user_id, reference)
    with progress("simulating", 1.0) as tell:
        found = await compared(home.database, home.user_id, row.id, home.provider, home.clock, tell)
    if report is not None:
        write_whole(report, report_html(found))
    return found
