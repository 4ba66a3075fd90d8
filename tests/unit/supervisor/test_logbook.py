"""The log of a process: kept, cleaned, and written without anybody waiting for it."""

import io
import json
import logging
from collections.abc import Iterator
from threading import Event as Signal

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from supervisor.logbook import KEPT, MOST_CHARACTERS, Format, Logbook, logging_to
from supervisor.redaction import HIDDEN, Redactor

SECRET = "hunter2-hunter2"
log = logging.getLogger("some.module")


class Written(io.StringIO):
    """What was written, that outlives the logbook."""


@pytest.fixture
def written() -> Written:
    """Where this test's lines go."""
    return Written()


@pytest.fixture
def logbook(written: Written) -> Iterator[Logbook]:
    """A logbook that everything is logged to."""
    yield from open_logbook(written, "text")


def open_logbook(written: Written, format: Format) -> Iterator[Logbook]:
    """A logbook of a format, closed afterwards."""
    logbook = Logbook(Redactor([SECRET]), format, written.write)
    with logging_to(logbook, "info"):
        yield logbook


def test_both_ways_of_logging_come_to_one_place(logbook: Logbook) -> None:
    """With their values, and with the child in whose task they were logged."""
    with bound_contextvars(child="engine:a", deployment="d"):
        log.warning("%s is %d s old", "BTC", 7)
        structlog.get_logger("other.module").info("filled", size="0.1", name="x", args="y", msg="z")
    log.info("outside")
    log.debug("too slight")
    events, last = logbook.since(0)

    assert last == 3
    assert [(one.level, one.child, one.logger, one.event) for one in events] == [
        ("warning", "engine:a", "some.module", "BTC is 7 s old"),
        ("info", "engine:a", "other.module", "filled"),
        ("info", None, "some.module", "outside"),
    ]
    assert events[1].values == {"deployment": "d", "size": "0.1", "name": "x", "args": "y", "msg": "z"}


def test_secrets_are_hidden_everywhere(logbook: Logbook, written: Written) -> None:
    """In the text, in values by their name, in tracebacks; in what is kept and in what is written."""
    try:
        raise ValueError(f"refused {SECRET}")
    except ValueError:
        log.exception("asked with %s", SECRET)
        structlog.get_logger().error("again", exc_info=True, api_key="k", url=f"x{SECRET}")
    events, _ = logbook.since(0)
    logbook.close()

    assert SECRET not in str(events) + written.getvalue()
    assert events[0].event == f"asked with {HIDDEN}"
    assert f"ValueError: refused {HIDDEN}" in (events[0].trace or "")
    assert events[1].values == {"api_key": HIDDEN, "url": f"x{HIDDEN}"}
    assert "ValueError" in (events[1].trace or "")


def test_an_event_is_one_bounded_line(logbook: Logbook, written: Written) -> None:
    """Whatever somebody else's text in it looks like."""
    log.warning("one\ntwo\r\nthree %s", "x" * 10_000)
    event = logbook.since(0)[0][0]
    logbook.close()

    assert event.event.startswith("one two three xxx")
    assert len(event.event) == MOST_CHARACTERS
    assert len(written.getvalue().splitlines()) == 1


def test_only_the_latest_are_kept(logbook: Logbook) -> None:
    """The numbers go on, so that whoever follows sees that some are missing."""
    for number in range(KEPT + 10):
        log.info("event %d", number)
    events, last = logbook.since(0)

    assert (len(events), events[0].number, last) == (KEPT, 11, KEPT + 10)
    assert [event.number for event in logbook.since(last - 3)[0]] == [last - 2, last - 1, last]
    assert [event.number for event in logbook.since(0, most=2)[0]] == [last - 1, last]


def test_a_name_finds_its_own_and_what_is_below(logbook: Logbook) -> None:
    """`engine` finds every engine; another child whose name begins alike is another child."""
    for child in ("engine:a", "engine:b", "engineer", None):
        with bound_contextvars(child=child):
            log.info("here")

    assert [event.child for event in logbook.since(0, "engine")[0]] == ["engine:a", "engine:b"]
    assert [event.child for event in logbook.since(0, "engineer")[0]] == ["engineer"]
    assert len(logbook.since(0)[0]) == 4


def test_lines_for_people_say_when_how_grave_who_and_what(logbook: Logbook, written: Written) -> None:
    """The module stands in for a child where there is none."""
    with bound_contextvars(child="page"):
        structlog.get_logger("web").warning("slow", took_ms=12)
    log.error("bad")
    logbook.close()
    first, second = written.getvalue().splitlines()

    assert first[8:] == " WARNING page: slow took_ms='12'"
    assert second[8:] == " ERROR some.module: bad"


def test_lines_for_programs_are_json(written: Written) -> None:
    """Values stand beside what every event has, and never in its place."""
    for logbook in open_logbook(written, "json"):
        structlog.get_logger("web").warning("slow", took_ms=12, level="fake")
        logbook.close()
    said = json.loads(written.getvalue())

    assert said.pop("ts").endswith("Z")
    assert said == {"level": "warning", "child": None, "logger": "web", "event": "slow", "took_ms": "12"}


def test_a_pipe_that_nobody_reads_holds_up_nobody() -> None:
    """The writing waits in its own thread; logging goes on, and what was too much is counted."""
    goes_on, lines = Signal(), list[str]()

    def write(text: str) -> None:
        goes_on.wait()
        lines.append(text)

    logbook = Logbook(Redactor(), "text", write)
    with logging_to(logbook, "info"):
        log.info("first")
        for number in range(2 * KEPT):
            log.info("event %d", number)
        last = logbook.since(0)[1]
        goes_on.set()
    shown = "".join(lines).splitlines()

    assert last == 2 * KEPT + 1
    assert any("lines are not shown: too many came at once" in line for line in shown)
    assert shown[-1].endswith(f"event {2 * KEPT - 1}")


def test_a_reader_that_has_gone_is_no_reason_to_stop() -> None:
    """Events are still kept for whoever asks."""

    def broken(text: str) -> None:
        raise BrokenPipeError

    logbook = Logbook(Redactor(), "text", broken)
    with logging_to(logbook, "info"):
        log.info("one")
        log.info("two")

        assert logbook.since(0)[1] == 2


def test_logging_is_as_before_afterwards(logbook: Logbook) -> None:
    """For the tests of others, and for what is said after the end."""
    handlers = logging.getLogger().handlers
    inner = Logbook(Redactor(), "text", lambda _: None)
    with logging_to(inner, "debug"):
        pass

    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().level == logging.INFO
