"""Which processes of a server are alive, as the kernel tells it. Where it has no /proc, nothing is known."""

import os
import signal
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def serves(pid: int, data: Path) -> bool:
    """Say whether a process is alive and a Postgres at work in a data folder.

    Where the system can't tell, it may well be.
    """
    if not (_PROC / "self/stat").exists():
        return True
    process = _PROC / str(pid)
    try:
        name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
        return name == "postgres" and rest.split()[0] != "Z" and (process / "cwd").readlink() == data
    except OSError:
        return False


def end_orphans(data: Path) -> None:
    """End what a killed server left behind: sessions busy with a query, which hold its memory.

    A session does not notice that its server is gone until it looks for the next query. To be called only
    when that is known. What such a session has not committed is undone, as after any crash.
    """
    for process in _PROC.glob("[0-9]*"):
        pid = int(process.name)
        if serves(pid, data):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGQUIT)
