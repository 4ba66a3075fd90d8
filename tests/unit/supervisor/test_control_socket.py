"""The control socket: served beside the main loop, to this user alone, whatever is sent to it."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.errors import Refused
from supervisor import control_socket
from supervisor.client import Connection, Unreachable
from supervisor.control_socket import MOST_CONNECTIONS, serving, user_of
from supervisor.wire import MOST_REQUEST_BYTES, BadRequest, Request


async def answering(request: Request) -> object:
    """Operations of these tests."""
    match request.op:
        case "echo":
            return request.args
        case "refuse":
            raise Refused("no, because")
        case "break":
            raise ZeroDivisionError
        case "never":
            await asyncio.Event().wait()
    raise BadRequest(f"there is no op {request.op!r}")


@contextmanager
def served(path: Path) -> Iterator[None]:
    """The socket, with nothing beside it."""
    with serving(path, answering, asyncio.Event().wait):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where this test's socket is."""
    return tmp_path / "web.sock"


def raw(path: Path) -> socket.socket:
    """A plain connection."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(30)
    connected.connect(str(path))
    return connected


def told(connected: socket.socket, line: bytes) -> dict[str, object]:
    """Send a line and read the answer's."""
    connected.sendall(line + b"\n")
    return dict(json.loads(connected.makefile("rb").readline()))


def test_what_is_asked_is_answered(path: Path) -> None:
    """One after the other on one connection, each with its id."""
    with served(path), raw(path) as connected:
        first = told(connected, b'{"id": "a", "op": "echo", "args": {"n": [1]}}')
        second = told(connected, b'{"id": 2, "op": "refuse"}')

    assert first == {"id": "a", "ok": {"n": [1]}}
    assert second == {"id": 2, "error": "no, because"}


@pytest.mark.parametrize("garbage", [b"", b"{", b"\x00\xff", b'{"id": 3}', b"[" * 1000, b"GET / HTTP/1.1\r"])
def test_garbage_is_answered_and_the_connection_goes_on(path: Path, garbage: bytes) -> None:
    """With one error in one line."""
    with served(path), raw(path) as connected:
        error = told(connected, garbage)
        after = told(connected, b'{"id": 1, "op": "echo"}')

    assert error["id"] is None
    assert "expected one JSON object a line" in str(error["error"])
    assert after == {"id": 1, "ok": {}}


def test_a_line_without_end_is_not_kept(path: Path) -> None:
    """It is skipped up to its end, and told once."""
    with served(path), raw(path) as connected:
        connected.sendall(b"x" * MOST_REQUEST_BYTES * 3)
        error = told(connected, b"")
        after = told(connected, b'{"id": 1, "op": "echo"}')

    assert error == {"id": None, "error": f"a line of more than {MOST_REQUEST_BYTES} bytes is not read"}
    assert after == {"id": 1, "ok": {}}


@given(pieces=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8), ends=st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_a_good_request_after_it_is_answered(
    path: Path, pieces: list[bytes], ends: bool
) -> None:
    """Each line before it has got one answer."""
    sent = b"".join(pieces) + b"\n"
    with served(path), raw(path) as connected:
        for piece in pieces:
            connected.sendall(piece)
        connected.sendall(b'\n{"id": "last", "op": "echo"}\n')
        answers = connected.makefile("rb")
        for _ in range(sent.count(b"\n")):
            assert json.loads(answers.readline()).keys() == {"id", "error"}
        assert json.loads(answers.readline()) == {"id": "last", "ok": {}}


def test_a_fault_of_ours_is_told_without_its_details(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are in the log; the socket lives on."""
    with served(path), raw(path) as connected:
        error = told(connected, b'{"id": 1, "op": "break"}')
        after = told(connected, b'{"id": 2, "op": "echo"}')

    assert error == {"id": 1, "error": "break failed, which is a fault of the program; its log says why"}
    assert after == {"id": 2, "ok": {}}
    assert "ZeroDivisionError" in caplog.text


def test_one_that_waits_for_its_answer_holds_up_no_other(path: Path) -> None:
    """Each connection is talked to by itself."""
    with served(path), raw(path) as waits, raw(path) as other:
        waits.sendall(b'{"id": 1, "op": "never"}\n')

        assert told(other, b'{"id": 2, "op": "echo"}') == {"id": 2, "ok": {}}


def test_it_is_answered_while_the_main_thread_is_busy(path: Path) -> None:
    """It has a thread and a loop of its own: here the main thread is inside of a blocking call."""
    answers = []

    def ask() -> None:
        with Connection(path) as connection:
            answers.append(connection.ask("echo", dict, n=1))

    async def main() -> None:
        with served(path):
            thread = Thread(target=ask)
            thread.start()
            thread.join()  # the loop does not turn

    asyncio.run(main())

    assert answers == [{"n": 1}]


def test_only_this_user_is_answered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file says so, and the other end is looked at."""
    with served(path):
        mode = stat.S_IMODE(path.stat().st_mode)
        monkeypatch.setattr(control_socket, "user_of", lambda peer: os.getuid() + 1)
        with raw(path) as connected:
            said = connected.makefile("rb").read()

    assert mode == 0o600
    assert json.loads(said) == {
        "id": None,
        "error": f"this is user {os.getuid()}'s, and you are user {os.getuid() + 1}",
    }


def test_the_other_ends_user_is_the_kernels_word(path: Path) -> None:
    """Not what it says of itself."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert user_of(ours) in (os.getuid(), None)  # None where the system can't say


def test_connections_are_bounded(path: Path) -> None:
    """One more is told so and closed, and there is room again when one leaves."""
    with served(path):
        held = [raw(path) for _ in range(MOST_CONNECTIONS)]
        for connected in held:
            told(connected, b'{"id": 1, "op": "echo"}')
        with raw(path) as one_more:
            said = json.loads(one_more.makefile("rb").read())
        for connected in held:
            connected.close()

    assert said == {"id": None, "error": f"{MOST_CONNECTIONS} connections are open already; close one"}


def test_what_a_killed_process_left_is_replaced(path: Path) -> None:
    """Its file is there, and nobody at it."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(Unreachable, match=r"nobody answers at .*web\.sock: Connection refused"):
        Connection(path)

    with served(path), Connection(path) as connection:
        assert connection.ask("echo", dict) == {}
    assert not path.exists()


def test_a_client_hears_refusals_and_the_end(path: Path) -> None:
    """As errors of its own, and as the connection's end."""
    with served(path):
        connection = Connection(path)
        with pytest.raises(Refused, match="no, because"):
            connection.ask("refuse", dict)
        with pytest.raises(Unreachable, match="could not be understood"):
            connection.ask("echo", int)
        assert not connection.wait_until_gone(0.01)

    assert connection.wait_until_gone(30)
    with pytest.raises(Unreachable):
        connection.ask("echo", dict)
