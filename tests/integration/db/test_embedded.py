"""One server for a home: shared, revived after any death, and stopped by the last to leave."""

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from db.embedded import attach
from db.postgres_files import ServerUser, files_of, programs
from db.postgres_probe import answers, wait_until
from tests.integration.db.client import Client, end_server, server_pid, server_processes

SOMEBODY = 1000


def sessions(home: Path) -> list[int]:
    """The process numbers of the sessions that a home's server runs a query for."""
    return [pid for pid, title in server_processes(home).items() if " SELECT" in title]


def runs(home: Path) -> bool:
    return answers(files_of(home).socket)


def one_line(said: str) -> bool:
    return "\n" not in said and 20 < len(said) < 400


def test_processes_that_start_at_once_share_one_server(home: Path) -> None:
    """On a new home one of them makes it, the others adopt it; the last to leave stops it."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(home)) for _ in range(3)]
        assert [client.answer() for client in clients] == ["attached"] * 3
        pid = server_pid(home)
        assert [client.ask("select pg_postmaster_start_time()") for client in clients][1:] == [
            clients[0].ask("select pg_postmaster_start_time()")
        ] * 2
        for client in clients[:2]:
            assert client.leave() == 0
        assert (runs(home), server_pid(home)) == (True, pid)
        assert clients[2].leave() == 0
    assert (runs(home), server_pid(home)) == (False, None)


def test_a_killed_client_leaves_the_server_to_the_next(home: Path) -> None:
    """Nobody holds it any more, yet it runs: the next process adopts it, and stops it as the last."""
    with Client(home) as client:
        client.answer()
        client.kill()
    pid = server_pid(home)
    assert runs(home)
    with attach(home):
        assert server_pid(home) == pid
    assert not runs(home)


def test_kills_six_in_a_row_lose_nothing_that_was_committed(home: Path) -> None:
    """Each time the next command has the server back at once, be it the same client's or a new one's."""
    with ExitStack() as stack:
        client = stack.enter_context(Client(home, durable=True))
        client.answer()
        client.ask("create table kept (n int)")
        for n in range(6):
            client.ask(f"insert into kept values ({n})")
            end_server(home)
            if n % 2:
                client.kill()
                client = stack.enter_context(Client(home, durable=True))
                assert client.answer() == "attached"
            assert client.ask("ensure") == "running"
            assert client.ask("select string_agg(n::text, '' order by n) from kept") == "012345"[: n + 1]


def test_a_session_that_outlives_its_server_does_not_keep_the_next_from_starting(home: Path) -> None:
    """Busy with a long query it does not notice that the server is gone, and holds its memory."""
    with attach(home, durable=False) as server, Client(home) as busy:
        busy.answer()
        assert busy.process.stdin
        busy.process.stdin.write("select count(*) from generate_series(1, 100000000000)\n")
        busy.process.stdin.flush()
        assert wait_until(lambda: len(sessions(home)) == 1, 10)
        orphan = sessions(home)
        end_server(home)
        server.ensure_running()
        assert runs(home)
        assert not set(orphan) & set(sessions(home))
        assert busy.answer() == ""


def test_a_server_that_the_same_process_started_and_lost_is_started_again(home: Path) -> None:
    """The dead server is this process's own child then, and not yet reaped."""
    with attach(home, durable=False) as server:
        for _ in range(2):
            before = server_pid(home)
            end_server(home)
            assert wait_until(lambda: not runs(home), 5)
            server.ensure_running()
            assert runs(home)
            assert server_pid(home) != before
        server.detach()
        assert not runs(home)
        server.detach()


def test_the_number_of_a_dead_server_may_be_another_programs(home: Path) -> None:
    """After a container's restart its old number is soon taken; neither of its lock files is believed."""
    with attach(home, durable=False):
        pass
    files = files_of(home)
    owner = files.data.stat().st_uid
    with ExitStack() as stack:
        stranger = stack.enter_context(subprocess.Popen(["sleep", "60"], user=owner))
        stack.callback(stranger.kill)
        lock = f"{stranger.pid}\n{files.data}\n1700000000\n5432\n{files.sockets}\n\n  12345 67890\nready\n"
        for path in (files.pid_file, files.socket_lock):
            path.write_text(lock)
            shutil.chown(path, owner, owner)
        with attach(home, durable=False):
            assert runs(home)


def test_a_first_start_that_was_killed_is_made_anew(home: Path) -> None:
    """The data folder gets its name when it is whole, so half of one is never used."""
    half = files_of(home).root / "data.new" / "base"
    half.mkdir(parents=True)
    (half.parent / "PG_VERSION").write_text("18\n")
    with attach(home, durable=False):
        assert runs(home)
    assert not half.parent.exists()


