"""Whatever its children do, a process can be looked at, and what can be ended is ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bench.environments import ROOT
from cli.main import app
from tests.integration.cli.test_up import LONGEST_S


@contextmanager
def misbehaving(home: Path, how: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of this home that misbehaves; it is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.cli.misbehaving", str(home), how],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watchdog = Timer(LONGEST_S, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        watchdog.cancel()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the process; there is no database in it, and none is needed to look."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTIC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path / "home"


def agentic(*arguments: str) -> Result:
    """Run a command that must not be refused."""
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.stderr
    return done


def document(*arguments: str) -> Any:
    """What a command prints as JSON."""
    return json.loads(agentic(*arguments, "--json").stdout)


def test_children_that_compute_or_hang_hide_nothing(home: Path) -> None:
    """Neither a worker process nor a thread that takes all it can get, nor a handler that never returns."""
    with misbehaving(home, "aside") as process:
        (shown,) = document("ps")
        (said,) = document("status")
        restarted = document("restart", "hanging")
        events = [line["event"] for line in document("logs", "hanging")]
        down = document("down")

    children = {child["name"]: child for child in shown["children"]}
    assert (shown["pid"], shown["problems"]) == (process.pid, [])
    assert children["hanging"]["in_hand"] == "Misbehave"
    assert said["states"] == {"running": 3}
    assert restarted == {"name": "hanging", "pid": process.pid}
    assert "it is restarted by hand" in events
    assert down == {"stopped": [process.pid], "left": []}


def test_a_main_thread_that_never_rests_is_told_of(home: Path) -> None:
    """What is asked is answered from outside it, and says in which line of code it is."""
    with misbehaving(home, "loop") as process:
        while not (events := document("logs")):
            pass  # it is told of after two seconds; the watchdog ends a test that never hears of it
        (said,) = document("status")
        (shown,) = document("ps")

    assert events[0]["event"].startswith("nothing has gone on for")
    assert "the process is busy in cli/misbehaving.py:" in said["problems"][0]
    assert said["problems"][0].endswith("(compute)")
    children = {child["name"]: child["in_hand"] for child in shown["children"]}
    assert (shown["pid"], children["looping"]) == (process.pid, "Misbehave")
