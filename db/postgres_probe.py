"""Asking a Postgres server over its Unix socket whether it is ready, without a driver or a program."""

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

_PROTOCOL = 3 << 16
_PARAMETERS = b"user\0postgres\0database\0postgres\0\0"
_STARTUP = struct.pack("!II", 8 + len(_PARAMETERS), _PROTOCOL) + _PARAMETERS
_STARTING = b"C57P03\0"
"""SQLSTATE field of a server that is starting up, recovering or shutting down."""


def answers(path: Path, timeout_s: float = 2.0) -> bool:
    """Say whether the server behind a socket takes logins, as `pg_isready` does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout_s)
        try:
            line.connect(str(path))
            line.sendall(_STARTUP)
            reply = line.recv(2048)
        except OSError:
            return False
    return reply[:1] == b"R" or (reply[:1] == b"E" and _STARTING not in reply)


def wait_until(ready: Callable[[], bool], timeout_s: float, pause_s: float = 0.01) -> bool:
    """Ask again and again until it is so or the time is over; says which."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True
