"""Who is up in a home, by locks that a killed process can't keep."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from control.errors import Refused
from supervisor.run_folder import (
    SOCKET_PATH_MAX_BYTES,
    claimed,
    pid_at,
    refuse_if_up,
    run_folder,
    socket_path,
    sockets,
)

HOLD = """
import sys
from pathlib import Path
from supervisor.run_folder import claimed
with claimed(Path(sys.argv[1]), sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, *groups: str) -> "subprocess.Popen[str]":
    """Another process that has claimed these groups."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *groups],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_group_runs_once_and_another_beside_it(tmp_path: Path) -> None:
    """The refusal says who has it and what can be done; the folder is ours alone."""
    folder = tmp_path / "run"
    other = holder(folder, "web", "chat")
    try:
        with pytest.raises(
            Refused, match=rf"process {other.pid} has the group chat; `agentic status` shows it"
        ):
            refuse_if_up(folder, ["sim", "chat"])
        with pytest.raises(Refused, match="has the group web"), claimed(folder, ["web"]):
            pass
        with claimed(folder, ["sim"]):
            refuse_if_up(folder, ["ingest"])
    finally:
        other.communicate()

    assert pid_at(socket_path(folder, ["web"])) == other.pid
    assert pid_at(socket_path(folder, ["ingest"])) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_killed_process_has_nothing_any_more(tmp_path: Path) -> None:
    """Its lock is gone with it."""
    other = holder(tmp_path, "web")
    other.send_signal(signal.SIGKILL)
    other.communicate()

    with claimed(tmp_path, ["web"]):
        pass


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """A command that is refused later leaves no trace."""
    refuse_if_up(tmp_path / "run", ["web"])

    assert not (tmp_path / "run").exists()


def test_a_long_home_has_a_short_folder_of_its_own(tmp_path: Path) -> None:
    """Unix bounds the path of a socket; every process finds the same one, and no other home has it."""
    near, far, farther = tmp_path, tmp_path / ("x" * 90), tmp_path / ("y" * 90)

    assert len({run_folder(near), run_folder(far), run_folder(farther)}) == 3
    for home in (near, far, farther):
        path = socket_path(run_folder(home), ["notifications", "web"])
        assert len(os.fsencode(path)) < SOCKET_PATH_MAX_BYTES
        assert run_folder(home) == run_folder(home)


def test_somebody_elses_folder_is_not_used(tmp_path: Path) -> None:
    """Nor one that a link leads to, as anybody could put into a temporary folder."""
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")

    with pytest.raises(Refused, match="remove it"), claimed(tmp_path / "run", ["web"]):
        pass


def test_sockets_are_found_by_their_names(tmp_path: Path) -> None:
    """Each process has one, named after the first of its groups."""
    for groups in (["web", "chat"], ["sim"]):
        socket_path(tmp_path, groups).touch()

    assert [path.name for path in sockets(tmp_path)] == ["sim.sock", "web.sock"]
