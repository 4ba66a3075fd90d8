"""`agentic halt`: lift a halt by hand."""

import typer

from cli.commands import WAIT_S, NoWait, One, Timeout, tell
from cli.output import AsJson
from domain.deployments import CommandKind

app = typer.Typer(no_args_is_help=True, help="Halts: lift one by hand.")


@app.callback()
def _group() -> None:
    """Makes this a group though it has one command only."""


@app.command()
def reset(
    deployment: One, no_wait: NoWait = False, timeout: Timeout = WAIT_S, as_json: AsJson = False
) -> None:
    """Lift a halt. After a drawdown, what the account is worth now is its new peak."""
    tell(CommandKind.RESET_HALT, deployment, no_wait, timeout, as_json)
