"""What a deployment is told on the command line: stop, pause, resume, flatten, kill, close, cancel, upgrade.

Each waits for what comes of it, and ends with 1 when it was not carried out.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.boot import House, in_house
from cli.output import AsJson, emit, say
from domain.deployments import CommandKind, CommandState

if TYPE_CHECKING:
    from uuid import UUID

    from db.commands import CommandRow
    from db.deployments import DeploymentRow

app = typer.Typer()

One = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="Its id, the end of one, `last`, or the Skill's name.")
]
Some = Annotated[
    str | None,
    typer.Argument(
        metavar="DEPLOYMENT",
        help="Its id, the end of one, `last`, or the Skill's name.",
        show_default=False,
    ),
]
All = Annotated[bool, typer.Option("--all", help="Tell all deployments that are open.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Send it, and don't wait for what comes of it.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, max=3600, help="How many seconds to wait.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]

WAIT_S = 30.0

DONE = {
    CommandKind.STOP: "stopped",
    CommandKind.PAUSE: "paused",
    CommandKind.RESUME: "resumed",
    CommandKind.FLATTEN: "flat",
    CommandKind.KILL: "killed",
    CommandKind.CLOSE: "closing",
    CommandKind.CANCEL: "cancelled",
    CommandKind.UPGRADE: "upgraded",
    CommandKind.RESET_HALT: "halt lifted",
}
"""What is said when a command was carried out."""


@app.command()
def stop(
    deployment: Some = None,
    every: All = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """End it in order. Positions are kept with their protections, or flattened, as its Skill says."""
    if every:
        _confirm("Stop all deployments?", yes=yes)
    _tell_some(CommandKind.STOP, deployment, every, no_wait, timeout, as_json)


@app.command()
def pause(
    deployment: Some = None,
    every: All = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """Take no more ticks. Prices, protections and halts go on."""
    _tell_some(CommandKind.PAUSE, deployment, every, no_wait, timeout, as_json)


@app.command()
def resume(
    deployment: One, no_wait: NoWait = False, timeout: Timeout = WAIT_S, as_json: AsJson = False
) -> None:
    """Go on after a pause."""
    _tell_one(CommandKind.RESUME, deployment, no_wait, timeout, as_json)


@app.command()
def flatten(
    deployment: Some = None,
    every: All = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """Cancel what could open something, close all positions at the market's price, and pause."""
    _confirm(f"Close everything that {_whom(deployment)} at the market's price?", yes=yes)
    _tell_some(CommandKind.FLATTEN, deployment, every, no_wait, timeout, as_json)


@app.command()
def kill(
    deployment: Some = None,
    every: All = False,
    yes: Yes = False,
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """End it now: abandon what it is thinking, close all positions. It can't be resumed."""
    _confirm(f"Kill it, and close everything that {_whom(deployment)}?", yes=yes)
    _tell_some(CommandKind.KILL, deployment, every, no_wait, timeout, as_json)


@app.command()
def close(
    deployment: One,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="What is held, such as BTC.")],
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """Close one position, by hand."""
    _tell_one(CommandKind.CLOSE, deployment, no_wait, timeout, as_json, {"symbol": symbol})


@app.command()
def cancel(
    deployment: One,
    order: Annotated[int, typer.Argument(metavar="ORDER", min=1, help="The order's number.")],
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """Withdraw one order, by hand."""
    _tell_one(CommandKind.CANCEL, deployment, no_wait, timeout, as_json, {"order": order})


@app.command()
def upgrade(
    deployment: One,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="A version of the same Skill: 3, or NAME@3.")
    ],
    no_wait: NoWait = False,
    timeout: Timeout = WAIT_S,
    as_json: AsJson = False,
) -> None:
    """Go on with another version of the same Skill, from the next tick on."""

    async def work(home: House) -> "list[tuple[DeploymentRow, CommandRow]]":
        from control import deployments

        row = await deployments.find(home.database, home.user_id, deployment)
        found = await deployments.successor(home.database, home.user_id, row, version, home.provider)
        args = {"version_id": str(found.id)}
        return [await _send(home, row, CommandKind.UPGRADE, args, no_wait, timeout)]

    show(in_house(work), as_json, wait=not no_wait, many=False)


def tell(
    kind: CommandKind, deployment: str, no_wait: bool, timeout_s: float, as_json: bool, **args: Any
) -> None:
    """Tell one deployment something, and show what came of it."""
    _tell_one(kind, deployment, no_wait, timeout_s, as_json, args)


def _tell_one(
    kind: CommandKind,
    deployment: str,
    no_wait: bool,
    timeout_s: float,
    as_json: bool,
    args: dict[str, Any] | None = None,
) -> None:
    async def work(home: House) -> "list[tuple[DeploymentRow, CommandRow]]":
        from control import deployments

        row = await deployments.find(home.database, home.user_id, deployment)
        return [await _send(home, row, kind, args or {}, no_wait, timeout_s)]

    show(in_house(work), as_json, wait=not no_wait, many=False)


