"""What is up, and what can be done about it: ps, status, restart, down. They ask the processes themselves."""

from difflib import get_close_matches
from typing import Annotated

import typer

from cli import processes_views as views
from cli.output import AsJson, emit, plain_errors
from cli.running import NOTHING_RUNS, Here, Process, Running, all_that_is_up, running_here
from config.settings import load_settings
from control.errors import NotFound, Refused
from supervisor.operations import ACT_S, Done

app = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="A child, as `agentic ps` names it.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, max=3600, help="How many seconds to wait.")]


@app.command()
def ps(as_json: AsJson = False) -> None:
    """Show every process that is up, with all its children."""
    with plain_errors():
        emit(_processes(), as_json, views.trees)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say on one screen whether it is up, since when, and what is wrong."""
    with plain_errors():
        emit([views.summary(process) for process in _processes()], as_json, views.summaries)


@app.command()
def restart(name: Name, as_json: AsJson = False) -> None:
    """End a child in order and start it again, with its failures forgotten."""
    with plain_errors(), running_here(load_settings()) as running:
        here = _who_has(name, running)
        here.connection.ask("restart", Done, within_s=ACT_S + 5, name=name)
        emit(
            {"name": name, "pid": here.tree.pid},
            as_json,
            lambda done: f"{name} is started again, in process {done['pid']}.",
        )


@app.command()
def down(timeout: Timeout = 60.0, as_json: AsJson = False) -> None:
    """Stop everything that runs here, and wait until it has ended."""
    with plain_errors(), running_here(load_settings()) as running:
        if running.is_empty:
            raise Refused(NOTHING_RUNS)
        ending = list[Here]()
        left = list(running.silent)
        for here in running.here:
            try:
                here.connection.ask("shutdown", Done)
                ending.append(here)
            except Refused as error:
                left.append(f"process {here.tree.pid} can't end: {error}; `kill -9 {here.tree.pid}` ends it")
        gone = {here.tree.pid: here.connection.wait_until_gone(timeout) for here in ending}
        left += [f"process {pid} has not ended after {timeout:g} s" for pid in gone if not gone[pid]]
        emit({"stopped": [pid for pid in gone if gone[pid]], "left": left}, as_json, views.ended)
    if left:
        raise typer.Exit(1)


def _processes() -> list[Process]:
    found = all_that_is_up(load_settings())
    if not found:
        raise Refused(NOTHING_RUNS)
    return found


def _who_has(name: str, running: Running) -> Here:
    """Find the process of this home that has a child. Raises Refused or NotFound."""
    if not running.here:
        raise Refused(running.silent[0] if running.silent else NOTHING_RUNS)
    names = {child.name: here for here in running.here for child in here.tree.children}
    if name in names:
        return names[name]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "`agentic ps` shows what there is"
    raise NotFound(f"nothing that runs here is called {name}; {hint}")