def test_the_folders_of_the_data_and_of_the_socket_are_private(home: Path) -> None:
    """Who may enter them may read everything, so only the server's user may; as root that is not root."""
    with attach(home, durable=False):
        files = files_of(home)
        pid = server_pid(home)
        assert [folder.stat().st_mode & 0o777 for folder in (files.data, files.sockets)] == [0o700] * 2
        runs_as = Path(f"/proc/{pid}").stat().st_uid
        assert (runs_as == 0, runs_as) == (False, files.data.stat().st_uid)


def test_a_home_that_is_too_deep_for_a_socket_works(home: Path) -> None:
    """A Unix socket's path may have about 100 bytes; the home's may have more. The folder elsewhere is tidied up."""
    deep = home / ("d" * 60) / ("é" * 40)
    with attach(deep, durable=False) as server:
        assert runs(deep)
        assert len(os.fsencode(files_of(deep).socket)) <= 100
        assert str(deep) not in server.dsn("postgres")
    assert not files_of(deep).sockets.exists()


def test_where_the_socket_is_does_not_depend_on_who_asks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with different temporary directories find the same server."""
    deep = home / ("d" * 120)
    before = files_of(deep)
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    assert files_of(deep) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can choose to be another user")
def test_a_careful_umask_does_not_lock_the_server_out(home: Path) -> None:
    """Root's new folders may be closed to everybody else; the server runs as somebody else."""
    with Client(home, umask=0o077) as client:
        assert client.answer() == "attached"
        assert client.leave() == 0


@pytest.mark.parametrize("version", ["17", "19"])
def test_data_of_another_major_version_are_left_alone(home: Path, version: str) -> None:
    """One line says what was found and what to do, and nothing is touched."""
    data = files_of(home).data
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(f"{version}\n")
    with Client(home) as client:
        said = client.answer()
        assert client.leave() == 1
    assert said.startswith("WrongMajorVersion: ")
    assert f"was written by Postgres {version}, expected 18; dump it with Postgres {version}" in said
    assert one_line(said)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_home_that_is_a_file_is_told_in_one_line(home: Path) -> None:
    """The line names the folder that was wanted."""
    (home / "postgres").write_text("not a folder")
    with Client(home) as client:
        said = client.answer()
        assert client.leave() == 1
    assert said == f"Unavailable: can't keep a database in {home}/postgres: File exists"


def test_a_server_that_refuses_to_start_is_quoted(home: Path) -> None:
    """What it said is in the line, with the place of the rest."""
    with attach(home, durable=False):
        pass
    with (files_of(home).data / "postgresql.conf").open("a") as conf:
        conf.write("\nno_such_setting = 1\n")
    with Client(home) as client:
        said = client.answer()
    assert "could not be started" in said
    assert "FATAL" in said
    assert str(files_of(home).log) in said
    assert one_line(said)


def test_what_a_server_said_as_it_failed_is_the_reason_and_not_the_small_talk(home: Path) -> None:
    """Those who ask whether it is ready are told that it is starting; that is not why it did not."""
    with attach(home, durable=False):
        pass
    data = files_of(home).data
    shutil.rmtree(data / "pg_wal")
    (data / "pg_wal").mkdir()
    shutil.chown(data / "pg_wal", data.stat().st_uid)
    with Client(home) as client:
        said = client.answer()
    assert "could not locate a valid checkpoint record" in said
    assert one_line(said)


def normal_user_or_skip() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user; all other tests here run as a normal user then")
    installed = programs(ServerUser(uid=None))
    if programs(ServerUser(uid=SOMEBODY)) != installed:
        pytest.skip(f"user {SOMEBODY} can't reach {installed}")


def test_a_normal_user_has_a_server_of_their_own(home: Path) -> None:
    """It runs as that user, comes back after both were killed, and stops with its client."""
    normal_user_or_skip()
    os.chown(home, SOMEBODY, SOMEBODY)
    with Client(home, SOMEBODY, durable=True) as client:
        assert client.answer() == "attached"
        assert Path(f"/proc/{server_pid(home)}").stat().st_uid == SOMEBODY
        client.ask("create table kept (n int)")
        end_server(home)
        assert client.ask("ensure") == "running"
        end_server(home)
        client.kill()
    with Client(home, SOMEBODY, durable=True) as client:
        assert client.answer() == "attached"
        assert client.ask("select count(*) from kept") == "0"
        assert client.leave() == 0
    assert not runs(home)


def test_a_home_that_one_may_not_write_is_told_in_one_line(home: Path) -> None:
    """Somebody else's folder is refused by name."""
    normal_user_or_skip()
    home.chmod(0o755)
    with Client(home, SOMEBODY) as client:
        said = client.answer()
        assert client.leave() == 1
    assert said == f"Unavailable: can't use {home}/postgres: permission denied; is it another user's?"
