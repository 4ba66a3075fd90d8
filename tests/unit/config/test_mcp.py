"""MCP servers as people write them into the settings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.mcp import McpServer, McpServerError, read_servers

SECRET = "sk-planted-secret"


def only(raw: dict[str, Any]) -> McpServer:
    """The one server that is written."""
    return read_servers({"news": raw})["news"]


def refusal(raw: Any) -> str:
    """The line with which servers are refused."""
    with pytest.raises(McpServerError) as caught:
        read_servers(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    "raw", [{"command": "python", "args": ["srv.py", "-v"]}, {"command": ["python", "srv.py", "-v"]}]
)
def test_a_program_is_written_as_one_list_or_as_other_programs_have_it(raw: dict[str, Any]) -> None:
    """Both forms mean the same."""
    assert only(raw) == McpServer("news", command=("python", "srv.py", "-v"))


def test_a_server_has_bounds_unless_others_are_given() -> None:
    """Ten seconds and 64 KiB."""
    given_ = only({"url": "https://example.org/mcp", "timeout_s": 2.5, "most_bytes": 2048, "as_of": "at"})

    assert (given_.timeout_s, given_.most_bytes, given_.as_of) == (2.5, 2048, "at")
    assert (only({"command": "x"}).timeout_s, only({"command": "x"}).most_bytes) == (10, 65536)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([], "the whole is no object"),
        ({"News Desk": {"command": "x"}}, "News Desk is not lower-case letters"),
        ({"a_b": {"command": "x"}}, "a_b is not lower-case letters"),
        ({"news": 5}, "news is no object"),
        ({"news": {}}, "either a command or a url"),
        ({"news": {"command": "x", "url": "https://example.org"}}, "either a command or a url"),
        ({"news": {"comand": "x"}}, "news.comand is not known; the keys are command, args"),
        ({"news": {"command": []}}, "news.command can't be used"),
        ({"news": {"command": "x\0y"}}, "news.command is not text without NUL"),
        ({"news": {"command": "x", "env": {"A=B": "1"}}}, "news.env.A=B is not a variable's name"),
        ({"news": {"command": "x", "env": {"A": 1}}}, "news.env.A can't be used"),
        ({"news": {"command": "x", "timeout_s": 0}}, "news.timeout_s can't be used"),
        ({"news": {"command": "x", "timeout_s": float("nan")}}, "news.timeout_s can't be used"),
        ({"news": {"command": "x", "most_bytes": 2**30}}, "news.most_bytes can't be used"),
        ({"news": {"command": "x", "as_of": "as of"}}, "news.as_of is not an argument's name"),
        ({"news": {"command": "x", "headers": {"A": "1"}}}, "only a url takes"),
        ({"news": {"url": "https://example.org", "env": {"A": "1"}}}, "only a command takes"),
        ({"news": {"url": "example.org/mcp"}}, "a url that is none"),
        ({"news": {"url": "file:///etc/passwd"}}, "a url that is none"),
        ({"news": {"url": "https://[::1"}}, "a url that is none"),
        ({"news": {"url": f"https://u:{SECRET}@example.org"}}, "put a key into headers"),
        ({"news": {"url": f"https://example.org/?key={SECRET}"}}, "put a key into headers"),
        ({"news": {"url": "http://example.org", "headers": {"A": SECRET}}}, "over https only"),
        ({"news": {"url": "https://example.org", "headers": {"A": f"{SECRET}\r\nX: y"}}}, "one line of text"),
        ({"news": {"command": "x", "env": {"A": SECRET + "\0"}}}, "text without NUL"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_without_its_values(raw: Any, says: str) -> None:
    """The line says which server and key, and shows nothing that may be secret."""
    line = refusal(raw)

    assert says in line
    assert "\n" not in line
    assert SECRET not in line


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_headers_may_go_in_clear_to_this_machine(host: str) -> None:
    """There they cross no network."""
    assert only({"url": f"http://{host}/mcp", "headers": {"A": "1"}}).headers == {"A": "1"}


def test_a_server_shows_no_secret() -> None:
    """Neither by its repr nor in what may be shown to people."""
    program = only({"command": ["srv", "--key", SECRET], "env": {"KEY": SECRET}})
    page = only({"url": "https://example.org/mcp", "headers": {"Authorization": SECRET}})

    for server in (program, page):
        assert SECRET not in repr(server) + str(server) + str([server]) + str(server.shown())
    assert program.shown()["env"] == {"KEY": "********"}
    assert page.place == "https://example.org/mcp"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["a", "command", "url", "env"]), inner)
        ),
    )
)
def test_no_value_is_answered_by_anything_but_a_line(raw: Any) -> None:
    """Whatever JSON holds."""
    lines = []
    try:
        read_servers(raw)
    except McpServerError as error:
        lines = str(error).splitlines()
    assert len(lines) <= 1
