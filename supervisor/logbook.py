"""The log of a process: one line for an event, and the latest of them kept for whoever asks.

Modules log as usual, through `logging` or with named values through `structlog`; both come here. An event belongs to
the child in whose task it was logged. It is cleaned of secrets once, cut to a bounded length, kept in a ring, and
written by a thread of its own, so that nothing waits for a terminal or a pipe that nobody reads.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Literal

import msgspec
import orjson
import structlog

from domain.time import iso
from supervisor.redaction import Redactor

Format = Literal["text", "json"]

KEPT = 5_000
MOST_CHARACTERS = 2_000
"""Of one value; of a traceback the last ones."""
MOST_VALUES = 30
FLUSH_S = 1.0
CHILD = "child"
"""The context variable with the name of the child that a task works for."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log. `number` counts up within the process."""

    number: int
    ts: int
    level: str
    child: str | None
    logger: str
    event: str
    values: dict[str, str]
    trace: str | None = None

    def is_of(self, name: str | None) -> bool:
        """Whether it is of a child, or of one whose name goes on after it and a colon; None: any."""
        return name is None or self.child == name or (self.child or "").startswith(f"{name}:")


class Logbook(logging.Handler):
    """Takes every event. `write` is called with whole lines, in a thread of its own."""

    def __init__(self, redactor: Redactor, format: Format, write: Callable[[str], object]) -> None:
        super().__init__()
        self._redact, self._line, self._write = redactor, LINES[format], write
        self._ring: deque[Event] = deque(maxlen=KEPT)
        self._last = 0
        self._news = threading.Condition()
        self._is_closing = False
        self._writer = threading.Thread(target=self._keep_writing, name="logbook", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one event."""
        values = structlog.contextvars.get_contextvars() | _values_of(record)
        child, trace = values.pop(CHILD, None), values.pop("exception", None)
        said = {name: self._redact.value(name, str(value)) for name, value in values.items()}
        event = Event(
            number=0,
            ts=int(record.created * 1000),
            level=record.levelname.lower(),
            child=None if child is None else str(child),
            logger=record.name,
            event=" ".join(said.pop("event", "").splitlines())[:MOST_CHARACTERS],
            values={name: said[name][:MOST_CHARACTERS] for name in islice(said, MOST_VALUES)},
            trace=self._redact(str(trace))[-MOST_CHARACTERS:] if trace else None,
        )
        with self._news:
            self._last += 1
            self._ring.append(msgspec.structs.replace(event, number=self._last))
            self._news.notify()

    def since(self, number: int, name: str | None = None, most: int = KEPT) -> tuple[list[Event], int]:
        """Give the newest events after a number, oldest first and at most so many, and the last number there is."""
        with self._news:
            found = [event for event in self._ring if event.number > number and event.is_of(name)]
            return found[-most:], self._last

    def close(self) -> None:
        """Write what is left, waiting a little for it."""
        with self._news:
            self._is_closing = True
            self._news.notify()
        self._writer.join(FLUSH_S)
        super().close()

    def _keep_writing(self) -> None:
        written, is_closing = 0, False
        while not is_closing:
            with self._news:
                self._news.wait_for(lambda seen=written: self._is_closing or self._last > seen)  # type: ignore[misc]
                is_closing = self._is_closing
            events, last = self.since(written)
            missed, written = last - written - len(events), last
            lines = [f"{missed} lines are not shown: too many came at once"] if missed else []
            lines += map(self._line, events)
            with suppress(OSError, ValueError):  # nobody reads it any more, which is no reason to stop
                self._write("".join(f"{line}\n" for line in lines))


@contextmanager
def logging_to(logbook: Logbook, level: str) -> Iterator[None]:
    """Have everything that is logged come to a logbook, and as little as before afterwards."""
    root = logging.getLogger()
    handlers, was = root.handlers[:], root.level
    root.handlers[:] = [logbook]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, was
        structlog.reset_defaults()
        logbook.close()


def _values_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was logged, as named values: `event` is what was said, `exception` a traceback."""
    if isinstance(record.msg, Mapping):  # by structlog
        return dict(record.msg)
    values: dict[str, Any] = {"event": record.getMessage()}
    if record.exc_info:
        values["exception"] = logging.Formatter().formatException(record.exc_info)
    return values


def text_line(event: Event) -> str:
    """Write an event for people: when, how grave, who, what."""
    when, who = iso(event.ts)[11:19], event.child or event.logger
    values = "".join(f" {name}={value!r}" for name, value in event.values.items())
    trace = f"\n{event.trace}" if event.trace else ""
    return f"{when} {event.level.upper()} {who}: {event.event}{values}{trace}"


def json_line(event: Event) -> str:
    """Write an event for programs: one JSON object, its values beside what every event has."""
    document = {
        "ts": iso(event.ts),
        "level": event.level,
        "child": event.child,
        "logger": event.logger,
        "event": event.event,
    }
    trace = {"exception": event.trace} if event.trace else {}
    return orjson.dumps({**event.values, **document, **trace}).decode()


LINES: Mapping[Format, Callable[[Event], str]] = {"text": text_line, "json": json_line}
"""How each format writes an event."""
