"""The MCP servers that a person set up: how each is started or reached, and what is known of it.

The form is the one other programs use: a name, and either a `command` to start or a `url` to call.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

TIMEOUT_S = 10.0
MOST_BYTES = 64 * 1024
MASK = "********"

_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


class McpServerError(ValueError):
    """A server that can't be used as it is written. One line: which, what was found, what was expected."""


class McpServer(msgspec.Struct, frozen=True):
    """One server: `command` (started here, spoken to by pipes) or `url` (streamable HTTP), and never both.

    `env` and `headers` hold secrets and are given to that server alone; neither is ever shown. `as_of` names the
    argument in which its tools take the instant to look back from, as RFC 3339 text; without it, it has no place in
    a simulation. An answer has at most `most_bytes`, and comes within `timeout_s` or not at all.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: dict[str, str] = {}
    headers: dict[str, str] = {}
    as_of: str | None = None
    timeout_s: float = TIMEOUT_S
    most_bytes: int = MOST_BYTES

    @property
    def place(self) -> str:
        """Where it is, without anything secret: the program's name, or the URL's host and path."""
        if self.command:
            return self.command[0]
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def shown(self) -> dict[str, Any]:
        """What may be shown to people, names of secrets without their values."""
        hidden = {key: dict.fromkeys(getattr(self, key), MASK) for key in ("env", "headers")}
        return {"name": self.name, "at": self.place, **hidden, "as_of": self.as_of}

    def __repr__(self) -> str:
        return f"McpServer({self.name!r} at {self.place!r})"


def read_servers(raw: Any) -> dict[str, McpServer]:
    """Read servers by name from settings. Raises McpServerError for the first that can't be used."""
    try:
        written = _SERVERS.validate_python(raw)
    except ValidationError as error:
        raise McpServerError(_one_line(error)) from None
    return {name: _server(name, each) for name, each in sorted(written.items())}


def _matching(pattern: str, form: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"is not {form}")
        return value

    return AfterValidator(check)


Name = Annotated[
    str,
    Field(max_length=40),
    _matching(r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case letters, digits and single hyphens"),
]
Word = Annotated[str, Field(min_length=1, max_length=4096), _matching(r"[^\0]+", "text without NUL")]
Line = Annotated[str, Field(max_length=8192), _matching(r"[^\0\r\n]*", "one line of text")]
Variable = Annotated[str, Field(max_length=200), _matching(r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name")]
Header = Annotated[str, Field(max_length=200), _matching(r"[A-Za-z0-9-]+", "a header's name")]
Argument = Annotated[str, _matching(r"[A-Za-z_][A-Za-z0-9_]{0,63}", "an argument's name, such as as_of")]


class _Written(BaseModel):
    """A server as it is written. `command` is a program, with `args` beside it, or the whole as a list."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    command: Word | Annotated[list[Word], Field(min_length=1, max_length=64)] | None = None
    args: Annotated[list[Word], Field(max_length=64)] = []
    env: Annotated[dict[Variable, Word], Field(max_length=50)] = {}
    url: Annotated[str, Field(max_length=2000)] | None = None
    headers: Annotated[dict[Header, Line], Field(max_length=50)] = {}
    as_of: Argument | None = None
    timeout_s: Annotated[float, Field(gt=0, le=60)] = TIMEOUT_S
    most_bytes: Annotated[int, Field(ge=1024, le=1024 * 1024)] = MOST_BYTES


_SERVERS = TypeAdapter(Annotated[Mapping[Name, _Written], Field(max_length=20)])


def _server(name: str, written: _Written) -> McpServer:
    if bool(written.command) == bool(written.url):
        raise McpServerError(f"the MCP server {name} must have either a command or a url")
    if written.url:
        _check_url(name, written)
    elif written.headers:
        raise McpServerError(
            f"the MCP server {name} has headers, which only a url takes; a command takes env"
        )
    first = [written.command] if isinstance(written.command, str) else written.command or []
    return McpServer(
        name=name,
        command=(*first, *written.args),
        url=written.url or "",
        env=dict(written.env),
        headers=dict(written.headers),
        as_of=written.as_of,
        timeout_s=written.timeout_s,
        most_bytes=written.most_bytes,
    )


def _check_url(name: str, written: _Written) -> None:
    """A URL is plain, and what is secret does not go over the network in clear."""
    where = f"the MCP server {name}"
    try:
        parts = urlsplit(written.url or "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https"):
        raise McpServerError(f"{where} has a url that is none; write one such as https://example.org/mcp")
    if parts.username is not None or parts.query or parts.fragment:
        raise McpServerError(f"{where} has more in its url than host and path; put a key into headers")
    if written.args or written.env:
        raise McpServerError(f"{where} has args or env, which only a command takes; a url takes headers")
    if written.headers and parts.scheme == "http" and host not in _THIS_MACHINE:
        raise McpServerError(f"{where} has headers, which go over https only; change its url to https")


def _one_line(error: ValidationError) -> str:
    """Say what is wrong first. Values are not shown, for any of them may be secret."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    steps = [
        str(step)[:60] for step in found["loc"] if str(step) not in ("[key]", "str") and "[" not in str(step)
    ]
    place = ".".join(step if step.isprintable() else "?" for step in steps)
    match found["type"]:
        case "extra_forbidden":
            problem = f"is not known; the keys are {', '.join(_Written.model_fields)}"
        case "dict_type" | "model_type" | "mapping_type" | "model_attributes_type":
            problem = "is no object of names and values"
        case "value_error":
            problem = found["msg"].removeprefix("Value error, ")
        case _:
            problem = f"can't be used: {found['msg'][0].lower()}{found['msg'][1:]}"
    return f"MCP servers: {place or 'the whole'} {problem}"
