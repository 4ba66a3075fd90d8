"""`agentic sim bundle`, `import` and `replay` as people and programs meet them."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from db.pool import Database
from tests.integration.cli.conftest import Agentic
from tests.integration.simulator.bundles import lines_of, write
from tests.integration.simulator.samples import keep_market, skill_text


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of BTC."""
    await keep_market(database)


@pytest.fixture
def done(agentic: Agentic, market: None, tmp_path: Path) -> Any:
    """A finished run, as JSON."""
    (tmp_path / "sample.md").write_text(skill_text())
    return said(agentic, "run", "sample.md")


def said(agentic: Agentic, *arguments: str, code: int = 0) -> Any:
    """The JSON document of a command."""
    ended = agentic("sim", *arguments, "--json")
    assert ended.exit_code == code, ended.output
    return json.loads(ended.stdout)


def test_a_run_goes_out_and_comes_in_again(agentic: Agentic, done: Any, tmp_path: Path) -> None:
    """The file says what is in it; taken in, it is the same to the byte, and a report can be had."""
    told = said(agentic, "bundle", "last", "--to", "run.agentic")
    assert told["digests"] == done["digests"]
    assert told["bytes"] == (tmp_path / "run.agentic").stat().st_size
    assert "rows of market data" in agentic("sim", "bundle", "last", "--to", "again.agentic").stdout

    found = said(agentic, "import", "run.agentic", "--report", "there.html")
    assert (found["same"], found["differs"]) == (True, [])
    assert found["digests"] == done["digests"]
    assert "<html" in (tmp_path / "there.html").read_text()
    assert "the same to the byte" in agentic("sim", "import", "run.agentic").stdout


def test_ones_own_run_is_replayed_and_compared(agentic: Agentic, done: Any) -> None:
    """The replay is a run of its own."""
    found = said(agentic, "replay", done["run_id"])
    assert found["same"] is True
    assert UUID(found["run_id"]) != UUID(done["run_id"])


def test_a_replay_that_is_not_the_same_ends_with_one(agentic: Agentic, done: Any, tmp_path: Path) -> None:
    """It says which digest differs."""
    said(agentic, "bundle", "last", "--to", "run.agentic")
    lines = lines_of(tmp_path / "run.agentic")
    lines[0]["digests"]["ledger"] = "0" * 64
    write(tmp_path / "other.agentic", lines)
    assert said(agentic, "import", "other.agentic", code=1)["differs"] == ["ledger"]
    ended = agentic("sim", "import", "other.agentic")
    assert ended.exit_code == 1
    assert "the digest of the ledger differs" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (("import", "nowhere"), "nowhere"),
        (("import", "sample.md"), "not a bundle"),
        (("bundle", "last", "--to", "no/such/folder/run"), "can't be written"),
        (("import", "run.agentic", "--report", "no/such/folder/page.html"), "no/such/folder"),
        (("replay", "00000000"), "no run"),
    ],
)
def test_what_can_not_be_done_is_one_line(
    agentic: Agentic, done: Any, arguments: tuple[str, ...], about: str
) -> None:
    """Nothing on stdout, one line on stderr, and no traceback."""
    said(agentic, "bundle", "last", "--to", "run.agentic")
    ended = agentic("sim", *arguments)
    assert ended.exit_code in (1, 2)
    assert ended.stdout == ""
    assert about in ended.stderr
    assert "Traceback" not in ended.stderr
    if ended.exit_code == 1:
        assert ended.stderr.count("\n") == 1
