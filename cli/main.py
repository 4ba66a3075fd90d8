"""The `agentic` command. Its groups are named here and loaded when they are called, so that help is instant."""

import gc
import sys
from contextvars import ContextVar
from importlib import import_module
from types import TracebackType
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

PROGRAM = "agentic"

acting_as: ContextVar[str | None] = ContextVar("acting_as", default=None)
"""The email that `agentic --user` names; without one, commands act as the local owner."""


class Lazy(NamedTuple):
    """A command or a group of commands: the module whose `app` has it, and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "up": Lazy("cli.up", "Start everything and serve the page"),
    "ps": Lazy("cli.processes", "Every process that is up, with all its children"),
    "status": Lazy("cli.processes", "Whether it is up, since when, and what is wrong"),
    "logs": Lazy("cli.logs", "What was logged lately, of one child or of all"),
    "restart": Lazy("cli.processes", "End a child in order and start it again"),
    "down": Lazy("cli.processes", "Stop everything that runs here"),
    "data": Lazy("cli.data", "Market history: import it, make it up, see what there is"),
    "skill": Lazy("cli.skill", "Skills: new, check, save, list, show, diff, export, archive"),
    "sim": Lazy("cli.sim", "Simulations: run a Skill over history, and look at its results"),
    "deploy": Lazy("cli.deploy", "Let a Skill run: on paper, on history or on prices as they come"),
    "deployments": Lazy("cli.deployments", "Deployments: which are open, how one stands"),
    "stop": Lazy("cli.commands", "End a deployment in order"),
    "pause": Lazy("cli.commands", "Have a deployment take no more ticks"),
    "resume": Lazy("cli.commands", "Have a deployment go on after a pause"),
    "flatten": Lazy("cli.commands", "Close all that a deployment holds, and pause it"),
    "kill": Lazy("cli.commands", "End a deployment now, and close all that it holds"),
    "close": Lazy("cli.commands", "Close one position of a deployment, by hand"),
    "cancel": Lazy("cli.commands", "Withdraw one order of a deployment, by hand"),
    "upgrade": Lazy("cli.commands", "Have a deployment go on with another version of its Skill"),
    "halt": Lazy("cli.halt", "Halts: lift one by hand"),
    "parity": Lazy("cli.parity", "A deployment beside the simulator: what differs, and why"),
    "decisions": Lazy("cli.decisions", "Why a run or a deployment did what it did, decision by decision"),
    "tools": Lazy("cli.tools", "Tools: ours, and those of MCP servers, which need your approval"),
    "notify": Lazy("cli.notify", "Notifications: what you were told, and a test of the way out"),
    "user": Lazy("cli.user", "People: add one"),
    "doctor": Lazy("cli.doctor_command", "Say what is wrong with this machine's set-up, and every setting"),
}
"""What there is, in the order of the help. A module may hold a command of this name, or it is the group itself."""


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and line, and loads one only to run it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, lazy in COMMANDS.items():
            self.commands[name] = TyperCommand(name, callback=None, help=lazy.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:
    """Load a command or a group for running it."""
    group: Any = typer.main.get_group(import_module(COMMANDS[name].module).app)
    command = group.commands.get(name, group)
    command.name, command.help = name, command.help or COMMANDS[name].help
    return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Write a trading Skill, prove it on history, keep the proof.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"{PROGRAM} {version('agentic-trading')}")
        raise typer.Exit


@app.callback()
def _options(
    user: Annotated[
        str | None, typer.Option("--user", metavar="EMAIL", help="Act as this person, not the local owner.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    acting_as.set(user)


def main() -> None:
    """Run the command line and end the process: 0 done, 1 refused or failed, 2 wrong usage, 130 Ctrl-C."""
    sys.excepthook = _report
    try:
        typer.main.get_command(app)(prog_name=PROGRAM)
    finally:
        gc.freeze()  # the process ends here: nothing is left that is worth looking for


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what ended the process. A fault of the program's own asks to be reported, with its traceback."""
    from cli.output import is_debugging, say

    if is_debugging():
        sys.__excepthook__(kind, error, trace)
    elif not issubclass(kind, KeyboardInterrupt):
        reason = " ".join(f"{kind.__name__}: {error}".split())
        say(f"{PROGRAM} failed, which is a fault of its own: {reason}; AGENTIC_LOG_LEVEL=debug shows where")
