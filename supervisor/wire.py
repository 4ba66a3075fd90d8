"""The control socket's language: one JSON object a line, `{"id", "op", "args"}` → `{"id", "ok"}` or `{"id", "error"}`.

What can't be understood is answered with an error in one line, and the connection goes on.
"""

from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

MOST_REQUEST_BYTES = 64 * 1024
MOST_ANSWER_BYTES = 64 * 1024 * 1024

Id = int | Annotated[str, msgspec.Meta(max_length=64)] | None
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for. `id` is given back with the answer."""

    op: Annotated[str, msgspec.Meta(max_length=20)]
    id: Id = None
    args: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it: `ok`, or one line of `error`."""

    id: Id
    ok: msgspec.Raw = msgspec.Raw(b"")
    error: str = ""


class BadRequest(Exception):
    """A request that can't be understood. One line: what was found, what was expected."""


def read_request(line: bytes) -> Request:
    """Read one line. Raises BadRequest."""
    return _read(line, Request)


def arguments(request: Request, kind: type[T]) -> T:
    """Read a request's arguments. Raises BadRequest."""
    try:
        return msgspec.convert(request.args, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the arguments of {request.op} can't be used: {error}") from None


def write_request(request: Request) -> bytes:
    """Write a request as its line."""
    return msgspec.json.encode(request) + b"\n"


def write_ok(id: Id, value: object) -> bytes:
    """Write what a request came to, as its line."""
    return msgspec.json.encode(Answer(id, msgspec.Raw(msgspec.json.encode(value)))) + b"\n"


def write_error(id: Id, text: str) -> bytes:
    """Write why a request came to nothing, as its line."""
    return msgspec.json.encode({"id": id, "error": text}) + b"\n"


def read_answer(line: bytes) -> Answer:
    """Read an answer's line. Raises BadRequest for what is none."""
    return _read(line, Answer)


def _read(line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadRequest(
            f'{error}; expected one JSON object a line, such as {{"id": 1, "op": "tree", "args": {{}}}}'
        ) from None
