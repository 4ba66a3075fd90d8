"""The command as a whole: its help, its usage errors, and what is loaded when."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import COMMANDS, app, load

HEAVY = ("asyncpg", "aiohttp", "numpy", "pyarrow", "pydantic", "rich.progress")


def test_the_help_lists_every_command_with_its_line() -> None:
    """All that there is, without loading any of it."""
    shown = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["--help"])

    assert shown.exit_code == 0
    for name, lazy in COMMANDS.items():
        assert f" {name} " in shown.output
        assert lazy.help in shown.output


def test_help_loads_nothing_heavy() -> None:
    """The drivers, the server and the number crunchers wait until a command needs them."""
    code = (
        "import sys; from typer.testing import CliRunner; from cli.main import app; "
        f"CliRunner().invoke(app, ['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_version_is_the_distributions() -> None:
    """Name and number, nothing else."""
    shown = CliRunner().invoke(app, ["--version"])

    assert (shown.exit_code, shown.output) == (0, f"agentic {version('agentic-trading')}\n")


@pytest.mark.parametrize("arguments", [["skil"], ["skill", "chekc"], ["--nope"], ["skill", "check"]])
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    """And says what is wrong on stderr."""
    done = CliRunner().invoke(app, arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: " in done.stderr


def test_a_mistyped_command_is_guessed() -> None:
    """As far as it can be, though nothing is loaded."""
    assert "Did you mean 'skill'" in CliRunner().invoke(app, ["skil"]).stderr


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with what one types for it."""
    for name, below in getattr(command, "commands", {}).items():
        yield from leaves(below, f"{path} {name}")
    if not hasattr(command, "commands"):
        yield path, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_takes_json(name: str) -> None:
    """Whatever the table names can be loaded, and each command in it has a line of help and `--json`."""
    for path, command in leaves(load(name), name):
        assert command.help, path
        assert "--json" in {option for parameter in command.params for option in parameter.opts}, path


def test_the_line_of_the_skills_names_them_all() -> None:
    """The help of the whole keeps up with the group."""
    assert COMMANDS["skill"].help == "Skills: " + ", ".join(load("skill").commands)


def test_a_commands_own_help_has_its_name() -> None:
    """A module may hold one command of the name, or a group of them."""
    assert (
        "Usage: agentic doctor [OPTIONS]"
        in CliRunner().invoke(app, ["doctor", "-h"], prog_name="agentic").output
    )
    assert set(load("skill").commands) >= {
        "new",
        "check",
        "save",
        "list",
        "show",
        "diff",
        "export",
        "archive",
    }
