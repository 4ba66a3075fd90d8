"""A key that is planted in the environment is found nowhere afterwards: no table, stream, traceback, report or file."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from db.connection import Connection
from db.pool import Database
from tests.integration.cli.conftest import Agentic
from tests.integration.cli.test_process import agentic as process
from tests.integration.simulator.samples import keep_market
from tests.integration.simulator.thinking import SKILL, thinker, whimsical
from tests.standins.messages_api import stand_in_thread
from tests.standins.steps import Step, refuse

KEY = "sk-ant-planted-0123456789"
PARTS = (KEY, KEY[7:], KEY[3:20])
"""The key, and pieces of it by which it would be known."""

RUN = ("sim", "run", "thinker.md", "--from", "2025-01-02", "--to", "2025-01-03")


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of one symbol."""
    await keep_market(database)


async def everything(admin: Connection) -> str:
    """All rows of all tables as text."""
    tables = await admin.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables"
        " where schemaname not in ('pg_catalog', 'information_schema')"
    )
    rows = [await admin.fetch(f"select t::text as row from {table['name']} t") for table in tables]
    assert len(rows) > 15
    return "\n".join(row["row"] for each in rows for row in each)


def unpacked(data: bytes) -> bytes:
    """What is in a file, which may be packed."""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def echo(body: Mapping[str, Any], number: int) -> Step:
    """Answer well for a while; then fail, repeating in the error whatever a provider may repeat."""
    if number < 3:
        return whimsical(body, number)
    status, kind = ((401, "authentication_error"), (400, "invalid_request_error"), (404, "not_found_error"))[
        number % 3
    ]
    return refuse(status, kind, f"bad key {KEY}, bearer {KEY}", headers={"x-echo": KEY})


@pytest.fixture
def said(agentic: Agentic, market: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every command that has to do with models said, those that fail too, with tracebacks."""
    (tmp_path / "thinker.md").write_text(SKILL)
    (tmp_path / "refused.md").write_text(thinker("refused"))
    monkeypatch.setattr("agent.asking.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("agent.asking.LONGEST_PAUSE_S", 0.001)
    monkeypatch.setenv("AGENTIC_LOG_LEVEL", "debug")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    commands: tuple[tuple[str, ...], ...] = (
        ("doctor", "--probe"),
        (*RUN, "--estimate"),
        (*RUN, "--report", "report.html", "--json"),
        ("sim", "show", "last", "--report", "shown.html"),
        ("sim", "list", "--json"),
        ("decisions", "last", "--json"),
        ("sim", "export", "last", "--to", "folder"),
        ("sim", "bundle", "last", "--to", "run.bundle"),
    )
    refused = ("sim", "run", "refused.md", "--from", "2025-01-02", "--to", "2025-01-03")
    results = []
    with stand_in_thread(whimsical) as api:
        monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", api.url)
        results += [agentic(*command) for command in commands]
    with stand_in_thread(echo) as api:
        monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", api.url)
        results += [agentic(*refused), *(agentic("sim", "resume", "last") for _ in range(3))]
        assert {asked.headers["authorization"] for asked in api.requests} == {f"Bearer {KEY}"}
    results.append(agentic("sim", "resume", "last"))  # nobody listens any more
    assert [result.exit_code for result in results[1 : len(commands)]] == [0] * (len(commands) - 1)
    assert [result.exit_code for result in results[-5:-1]] == [1] * 4
    assert "Traceback" in results[-4].stderr
    return [result.stdout + result.stderr for result in results]


async def test_a_key_is_nowhere_afterwards(said: list[str], admin: Connection, tmp_path: Path) -> None:
    """Runs, errors that repeat it, tracebacks, reports, exports, bundles, and all rows of all tables."""
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "shown.html", "run.bundle"} < {path.name for path in files}
    written = [unpacked(path.read_bytes()) for path in files]
    kept = await everything(admin)
    for part in PARTS:
        assert not [text for text in said if part in text]
        assert not [path for path, data in zip(files, written, strict=True) if part.encode() in data]
        assert part not in kept


def test_a_key_that_can_not_be_used_is_not_shown(tmp_path: Path) -> None:
    """Neither its own error nor that of another setting shows it, in a process of its own."""
    wrong: tuple[dict[str, str], ...] = (
        {"ANTHROPIC_API_KEY": f"{KEY} with spaces"},
        {"ANTHROPIC_API_KEY": KEY, "AGENTIC_MODEL_TIMEOUT_S": "soon"},
        {"ANTHROPIC_API_KEY": KEY, "AGENTIC_MODEL_BASE_URL": f"http://user:{KEY}@host"},
        {"ANTHROPIC_API_KEY": KEY, "AGENTIC_MODELS_FILE": "none.toml"},
    )
    for environment in wrong:
        done = process("sim", "list", cwd=tmp_path, AGENTIC_LOG_LEVEL="debug", **environment)
        assert done.returncode == 1
        assert KEY not in done.stdout + done.stderr
