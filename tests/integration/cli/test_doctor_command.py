"""`agentic doctor` as people call it."""

import json

import pytest

from tests.integration.cli.conftest import Agentic
from tests.standins.messages_api import stand_in_thread


def test_a_healthy_machine_is_told_line_by_line(agentic: Agentic) -> None:
    """Exit code 0 and one line a check."""
    result = agentic("doctor")

    assert result.exit_code == 0
    assert any(line.split()[:2] == ["ok", "database"] for line in result.stdout.splitlines())


def test_what_will_not_work_is_exit_code_1(agentic: Agentic, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it, also as JSON."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    shown, document = agentic("doctor"), agentic("doctor", "--json")

    assert (shown.exit_code, document.exit_code) == (1, 1)
    assert "→ see `agentic doctor --settings`" in shown.stdout
    assert {check["name"]: check["state"] for check in json.loads(document.stdout)}["database"] == "bad"


def test_a_probe_reaches_the_models_api_without_asking_a_model(
    agentic: Agentic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real client finds the stand-in; a wrong key is exit code 1."""
    with stand_in_thread(keys={"sk-right"}) as api:
        monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", api.url)
        monkeypatch.setenv("AGENTIC_ANTHROPIC_API_KEY", "sk-right")
        right = agentic("doctor", "--probe")
        monkeypatch.setenv("AGENTIC_ANTHROPIC_API_KEY", "sk-wrong")
        wrong = agentic("doctor", "--probe")

        assert (right.exit_code, wrong.exit_code) == (0, 1)
        assert (len(api.counted), api.calls) == (2, 0)
    assert "has no objection to the key" in right.stdout
    assert "sk-wrong" not in wrong.stdout + wrong.stderr


def test_every_setting_is_listed_with_where_it_came_from(
    agentic: Agentic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets are not shown."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1/x")
    monkeypatch.setenv("AGENTIC_WEB_PORT", "9000")

    lines = {line["name"]: line for line in json.loads(agentic("doctor", "--settings", "--json").stdout)}

    assert (lines["AGENTIC_WEB_PORT"]["value"], lines["AGENTIC_WEB_PORT"]["origin"]) == (
        "9000",
        "environment",
    )
    assert "hunter2" not in agentic("doctor", "--settings").stdout


def test_a_wrong_setting_is_one_line(agentic: Agentic, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the list of settings, and for any other command that reads them."""
    monkeypatch.setenv("AGENTIC_WEB_PROT", "9000")

    for command in (["doctor", "--settings"], ["skill", "list"], ["up"]):
        result = agentic(*command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "AGENTIC_WEB_PROT is not a setting; did you mean AGENTIC_WEB_PORT?\n"
