"""ps, status, logs, restart and down, on processes of their own."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from domain.time import parse_ts
from supervisor.client import Connection
from supervisor.operations import Done
from supervisor.run_folder import run_folder, sockets
from tests.integration.cli.conftest import Agentic
from tests.integration.cli.test_up import COMMAND, LONGEST_S, get, started

CHILDREN = {"heartbeat", "listener", "page"}


@contextmanager
def page_up(home: Path, database_url: str) -> Iterator["subprocess.Popen[str]"]:
    """A running `agentic up` with its page alone."""
    with started(home, "--group", "web", "--no-demo", DATABASE_URL=database_url) as (process, _):
        yield process


def document(agentic: Agentic, *arguments: str) -> Any:
    """What a command prints as JSON; it must not be refused."""
    done = agentic(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder that the commands of this test act on."""
    return tmp_path / "home"


@pytest.mark.parametrize(
    "command", [["ps"], ["status"], ["logs"], ["logs", "-f"], ["restart", "page"], ["down"]]
)
def test_when_nothing_runs_it_is_one_line(agentic: Agentic, command: list[str]) -> None:
    """With what to do, and exit code 1."""
    done = agentic(*command)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "nothing runs here; start it with `agentic up`\n"


def test_a_process_is_looked_at_mended_and_stopped(agentic: Agentic, database_url: str, home: Path) -> None:
    """By its name and its children's names; a second one of the same kind is refused meanwhile."""
    with page_up(home, database_url) as process:
        (shown,) = document(agentic, "ps")
        table = agentic("ps").stdout
        restarted = document(agentic, "restart", "page")
        refused = agentic("restart", "pagee")
        log = agentic("logs", "page").stdout
        (said,) = document(agentic, "logs", "page")
        (summary,) = document(agentic, "status")
        text = agentic("status").stdout
        second = subprocess.run(
            [COMMAND, "up", "--group", "web", "--port", "0"],
            env=os.environ | {"AGENTIC_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
        down = document(agentic, "down")
        _, errors = process.communicate(timeout=LONGEST_S)

    assert (shown["pid"], shown["groups"], shown["is_here"]) == (process.pid, ["web"], True)
    assert {child["name"]: child["state"] for child in shown["children"]} == dict.fromkeys(
        CHILDREN, "running"
    )
    assert (
        parse_ts(shown["started_ts"])
        <= parse_ts(shown["children"][0]["since_ts"])
        <= parse_ts(shown["seen_ts"])
    )
    assert table.splitlines()[0].startswith(f"Process {process.pid} on ")
    assert restarted == {"name": "page", "pid": process.pid}
    assert (refused.exit_code, refused.stderr) == (
        1,
        "nothing that runs here is called pagee; did you mean page?\n",
    )
    assert log.endswith(" INFO page: it is restarted by hand\n")
    assert (said["child"], said["event"]) == ("page", "it is restarted by hand")
    assert (summary["states"], summary["problems"]) == ({"running": 3}, [])
    assert "problems  none" in text
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith(
        f"`agentic up` runs here already: process {process.pid} has the group web; "
    )
    assert down == {"stopped": [process.pid], "left": []}
    assert process.returncode == 0
    assert errors.splitlines()[-1] == "Stopping."
    assert sockets(run_folder(home)) == []


def test_one_that_was_killed_is_not_in_the_way(agentic: Agentic, database_url: str, home: Path) -> None:
    """What it left is no process, and the next one takes its place."""
    with page_up(home, database_url) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = sockets(run_folder(home))
        stopped = agentic("down")
        with page_up(home, database_url) as again:
            found = {one["pid"]: one["is_here"] for one in document(agentic, "ps")}

    assert [path.name for path in left] == ["web.sock"]
    assert (stopped.exit_code, stopped.stderr) == (1, "nothing runs here; start it with `agentic up`\n")
    assert found[again.pid] is True
    assert found.get(process.pid, False) is False  # at most as it last showed itself


def test_processes_of_other_homes_are_seen_through_the_database(
    agentic: Agentic, database_url: str, home: Path, tmp_path: Path
) -> None:
    """With their children and their logs, as they last showed themselves."""
    with page_up(home, database_url) as here, page_up(tmp_path / "other", database_url) as there:
        found = {}
        while set(found) != {here.pid, there.pid} or len(found[there.pid]["children"]) != len(CHILDREN):
            found = {one["pid"]: one for one in document(agentic, "ps")}
        restart_there(tmp_path / "other", database_url)
        said: list[dict[str, Any]] = []
        while not said:
            said = document(agentic, "logs")
        table = agentic("ps").stdout

    assert (found[here.pid]["is_here"], found[there.pid]["is_here"]) == (True, False)
    assert {child["name"] for child in found[there.pid]["children"]} == CHILDREN
    assert [(one["child"], one["event"]) for one in said] == [("page", "it is restarted by hand")]
    assert f"Process {there.pid} on {found[there.pid]['host']} (as it last showed itself, " in table


def restart_there(home: Path, database_url: str) -> None:
    """Have another home's process log something."""
    environment = os.environ | {"AGENTIC_HOME": str(home), "DATABASE_URL": database_url}
    subprocess.run([COMMAND, "restart", "page"], env=environment, check=True, capture_output=True)


def test_a_log_is_followed_to_the_end_of_its_process(agentic: Agentic, database_url: str, home: Path) -> None:
    """A line for an event, as it comes; with --json an object a line."""
    environment = os.environ | {"AGENTIC_HOME": str(home)}
    environment.pop("DATABASE_URL")
    with page_up(home, database_url):
        follower = subprocess.Popen(
            [COMMAND, "logs", "-f", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watchdog = Timer(LONGEST_S, follower.kill)
        watchdog.start()
        assert follower.stdout
        agentic("restart", "page")
        first = json.loads(follower.stdout.readline())
        agentic("down")
        _, errors = follower.communicate(timeout=LONGEST_S)
        watchdog.cancel()

    assert (first["child"], first["event"]) == ("page", "it is restarted by hand")
    assert (follower.returncode, errors) == (0, "What was followed has ended.\n")


def test_a_process_that_drains_is_alive_but_not_ready(
    anyio_backend: str, database_url: str, home: Path
) -> None:
    """Those who watch over it send nobody there any more; it goes on until it is told to end."""
    with started(home, "--group", "web", "--no-demo", DATABASE_URL=database_url) as (process, said):
        ready = get(f"{said['url']}/readyz").read()
        with Connection(run_folder(home) / "web.sock") as connection:
            connection.ask("drain", Done)
        alive, draining = get(f"{said['url']}/healthz"), get(f"{said['url']}/readyz")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LONGEST_S)

    assert json.loads(ready) == {"ready": True, "problems": []}
    assert (alive.status, draining.status) == (200, 503)
    assert json.loads(draining.read()) == {"ready": False, "problems": ["It is ending."]}
    assert process.returncode == 0


def test_a_process_that_hangs_is_told_of(
    agentic: Agentic, database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how to end it, since it can't be asked to."""
    monkeypatch.setattr("supervisor.client.ANSWER_S", 0.2)
    with page_up(home, database_url) as process:
        process.send_signal(signal.SIGSTOP)
        down = agentic("down", "--json")

    line = f"process {process.pid} is up and does not answer; `kill -9 {process.pid}` ends it"
    assert (down.exit_code, json.loads(down.stdout)) == (1, {"stopped": [], "left": [line]})


def test_an_unknown_group_is_wrong_usage(agentic: Agentic) -> None:
    """With those that there are."""
    done = agentic("up", "--group", "web,chta")

    assert done.exit_code == 2
    assert "there is no group 'chta'; there are web, " in " ".join(done.stderr.replace("│", " ").split())
