"""Asking a running process through its control socket. Blocking and without a loop, so that a command is quick."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from control.errors import Refused
from supervisor.wire import MOST_ANSWER_BYTES, BadRequest, Request, read_answer, write_request

T = TypeVar("T")

ANSWER_S = 5.0


class Unreachable(Refused):
    """Nobody is at a socket, or nobody answers there."""


class Connection:
    """A connection to one process. One request at a time."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises Unreachable."""
        self._path, self._rest, self._number = path, b"", 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise Unreachable(f"nobody answers at {path}: {error.strerror or error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, op: str, kind: type[T], *, within_s: float | None = None, **args: object) -> T:
        """Have something done and give the answer as `kind`. `within_s` is what it may take, if more than usual.

        Raises Refused with the other side's line, Unreachable when it does not answer.
        """
        self._number += 1
        self._socket.settimeout(within_s or ANSWER_S)
        try:
            self._socket.sendall(write_request(Request(op, self._number, args)))
            line = self._line()
            answer = read_answer(line)
            if answer.error:
                raise Refused(answer.error)
            return msgspec.json.decode(answer.ok, type=kind)
        except TimeoutError:
            raise Unreachable(f"the process at {self._path} takes requests but does not answer") from None
        except (OSError, BadRequest, msgspec.MsgspecError) as error:
            raise Unreachable(f"the process at {self._path} could not be understood: {error}") from None

    def wait_until_gone(self, timeout_s: float) -> bool:
        """Wait for the other side's end; False when it is still there."""
        self._socket.settimeout(timeout_s)
        try:
            while self._socket.recv(4096):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def _line(self) -> bytes:
        pieces = [self._rest]
        length = len(self._rest)
        while b"\n" not in pieces[-1]:
            piece = self._socket.recv(256 * 1024)
            length += len(piece)
            if not piece or length > MOST_ANSWER_BYTES:
                raise Unreachable(f"the process at {self._path} ended in the middle of its answer")
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return line
