"""The command line as people meet it: called in this process, on this test's own database and folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

Agentic = Callable[..., Result]


@pytest.fixture
def agentic(
    anyio_backend: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Agentic:
    """`agentic("skill", "list")` runs the command in an empty folder and gives how it ended and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return call
