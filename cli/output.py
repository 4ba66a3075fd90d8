"""How a command speaks: results on stdout, for people or as one JSON document; all else on stderr.

An error that can be expected becomes one clear line and exit code 1. Its traceback is shown with
AGENTIC_LOG_LEVEL=debug only.
"""

import asyncio
import os
import re
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import msgspec
import orjson
import typer

from domain.money import plain
from domain.time import iso

if TYPE_CHECKING:
    from cli.terminal import Terminal

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
"""The option that every command that prints has: `as_json: AsJson = False`."""

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""What moves the cursor, and what reorders or hides the letters around it."""

_EXPECTED = (
    ("control.errors", "Refused"),
    ("db.errors", "DatabaseError"),
    ("config.settings", "SettingsError"),
    ("config.instruments", "UnknownInstrument"),
    ("config.models", "ModelTableError"),
    ("config.mcp", "McpServerError"),
    ("skills.problems", "SkillError"),
    ("market.tidy.problems", "TidyError"),
)
"""The errors that are a person's to mend, by module and name. One that isn't loaded can't have been raised."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do a command's work to its end. Expected errors end the command: a line on stderr, exit code 1.

    The result is not what the loop's task returns, because asyncio would write that out in full (in a message that
    nobody sees) each time.
    """
    results: list[T] = []

    async def kept() -> None:
        results.append(await work)

    with plain_errors():
        asyncio.run(kept())
    return results[0]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn an expected error, or one of the file system, into a line on stderr and exit code 1."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has seen enough; Typer ends the command quietly
    except _expected() as error:
        say(describe(error))
        if is_debugging():
            traceback.print_exception(error)
        raise typer.Exit(1) from None


def describe(error: BaseException) -> str:
    """Give an error's line. A SkillError has a line for each problem."""
    if isinstance(error, OSError) and error.strerror and type(error).__module__ == "builtins":
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def is_debugging() -> bool:
    """Whether tracebacks are wanted. Looked up here because the settings themselves may be what is wrong."""
    return os.environ.get("AGENTIC_LOG_LEVEL", "").lower() == "debug"


def say(text: str) -> None:
    """Tell people something that is not the result: a line on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Show control characters by their code, so that no terminal acts on them: a file's name may be anybody's."""
    return _CONTROLS.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    point = ord(found[0])
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"


def emit(document: T, as_json: bool, human: Callable[[T], Any]) -> None:
    """Print a result: as JSON, or what `human` makes of it, a text or a Rich renderable.

    `human` may also print by itself and give None.
    """
    if as_json:
        print_json(document)
    elif (shown := human(document)) is not None:
        console().print(shown, soft_wrap=isinstance(shown, str))


def print_json(value: Any) -> None:
    """Print one JSON document. Decimals are plain text; instants of structs (`…_ts`) are RFC 3339."""
    print(to_json(value), flush=True)


def to_json(value: Any) -> str:
    """Write a value as `print_json` prints it; what is not a number in JSON's sense becomes null."""
    return orjson.dumps(value, default=_encode, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()


def console(*, stderr: bool = False) -> "Terminal":
    """Give the terminal, or the pipe, to draw on: without colour and wide enough for tables where it is a pipe."""
    from cli.terminal import Terminal

    return Terminal(stderr=stderr)


@contextmanager
def progress(label: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr while something goes on, and nothing where stderr is no terminal.

    Gives a function to be called with how much is done so far, out of `total`; without a total the bar only
    shows that there is life.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeRemainingColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def _expected() -> tuple[type[BaseException], ...]:
    loaded = (getattr(sys.modules[module], name) for module, name in _EXPECTED if module in sys.modules)
    return (OSError, *loaded)


def _encode(value: Any) -> Any:
    match value:
        case Decimal():
            return plain(value) if value.is_finite() else None
        case msgspec.Struct():
            names = value.__struct_fields__
            return {name: _instant(name, getattr(value, name)) for name in names}
        case UUID():
            return str(value)  # the driver's own kind of UUID
        case set() | frozenset():
            return sorted(value)
        case os.PathLike():
            return os.fspath(value)
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


def _instant(name: str, value: Any) -> Any:
    if name != "ts" and not name.endswith("_ts"):
        return value
    return (
        [iso(ts) for ts in value]
        if isinstance(value, list | tuple)
        else None
        if value is None
        else iso(value)
    )
