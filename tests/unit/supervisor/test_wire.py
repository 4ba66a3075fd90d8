"""The control socket's language."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.wire import (
    BadRequest,
    Request,
    arguments,
    read_answer,
    read_request,
    write_error,
    write_ok,
    write_request,
)


class Named(Request, frozen=True):
    """Some arguments."""

    name: str = ""


@given(st.text(max_size=20), st.one_of(st.none(), st.integers(-(2**31), 2**31), st.text(max_size=64)))
def test_a_request_is_read_as_it_was_written(op: str, id: int | str | None) -> None:
    """Whatever is asked for, on one line."""
    line = write_request(Request(op, id, {"name": op}))

    assert line.count(b"\n") == 1
    assert read_request(line) == Request(op, id, {"name": op})


def test_an_answer_has_what_came_of_it_or_an_error() -> None:
    """And the request's id, in both cases."""
    assert json.loads(write_ok("a", {"n": 1})) == {"id": "a", "ok": {"n": 1}}
    assert json.loads(write_error(None, "no")) == {"id": None, "error": "no"}
    assert read_answer(write_error(7, "no")).error == "no"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"tree"',
        b"{}",
        b'{"op": 1}',
        b'{"op": "tree", "more": 1}',
        b'{"op": "tree", "id": 1.5}',
        b'{"op": "tree", "args": []}',
        b'{"op": "' + b"x" * 100 + b'"}',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"op": "tree", "args": ' + b'{"a":' * 10_000,
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(line: bytes) -> None:
    """With what was expected instead."""
    with pytest.raises(BadRequest, match="expected one JSON object a line") as refused:
        read_request(line)

    assert len(str(refused.value).splitlines()) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_bad_one(line: bytes) -> None:
    """Nothing else is raised."""
    try:
        request = read_request(line)
    except BadRequest:
        return
    assert isinstance(request, Request)


def test_arguments_that_do_not_fit_are_named() -> None:
    """So that whoever writes to the socket by hand sees what to mend."""
    with pytest.raises(BadRequest, match=r"the arguments of stop can't be used: .*name"):
        arguments(Request("stop", args={"op": "stop", "name": 3}), Named)