def _tell_some(
    kind: CommandKind, deployment: str | None, every: bool, no_wait: bool, timeout_s: float, as_json: bool
) -> None:
    """Tell one deployment, or all of them."""
    if (deployment is not None) is every:
        raise typer.BadParameter("name a deployment, or say --all", param_hint="DEPLOYMENT")
    if deployment is not None:
        _tell_one(kind, deployment, no_wait, timeout_s, as_json)
        return

    async def work(home: House) -> "list[tuple[DeploymentRow, CommandRow]]":
        from control import commands, deployments

        waits = await _will_be_taken(home, kind) and not no_wait
        async with home.listener as listener:
            sent = await commands.command_all(
                home.database, home.user_id, kind, timeout_s=timeout_s, wait=waits, listener=listener
            )
        return [(await deployments.load(home.database, home.user_id, one.deployment_id), one) for one in sent]

    show(in_house(work), as_json, wait=not no_wait, many=True)


async def _send(
    home: House,
    row: "DeploymentRow",
    kind: CommandKind,
    args: dict[str, Any],
    no_wait: bool,
    timeout_s: float,
) -> "tuple[DeploymentRow, CommandRow]":
    from control import commands

    waits = not no_wait and await _will_be_taken(home, kind, row.id)
    async with home.listener as listener:
        sent = await commands.command(
            home.database,
            home.user_id,
            row.id,
            kind,
            args,
            timeout_s=timeout_s,
            wait=waits,
            listener=listener,
        )
    return row, sent


async def _will_be_taken(home: House, kind: CommandKind, deployment_id: "UUID | None" = None) -> bool:
    """Whether it is worth waiting: somebody runs deployments, or the command won't keep."""
    from control import commands, deployments

    if await deployments.is_anybody_running(home.database, deployment_id):
        return True
    if kind in commands.KEPT:
        return False
    say("no `agentic up` is running; waiting for one to take it")
    return True


def show(
    sent: "Sequence[tuple[DeploymentRow, CommandRow]]", as_json: bool, *, wait: bool, many: bool
) -> None:
    """Print what came of commands; ends with 1 when one was waited for and is not done."""
    documents = [_document(command) for _, command in sent]
    lines = [_line(row, command) for row, command in sent]
    emit(
        documents if many else documents[0],
        as_json,
        lambda _: "\n".join(lines) or "No deployment is open.",
    )
    if wait and any(command.state is not CommandState.DONE for _, command in sent):
        raise typer.Exit(1)


def _line(row: "DeploymentRow", command: "CommandRow") -> str:
    name = f"{row.skill_name} {short(row.id)}"
    match command.state:
        case CommandState.DONE:
            return f"{name}: {DONE.get(command.kind, 'done')}{_more(command)}"
        case CommandState.FAILED | CommandState.EXPIRED:
            why = command.error or "nobody took it in time"
            more = "; start `agentic up`, then send it again" if command.state is CommandState.EXPIRED else ""
            return f"{name}: {_spoken(command.kind)} was not carried out: {why}{more}"
        case CommandState.ACKNOWLEDGED:
            return (
                f"{name}: {_spoken(command.kind)} is being carried out; "
                f"see agentic deployments show {short(row.id)}"
            )
        case _:
            from domain.time import iso

            until = f"whoever runs it next, until {iso(command.deadline_ts)}"
            return f"{name}: {_spoken(command.kind)} is kept for {until}"


def _spoken(kind: CommandKind) -> str:
    """A command as it is typed."""
    return "halt reset" if kind is CommandKind.RESET_HALT else kind.value


def _more(command: "CommandRow") -> str:
    """What is worth telling of a result."""
    result = command.result or {}
    if orders := result.get("orders"):
        return f", order {', '.join(map(str, orders))}"
    if holding := result.get("holding"):
        return f"; it still holds {', '.join(holding)}"
    if command.kind is CommandKind.UPGRADE and "to" in result:
        return f" from version {result.get('from')} to {result['to']}"
    return f", {note}" if (note := result.get("note")) else ""


def _document(command: "CommandRow") -> dict[str, Any]:
    """The stable fields of a command."""
    return {
        "command_id": command.id,
        "deployment_id": command.deployment_id,
        "kind": command.kind,
        "args": command.args,
        "state": command.state,
        "result": command.result,
        "error": command.error,
    }


def short(deployment_id: "UUID") -> str:
    """The end of an id, by which it can be named."""
    return str(deployment_id)[-8:]


def _whom(deployment: str | None) -> str:
    return "all deployments hold" if deployment is None else f"{deployment} holds"


def _confirm(question: str, *, yes: bool) -> None:
    """Ask before what can't be undone; refuse where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise _unasked()
    if not typer.confirm(question, err=True):
        say("nothing was sent")
        raise typer.Exit(1)


def _unasked() -> typer.Exit:
    say("this can't be undone, and nobody can be asked here; add --yes")
    return typer.Exit(1)
