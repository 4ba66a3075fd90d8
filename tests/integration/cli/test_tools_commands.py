"""`agentic tools …`: what there is, what a server offers, and whose word is taken for it."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.architecture.repository import ROOT
from tests.integration.cli.conftest import Agentic
from tests.standins.mcp_server import HIDDEN_PROMPT, INVISIBLE

SECRET = "sk-planted-secret"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`serve(STANDIN_GREETING=…)` sets the stand-in up as the server `desk`, with a secret in its environment."""

    def set_up(**env: str) -> None:
        command = [sys.executable, "-m", "tests.standins.mcp_server", "stdio"]
        desk = {"command": command, "env": {"PYTHONPATH": str(ROOT), "KEY": SECRET, **env}, "as_of": "as_of"}
        monkeypatch.setenv(
            "AGENTIC_MCP_SERVERS", json.dumps({"desk": desk, "down": {"command": "no-such-program"}})
        )

    return set_up


def states(agentic: Agentic) -> dict[str, Any]:
    """Each tool, or server, with its state."""
    result = agentic("tools", "list", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert SECRET not in result.stdout
    return {line["name"]: line["state"] for line in json.loads(result.stdout)}


def test_without_servers_there_are_the_trading_tools(agentic: Agentic) -> None:
    """They are ours and need no approval."""
    found = states(agentic)

    assert found["propose_order"] == "built-in"
    assert set(found.values()) == {"built-in"}


def test_a_tool_is_new_then_approved_then_changed_then_gone(
    agentic: Agentic, serve: Callable[..., None]
) -> None:
    """And a server that can't be reached does not hide the others."""
    serve()
    before = states(agentic)
    assert (before["desk.greet"], before["desk.stories"], before["down"]) == ("new", "new", "unreachable")

    assert agentic("tools", "approve", "desk", "greet", "stories").exit_code == 0
    approved = states(agentic)
    assert (approved["desk.greet"], approved["desk.stories"], approved["desk.slow"]) == (
        "approved",
        "approved",
        "new",
    )

    serve(STANDIN_GREETING=f"Greets.{INVISIBLE}")
    assert states(agentic)["desk.greet"] == "changed"

    assert agentic("tools", "revoke", "desk", "greet").exit_code == 0
    after = states(agentic)
    assert (after["desk.greet"], after["desk.stories"]) == ("new", "approved")


def test_a_change_is_shown_beside_what_was_approved(agentic: Agentic, serve: Callable[..., None]) -> None:
    """Word for word; a change that can't be seen is called that."""
    serve()
    agentic("tools", "approve", "desk", "greet")
    serve(STANDIN_GREETING=f"Greets. {HIDDEN_PROMPT}")
    seen = agentic("tools", "list").stdout
    serve(STANDIN_GREETING=f"Greets.{INVISIBLE}")
    unseen = agentic("tools", "list").stdout
    approval = agentic("tools", "approve", "desk", "greet").stdout

    assert "desk.greet has changed since you approved it:\n- Greets.\n" in seen
    assert f"\n+ Greets. {HIDDEN_PROMPT}\n" in seen
    for shown in (unseen, approval):
        assert "characters that can't be seen" in shown
    assert "agentic tools approve desk TOOL…" in seen
    assert SECRET not in seen + unseen + approval


def test_what_is_approved_is_said_word_for_word(agentic: Agentic, serve: Callable[..., None]) -> None:
    """With all arguments, for they are text that a model reads, too. Without names it is all there is."""
    serve()

    one = agentic("tools", "approve", "desk", "greet")
    everything = json.loads(agentic("tools", "approve", "desk", "--json").stdout)

    assert one.stdout.startswith("Approved desk.greet (")
    assert '  takes {"properties":{"name":' in one.stdout
    assert len(everything) == 10
    assert [each["before"] is not None for each in everything if each["tool"]["name"] == "greet"] == [True]


def test_a_server_that_was_taken_out_of_the_settings_keeps_its_approvals(
    agentic: Agentic, serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are listed as not set up, and can be revoked."""
    serve()
    agentic("tools", "approve", "desk", "greet")
    monkeypatch.delenv("AGENTIC_MCP_SERVERS")

    assert states(agentic)["desk.greet"] == "not set up"
    assert agentic("tools", "revoke", "desk").stdout == "Not approved any more: desk.greet.\n"
    assert "desk.greet" not in states(agentic)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("approve", "nobody"), "there is no MCP server nobody in AGENTIC_MCP_SERVERS; there are desk, down"),
        (
            ("approve", "down"),
            "the MCP server down can't be started: there is no such program as its command",
        ),
        (
            ("approve", "desk", "greet", "nothing"),
            "the MCP server desk offers no tool nothing; it offers ask_back",
        ),
        (("revoke", "desk"), "no tool of an MCP server desk is approved; see `agentic tools list`"),
        (
            ("revoke", "desk", "greet"),
            "of the MCP server desk greet is not approved; see `agentic tools list`",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    agentic: Agentic, serve: Callable[..., None], arguments: tuple[str, ...], says: str
) -> None:
    """Nothing is approved or taken back then."""
    serve()

    result = agentic("tools", *arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(says)
    assert result.stderr.count("\n") == 1


def test_servers_that_are_wrong_in_the_settings_are_one_line(
    agentic: Agentic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which key, and shows no value."""
    servers = {"desk": {"comand": SECRET}}
    monkeypatch.setenv("AGENTIC_MCP_SERVERS", json.dumps(servers))

    result = agentic("tools", "list")

    assert result.exit_code == 1
    assert "desk.comand is not known" in result.stderr
    assert SECRET not in result.stderr
