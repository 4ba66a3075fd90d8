"""`agentic doctor`: what is wrong with this machine's set-up, or every setting with where it came from."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from cli.checks import Check, State
from cli.doctor import run_checks
from cli.output import AsJson, emit, plain_errors
from config.settings import load_settings
from config.settings_shown import SettingLine, describe_settings

app = typer.Typer()

_STYLES = {State.OK: "green", State.WARN: "yellow", State.BAD: "bold red"}


@app.command()
def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Try the key for models, too, with a request that costs nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at everything that has to be right, and say what to do where it isn't."""
    with plain_errors():
        if settings:
            emit(describe_settings(load_settings()), as_json, _settings_table)
            return
        checks = run_checks(probe=probe)
        emit(checks, as_json, _checks_table)
    if any(check.state is State.BAD for check in checks):
        raise typer.Exit(1)


def _checks_table(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in range(3):
        table.add_column(overflow="fold", no_wrap=column < 2)
    for check in checks:
        table.add_row(Text(check.state, _STYLES[check.state]), check.name, check.found)
        if check.todo:
            table.add_row("", "", f"→ {check.todo}")
    return table


def _settings_table(lines: list[SettingLine]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("Setting", "Value", "From", "Meaning"):
        table.add_column(head, overflow="fold", no_wrap=head == "Setting")  # a name is copied whole
    for line in lines:
        table.add_row(line.name, line.value, line.origin, line.meaning)
    return table
