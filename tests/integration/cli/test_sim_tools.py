"""A model's run with tools of an MCP server at the command line: approved, recorded, handed on without the server."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from db.pool import Database
from tests.architecture.repository import ROOT
from tests.integration.cli.conftest import Agentic
from tests.integration.simulator.samples import keep_market
from tests.integration.simulator.thinking import thinker
from tests.standins.brains import digest, turns
from tests.standins.messages_api import stand_in_thread
from tests.standins.steps import Step, call, say

KEY = "sk-ant-planted-0123456789"
PERIOD = ("--from", "2025-01-02", "--to", "2025-01-03")
SETTINGS = ("ANTHROPIC_API_KEY", "AGENTIC_MODEL_BASE_URL", "AGENTIC_MCP_SERVERS")


def reader(body: Any, number: int) -> Step:
    """Asks the server, then trades by what was answered."""
    if turns(body) == 0:
        return call("desk__stories", {"limit": 2})
    if turns(body) == 1:
        side = "buy" if digest(body) % 2 else "sell"
        return call("propose_order", {"symbol": "BTC", "side": side, "size": "0.01"})
    return say("I went by the stories.")


@pytest.fixture
async def market(database: Database, tmp_path: Path) -> None:
    """Two hundred hours of BTC, a Skill that reads, and what its server knows."""
    await keep_market(database)
    text = thinker(tools="[propose_order, desk.stories]\nmcp: [desk]")
    (tmp_path / "thinker.md").write_text(text)
    story = {"known_at": "2025-01-01T00:00:00Z", "text": "a story of the desk"}
    (tmp_path / "stories.jsonl").write_text(json.dumps(story))


def test_a_run_with_tools_is_replayed_and_handed_on_without_them(
    agentic: Agentic, market: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With neither key nor server in the settings, and the approval taken back; a new run is told what it lacks."""

    def said(*arguments: str) -> Any:
        ended = agentic(*arguments, "--json")
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    command = [sys.executable, "-m", "tests.standins.mcp_server", "stdio"]
    env = {"PYTHONPATH": str(ROOT), "STANDIN_TABLE": str(tmp_path / "stories.jsonl")}
    desk = {"command": command, "env": env, "as_of": "as_of"}
    with stand_in_thread(reader) as api:
        for name, value in zip(SETTINGS, (KEY, api.url, json.dumps({"desk": desk})), strict=True):
            monkeypatch.setenv(name, value)
        said("tools", "approve", "desk", "stories")
        done = said("sim", "run", "thinker.md", *PERIOD)
        assert api.calls == 6 * 3
        assert b"a story of the desk" in api.requests[1].raw
    for name in SETTINGS:
        monkeypatch.delenv(name)
    said("tools", "revoke", "desk")

    again = said("sim", "replay", done["run_id"])
    said("sim", "bundle", done["run_id"], "--to", "run.agentic")
    there = said("sim", "import", "run.agentic")
    assert again["same"] is there["same"] is True
    assert again["digests"] == there["digests"] == done["digests"]

    new = agentic("sim", "run", "thinker.md", *PERIOD, "--mode", "replay")
    assert new.exit_code == 1
    assert "desk.stories is not approved" in new.stderr
    assert "agentic tools approve desk stories" in new.stderr
