"""The run directory of a home: who is up there, by locks, and where to reach them, by sockets.

Each group that a process runs is claimed by a lock on a file, which the kernel drops however the process ends. So two
processes on one home never run the same group, and what a killed one left behind is known by its lock being free. The
socket of a process is named after the first of its groups, which is its alone as long as it lives.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from control.errors import Refused

SOCKET_PATH_MAX_BYTES = 100
"""Less than what Unix takes, everywhere."""

_LONGEST_NAME = "deployment:00000000-0000-0000-0000-000000000000.sock"


def run_folder(home: Path) -> Path:
    """Give the folder of a home's locks and sockets: under it, or where that path is too long, a short one."""
    near = home.resolve() / "run"
    if len(os.fsencode(near / _LONGEST_NAME)) < SOCKET_PATH_MAX_BYTES:
        return near
    name = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
    return Path("/tmp") / f"agentic-run-{os.getuid()}-{name}"  # not TMPDIR: every process must find the same


def socket_path(folder: Path, groups: Sequence[str]) -> Path:
    """Where the process that runs these groups is reached."""
    return folder / f"{groups[0]}.sock"


def sockets(folder: Path) -> list[Path]:
    """The sockets of those that are up, or were when they were killed."""
    return sorted(folder.glob("*.sock"))


def pid_at(socket: Path) -> int | None:
    """The process that has, or had, the group that a socket is named after."""
    try:
        return int(socket.with_suffix(".lock").read_text())
    except (FileNotFoundError, ValueError):
        return None


def refuse_if_up(folder: Path, groups: Sequence[str]) -> None:
    """Look whether a process runs one of these groups already. Makes nothing. Raises Refused."""
    for group in groups:
        with suppress(FileNotFoundError), _opened(_lock_path(folder, group), os.O_RDWR) as handle:
            _take(handle, group)


@contextmanager
def claimed(folder: Path, groups: Sequence[str]) -> Iterator[None]:
    """Hold these groups of a home. Raises Refused when another process has one of them."""
    _make_private(folder)
    with ExitStack() as stack:
        for group in groups:
            handle = stack.enter_context(_opened(_lock_path(folder, group), os.O_RDWR | os.O_CREAT))
            _take(handle, group)
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield


def _lock_path(folder: Path, group: str) -> Path:
    return folder / f"{group}.lock"


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    handle = os.open(path, flags, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _take(handle: int, group: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(handle, 20, 0).decode(errors="replace") or "that is starting"
        raise Refused(
            f"`agentic up` runs here already: process {pid} has the group {group}; "
            "`agentic status` shows it, `agentic down` stops it"
        ) from None


def _make_private(folder: Path) -> None:
    """Make the folder for us alone. Raises Refused where it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid():
        raise Refused(f"{folder} is user {found.st_uid}'s, expected {os.getuid()}'s; remove it")
    folder.chmod(0o700)
