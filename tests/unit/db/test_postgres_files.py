"""Where the embedded server's files are, as whom it runs, and whether what answers on a socket is ready."""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.embedded import _failure, _pid_in
from db.errors import DiskFull, Unavailable
from db.postgres_files import SOCKET_PATH_MAX_BYTES, ServerUser, files_of
from db.postgres_probe import answers, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("name", ["home", "d" * 60, "é" * 60, "d" * 300])
def test_the_sockets_path_is_always_short_enough(name: str) -> None:
    """Near the data where it fits, else in a folder of its own; different homes have different ones."""
    files, others = (files_of(Path(root) / name[:200] / name[200:]) for root in ("/srv", "/var"))
    assert len(os.fsencode(files.socket)) < SOCKET_PATH_MAX_BYTES
    assert files.socket != others.socket
    assert (files.socket.parent.parent == files.root) == (
        len(os.fsencode(files.root / "run/.s.PGSQL.5432")) < 100
    )


def test_the_same_home_by_another_path_has_the_same_files(folder: Path) -> None:
    """A link to it, or a way round."""
    (folder / "home").mkdir()
    (folder / "link").symlink_to(folder / "home")
    assert files_of(folder / "link") == files_of(folder / "home") == files_of(folder / "home/../home")


def test_a_folder_that_is_a_link_is_not_taken(folder: Path) -> None:
    """Somebody else may have laid it there."""
    (folder / "run").symlink_to(tempfile.gettempdir())
    with pytest.raises(Unavailable, match="remove it or change its owner"):
        ServerUser(uid=None).own(folder / "run")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_is_not_taken(folder: Path) -> None:
    """The line names the folder and both users."""
    (folder / "run").mkdir()
    os.chown(folder / "run", 4321, 4321)
    with pytest.raises(Unavailable, match=r"/run is user 4321's, expected 0's"):
        ServerUser(uid=None).own(folder / "run")


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        (
            "x FATAL:  could not write lock file: No space left on device",
            DiskFull,
            "could not write lock file",
        ),
        ("LOG: starting\nx FATAL:  no good\nx FATAL:  worse", Unavailable, "no good"),
        ("x FATAL:  the database system is starting up\nx PANIC:  broken", Unavailable, "broken"),
        ("initdb: error: could not access directory", Unavailable, "could not access"),
        ("Segmentation fault", Unavailable, "Segmentation fault"),
        ("", Unavailable, "it said nothing"),
    ],
)
def test_a_servers_last_words_become_one_line(said: str, kind: type[Exception], reason: str) -> None:
    """The first grave one, with the place of the log."""
    error = _failure("the database could not be started", said, files_of(Path("/srv/home")))
    assert type(error) is kind
    assert str(error).startswith("the database could not be started: ")
    assert reason in str(error)
    assert str(error).endswith("its log is /srv/home/postgres/log")
    assert "\n" not in str(error)


@pytest.mark.parametrize(("text", "pid"), [("123\n/data\n", 123), ("", None), ("\n", None), ("half", None)])
def test_a_lock_file_may_be_half_written(folder: Path, text: str, pid: int | None) -> None:
    """Then it names nobody."""
    (folder / "lock").write_text(text)
    assert _pid_in(folder / "lock") == pid
    assert _pid_in(folder / "none") is None


@pytest.mark.parametrize(
    ("reply", "ready"),
    [
        (b"R\0\0\0\x08\0\0\0\0", True),  # log in
        (b"E\0\0\0\x30SFATAL\0C53300\0Mtoo many clients\0\0", True),
        (b"E\0\0\0\x30SFATAL\0C28000\0Mno such user\0\0", True),
        (b"E\0\0\0\x30SFATAL\0C57P03\0Mstarting up\0\0", False),
        (b"", False),
        (b"HTTP/1.1 400 Bad Request", False),
    ],
)
def test_a_server_is_ready_when_it_takes_logins(folder: Path, reply: bytes, ready: bool) -> None:
    """Refusing this one is an answer, starting up is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(1024)
                line.sendall(reply)

        server = threading.Thread(target=serve)
        server.start()
        assert answers(folder / "s") == ready
        server.join()


def test_where_nobody_listens_nothing_answers(folder: Path) -> None:
    """No socket, or one that was left behind."""
    assert not answers(folder / "none")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(folder / "left"))
    assert not answers(folder / "left")


def test_waiting_ends_when_it_is_so_or_the_time_is_over() -> None:
    """It asks at least once, and says which it was."""
    asked = iter([False, False, True])
    assert wait_until(lambda: next(asked), 10, pause_s=0)
    assert not wait_until(lambda: False, 0)
    assert wait_until(lambda: True, 0)
