"""`agentic up` as a process of its own, from its first start to its end."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.groups.web import is_loopback, listen, url_of
from control.errors import Refused

COMMAND = Path(sys.executable).parent / "agentic"
LONGEST_S = 60.0


@contextmanager
def started(home: Path, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """A running `agentic up`, with what it said of itself. One that hangs is killed, and so is one left over."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AGENTIC_", "DATABASE_"))
    }
    process = subprocess.Popen(
        [COMMAND, "up", "--port", "0", "--json", *options],
        cwd=home.parent,
        env=kept | {"AGENTIC_HOME": str(home)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = Timer(LONGEST_S, process.kill)
    watchdog.start()
    assert process.stdout
    try:
        said = "".join(iter_document(process.stdout))
        assert said, f"it did not come up: {process.communicate()[1]}"
        yield process, json.loads(said)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def iter_document(lines: Iterator[str]) -> Iterator[str]:
    """The lines of one JSON document."""
    for line in lines:
        yield line
        if line.startswith("}"):
            return


def get(url: str, cookie: str = "") -> HTTPResponse:
    """Ask for an address, following nothing."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("GET", f"{parts.path or '/'}?{parts.query}", headers={"Cookie": cookie})
    return connection.getresponse()


def test_the_first_start_serves_a_market_a_skill_and_a_way_in(tmp_path: Path) -> None:
    """From nothing to the page; Ctrl-C ends it with 0, and its database with it."""
    home = tmp_path / "home"
    with started(home) as (process, said):
        alive = get(f"{said['url']}/healthz").status
        entered = get(said["sign_in_url"])
        page = get(said["url"], (entered.headers["Set-Cookie"] or "").partition(";")[0]).read().decode()
        pid_file = home / "postgres" / "data" / "postmaster.pid"
        server = int(pid_file.read_text().split()[0])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LONGEST_S)

    assert (alive, entered.status, process.returncode) == (200, 303, 0)
    assert "agentic sim run btc-trend" in page
    assert "agentic data synth" not in page
    assert errors.splitlines()[0].startswith(
        "Made up a market to play with, BTC from 2024-01-01 to 2025-01-01"
    )
    assert errors.splitlines()[1:] == ["Stopping."]
    assert not pid_file.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def test_a_page_in_the_middle_of_its_work_ends_on_sigterm(
    anyio_backend: str, database_url: str, tmp_path: Path
) -> None:
    """As a container's end; a connection that is kept open does not hold it up."""
    with started(tmp_path / "home", "--no-demo", DATABASE_URL=database_url) as (process, said):
        parts = urlsplit(said["url"])
        with socket.create_connection((parts.hostname, parts.port)) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /")
            assert idle.recv(100).startswith(b"HTTP/1.1 200 OK")
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=LONGEST_S)

    assert (process.returncode, errors) == (0, "Stopping.\n")


def test_no_demo_leaves_the_database_empty(anyio_backend: str, database_url: str, tmp_path: Path) -> None:
    """The page then says how data and a Skill are made."""
    with started(tmp_path / "home", "--no-demo", DATABASE_URL=database_url) as (_, said):
        cookie = (get(said["sign_in_url"]).headers["Set-Cookie"] or "").partition(";")[0]
        page = get(said["url"], cookie).read().decode()

    assert "agentic data synth" in page
    assert "agentic skill new" in page


def test_open_to_the_network_there_is_no_link(anyio_backend: str, database_url: str, tmp_path: Path) -> None:
    """The page says that nobody can sign in, and those who watch over it are answered."""
    options = ("--no-demo", "--host", "0.0.0.0")
    with started(tmp_path / "home", *options, DATABASE_URL=database_url) as (_, said):
        alive, entered = get(f"{said['url']}/healthz").status, get(f"{said['url']}/sign-in?code=None")

    assert said["sign_in_url"] is None
    assert (alive, entered.status) == (200, 403)


def test_a_taken_port_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    """Before a database is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [COMMAND, "up", "--port", str(port)],
            env=os.environ | {"AGENTIC_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"port {port} of 127.0.0.1 is taken; is it `agentic up` itself? "
        f"Else choose another port: agentic up --port {port + 1}\n"
    )
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("host", "is_local", "shown"),
    [("127.0.0.1", True, "127.0.0.1"), ("localhost", True, "127.0.0.1"), ("0.0.0.0", False, "127.0.0.1")],
)
def test_only_loopback_counts_as_this_machine(host: str, is_local: bool, shown: str) -> None:
    """And the address that is told can be opened here, whatever is listened to."""
    with listen(host, 0) as listener:
        assert is_loopback(listener) is is_local
        assert url_of(listener) == f"http://{shown}:{listener.getsockname()[1]}"


def test_an_address_of_another_machine_is_refused() -> None:
    """In one line."""
    with pytest.raises(Refused, match=r"can't serve at 192\.0\.2\.1:0: "):
        listen("192.0.2.1", 0)
