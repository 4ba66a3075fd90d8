"""The embedded Postgres: one server for a home folder, shared by every process that uses it.

Each process that uses the server holds a shared lock on `clients.lock`; the kernel drops it however the
process ends. Starting and stopping happen under an exclusive lock on `start.lock`. So the first to come
starts the server, the others adopt it, and the last to go stops it. A killed process leaves the server to
the next one, and a killed server is started again by the next `attach()` or `ensure_running()`.

It is reached over a Unix socket only. The socket lies in a folder of mode 0700 that belongs to the server's
user, and whoever can enter that folder can read the data folder beside it, so the server trusts who
connects: a password would have to lie in a file under the very same protection.
"""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from db.errors import DiskFull, Unavailable, WrongMajorVersion
from db.postgres_files import Files, ServerUser, files_of, programs, run, server_user
from db.postgres_probe import answers, wait_until
from db.postgres_processes import end_orphans, serves

START_TIMEOUT_S = 60.0
ORPHANS_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 30.0
LOG_MAX_BYTES = 8 * 1024 * 1024
WAL_PIECE_BYTES = 16 * 1024 * 1024

_SETTINGS = {
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "1GB",
    "max_parallel_workers_per_gather": "0",  # needs more of /dev/shm than containers give
    "io_method": "sync",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_min_messages": "warning",
    "unix_socket_permissions": "0700",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_ORPHANS = "pre-existing shared memory block"
_PASSING = (_ORPHANS, "lock file")
"""What Postgres says while the processes of a killed server are still ending."""
_NOT_THE_REASON = ("is starting up", "not yet accepting connections")
"""What Postgres tells those who ask whether it is ready."""

_started: list[subprocess.Popen[bytes]] = []
"""Servers this process started. They may outlive it; the handles are kept so that an ended one is reaped."""


class Attached:
    """A process's hold on a home's server. Made by `attach()`, given back by `detach()` or leaving `with`."""

    def __init__(self, files: Files, clients: int, durable: bool) -> None:
        self._files = files
        self._clients: int | None = clients
        self._durable = durable

    def dsn(self, database: str, user: str = "postgres") -> str:
        """The address of one of the server's databases. `postgres` is the superuser."""
        return f"postgresql://{user}@/{database}?host={quote(str(self._files.sockets), safe='/')}&port=5432"

    def ensure_running(self) -> None:
        """Start the server again if it died. Cheap when it is there. Raises Unavailable when it can't be."""
        if not answers(self._files.socket):
            with _locked(self._files.start_lock):
                _ensure_started(self._files, self._durable)

    def is_full(self) -> bool:
        """Say whether its disk has hardly any room left."""
        return _is_full(self._files.root)

    def detach(self) -> None:
        """Let go of the server, and stop it when nobody else holds it. A second call does nothing."""
        if self._clients is None:
            return
        clients, self._clients = self._clients, None
        try:
            with _locked(self._files.start_lock):
                if _alone(clients):
                    _stop(self._files)
        finally:
            os.close(clients)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()


def attach(home: Path, *, durable: bool = True) -> Attached:
    """Hold the server of `home`, starting it if it isn't running and making it if it is new.

    `durable=False` trades safety against power loss for speed, for tests. Blocks for about half a second the
    first time, a tenth on a start, a few milliseconds when the server runs. Raises Unavailable,
    WrongMajorVersion or DiskFull, each with one line to act on.
    """
    files = files_of(home)
    try:
        files.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        with _locked(files.start_lock):
            _ensure_started(files, durable)
            clients = os.open(files.clients_lock, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(clients, fcntl.LOCK_SH)
    except PermissionError as error:
        raise Unavailable(f"can't use {error.filename}: permission denied; is it another user's?") from error
    except OSError as error:
        kind = DiskFull if error.errno == errno.ENOSPC else Unavailable
        raise kind(f"can't keep a database in {files.root}: {error.strerror}") from error
    return Attached(files, clients, durable)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not wait_until(lambda: _try_lock(handle), START_TIMEOUT_S + STOP_TIMEOUT_S):
            raise Unavailable(f"another process is starting the database and does not end; it holds {path}")
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_alone = _try_lock
"""Nobody else shares the lock if ours can be made exclusive; under `start.lock` nobody comes in between."""


def _ensure_started(files: Files, durable: bool) -> None:
    if answers(files.socket):
        return
    user = server_user(files)
    if user.uid is not None:
        files.root.chmod(
            0o711
        )  # whatever the umask: the server, somebody else, passes through to its folders
    binaries = programs(user)
    if not (files.data / "PG_VERSION").exists():
        _initialise(files, user, binaries, durable)
    _check_major_version(files, user, binaries)
    user.own(files.sockets)
    _forget_dead_server(files)
    _start(files, user, binaries, durable)


def _initialise(files: Files, user: ServerUser, binaries: Path, durable: bool) -> None:
    """Make the data folder under another name and rename it when whole: a killed start leaves no half."""
    unfinished = files.root / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    user.own(unfinished)
    command = [str(binaries / "initdb"), "-D", user.data_argument(unfinished), "-U", "postgres"]
    command += [
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    command += [] if durable else ["--no-sync"]
    done = run(command, user, unfinished)
    if done.returncode:
        raise _failure("the database could not be made", done.stderr, files)
    unfinished.rename(files.data)


def _check_major_version(files: Files, user: ServerUser, binaries: Path) -> None:
    found = (files.data / "PG_VERSION").read_text().strip()
    said = run([binaries / "postgres", "--version"], user, Path("/")).stdout  # "postgres (PostgreSQL) 18.6"
    expected = said.split()[-1].split(".")[0]
    if found != expected:
        raise WrongMajorVersion(
            f"{files.data} was written by Postgres {found}, expected {expected}; "
            f"dump it with Postgres {found} and load it again, or move the folder away to start empty"
        )


def _forget_dead_server(files: Files) -> None:
    """Remove the lock files of a server that is gone, where Postgres itself could not tell.

    It takes any process of that number for a running server: one that was killed and not yet reaped by its
    parent, or, after a container's restart, quite another program. That processes of a killed server still
    use the data is found out otherwise, by its shared memory.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    for lock in (files.pid_file, files.socket_lock):
        pid = _pid_in(lock)
        if pid is not None and not serves(pid, files.data):
            lock.unlink(missing_ok=True)


def _start(files: Files, user: ServerUser, binaries: Path, durable: bool) -> None:
    """Start the server and wait until it takes logins; repeatedly while orphans of a crash are ending."""
    give_up = time.monotonic() + ORPHANS_TIMEOUT_S
    while True:
        process, log_from = _launch(files, user, binaries, durable)
        if _came_up(process, files):
            _started.append(process)
            return
        said = _log_since(files, log_from)
        if not any(sign in said for sign in _PASSING) or time.monotonic() > give_up:
            raise _failure("the database could not be started", said, files)
        if _ORPHANS in said:
            end_orphans(files.data)
        time.sleep(0.05)


def _came_up(process: subprocess.Popen[bytes], files: Files) -> bool:
    """Wait until the server takes logins or has ended. Raises Unavailable when it does neither in time."""
    if not wait_until(lambda: process.poll() is not None or answers(files.socket), START_TIMEOUT_S):
        process.kill()
        raise Unavailable(f"the database did not come up in {START_TIMEOUT_S:.0f} s; see {files.log}")
    return process.poll() is None


def _launch(
    files: Files, user: ServerUser, binaries: Path, durable: bool
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server in a session of its own, so that Ctrl-C in a terminal is not sent to it."""
    near = files.sockets.parent == files.root
    command = [str(binaries / "postgres"), "-D", user.data_argument(files.data), "-p", "5432"]
    command += ["-k", "../run" if near else str(files.sockets)]
    for name, value in (_SETTINGS | ({} if durable else _NOT_DURABLE)).items():
        command += ["-c", f"{name}={value}"]
    with files.log.open("ab") as log:
        if log.tell() > LOG_MAX_BYTES:
            log.truncate(0)
        at = log.tell()
        process = subprocess.Popen(
            command, cwd=files.data, stdout=log, stderr=log, start_new_session=True, **user.popen_options()
        )
    return process, at


def _stop(files: Files) -> None:
    """Stop the server: at once for its clients, and without losing anything that was committed."""
    pid = _pid_in(files.pid_file)
    if pid is None or not answers(files.socket):
        return
    for how, timeout_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        if wait_until(lambda: not files.pid_file.exists(), timeout_s):
            break
    _started[:] = [process for process in _started if process.poll() is None]
    if files.sockets.parent != files.root:
        with suppress(OSError):
            files.sockets.rmdir()


def _pid_in(lock: Path) -> int | None:
    try:
        return int(lock.read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _log_since(files: Files, at: int) -> str:
    with files.log.open("rb") as log:
        log.seek(at)
        return log.read().decode(errors="replace")


def _failure(what: str, said: str, files: Files) -> Unavailable | DiskFull:
    """Make one line of what a server program said as it failed."""
    lines = [line for line in said.splitlines() if not any(text in line for text in _NOT_THE_REASON)]
    grave = [line for line in lines if any(sign in line for sign in ("FATAL", "PANIC", "error:"))]
    reason = (grave or lines or ["it said nothing"])[0].strip()
    if "No space left on device" in said or _is_full(files.root):
        return DiskFull(f"{what}: its disk is full, free some space ({reason}); its log is {files.log}")
    return Unavailable(f"{what}: {reason}; its log is {files.log}")


def _is_full(folder: Path) -> bool:
    """Say whether there is no room for one more piece of the write-ahead log; then the log may say nothing."""
    try:
        return shutil.disk_usage(folder).free < WAL_PIECE_BYTES
    except OSError:
        return False
