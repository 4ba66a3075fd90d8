"""The name of one start of one process, by which it owns things in the database; and whether such a process is gone.

A process that was killed gives nothing back. Its leases end by themselves, in half a minute; on the machine that it ran
on nobody need wait for that, as long as it is certain that it is gone.
"""

import hashlib
import os
import re
import socket
from pathlib import Path

from domain.ids import token

_NAME = re.compile(r".*:(?P<pid>[1-9][0-9]{0,9}):(?P<where>[0-9a-f]{8})-[0-9a-f]{8}")
_BOOT, _PIDS = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


def new_owner() -> str:
    """Name this start of this process: `<host>:<pid>:<where>-<random>`.

    `where` stands for the boot of the machine and the space of its process numbers: two processes that have the same
    one would see each other. Where that can't be known it is empty, and no other process is ever taken to be gone.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_where()}-{token()[:8]}"


def is_gone(owner: str) -> bool:
    """Whether the process of this name, which is not this one, is certain to have ended.

    False where that can't be known from here, as of a process on another machine.
    """
    name = _NAME.fullmatch(owner)
    if name is None or name["where"] != _where():
        return False
    pid = int(name["pid"])
    return pid == os.getpid() or not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _where() -> str:
    try:
        seen = f"{_BOOT.read_text().strip()} {_PIDS.readlink()}"
    except OSError:
        return ""
    return hashlib.sha256(seen.encode()).hexdigest()[:8]
