"""A bundle: one run in one file, with all that a replay of it needs on another machine.

A gzip file of JSON lines, format 1. The first line is the header: the run's digests, how many lines follow, and the
sha256 of those lines. Whoever sends a bundle may have written anything into it: what is read is bounded, and read and
judged to its end before any of it is used.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import msgspec
import numpy as np

from control.bundle_lines import (
    DTYPES,
    FORMAT,
    MOST_BYTES,
    MOST_LINE_BYTES,
    MOST_LINES,
    MOST_ROWS,
    ROWS_A_LINE,
    AnswerLine,
    CallLine,
    Header,
    InstrumentLine,
    Line,
    NewsLine,
    RowsLine,
    RunLine,
    SeriesLine,
    SkillLine,
    ToolLine,
    array_of,
    decode,
    encode,
    is_deeper,
    rows_line,
)
from control.errors import Invalid
from db.inference import CallRow, ToolRow
from db.market import InstrumentRow
from db.news import NewsRow
from db.tape import Rows
from domain.tools import PinnedTool


class Carried(msgspec.Struct):
    """What a bundle holds. `origin` is the sha256 of the file that it was read from, "" before it is in one."""

    digests: dict[str, str]
    skill: SkillLine
    run: RunLine
    instruments: list[InstrumentRow] = []
    series: list[tuple[SeriesLine, Rows]] = []
    news: list[NewsRow] = []
    tools: list[PinnedTool] = []
    calls: list[CallRow] = []
    answers: list[ToolRow] = []
    origin: str = ""


def write_bundle(carried: Carried, to: Path) -> None:
    """Write a bundle, whole or not at all; the same run gives the same bytes. Raises Invalid where it can't be."""
    unfinished = to.with_name(f"{to.name}.unfinished")
    try:
        with TemporaryFile() as body:
            header = _write_body(carried, body)
            with unfinished.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
                packed.write(encode(header) + b"\n")
                while piece := body.read(1 << 20):
                    packed.write(piece)
        unfinished.replace(to)
    except OSError as error:
        raise Invalid(f"{to} can't be written: {error.strerror or error}; nothing was") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write_body(carried: Carried, body: IO[bytes]) -> Header:
    """Write all lines but the first, and give the first; the file is left to be read from its beginning."""
    digest, lines, size = hashlib.sha256(), 0, 0
    for line in _lines(carried):
        text = encode(line) + b"\n"
        lines, size = lines + 1, size + len(text)
        if size > MOST_BYTES or len(text) > MOST_LINE_BYTES or lines > MOST_LINES:
            raise Invalid(
                f"the run is too large for a bundle: at most {MOST_BYTES >> 20} MB in {MOST_LINES:,} lines; "
                "run a shorter range"
            )
        digest.update(text)
        body.write(text)
    body.seek(0)
    return Header(FORMAT, carried.digests, lines, digest.hexdigest())


def _lines(carried: Carried) -> Iterator[Line]:
    yield carried.skill
    yield carried.run
    yield from map(InstrumentLine, carried.instruments)
    for series, rows in carried.series:
        yield series
        for start in range(0, len(rows), ROWS_A_LINE):
            yield rows_line(rows[start : start + ROWS_A_LINE])
    yield from map(NewsLine, carried.news)
    yield from map(ToolLine, carried.tools)
    yield from map(CallLine, carried.calls)
    yield from map(AnswerLine, carried.answers)


def read_bundle(path: Path) -> Carried:
    """Read a bundle to its end. Raises Invalid, in one line, for a file that is not one, is cut off, or was changed."""
    try:
        with path.open("rb") as raw:
            origin = hashlib.file_digest(raw, "sha256").hexdigest()
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) as packed:
                carried = _read(path, _bounded(path, packed))
    except (EOFError, zlib.error) as error:
        raise Invalid(f"{path} is cut off or damaged; get it again") from error
    except gzip.BadGzipFile as error:
        raise Invalid(f"{path} is not a bundle, which is a gzip file; or it is damaged") from error
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror or error}") from error
    carried.origin = origin
    return carried


def _bounded(path: Path, packed: gzip.GzipFile) -> Iterator[bytes]:
    """The lines of a file, none of them too long, and not too many."""
    left = MOST_BYTES
    while line := packed.readline(MOST_LINE_BYTES + 1):
        left -= len(line)
        if len(line) > MOST_LINE_BYTES or left < 0:
            raise Invalid(
                f"{path} unpacks to more than a bundle may have ({MOST_BYTES >> 20} MB); it is not read"
            )
        yield line


def _read(path: Path, lines: Iterator[bytes]) -> Carried:
    header = _header(path, next(lines, b""))
    digest, reader = hashlib.sha256(), _Reader(header.digests)
    count = 0
    for count, text in enumerate(lines, 1):
        digest.update(text)
        if count > header.lines:
            break
        try:
            reader.take(decode(text))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Invalid(f"{path}, line {count + 1}: {error}") from error
    if count != header.lines or digest.hexdigest() != header.sha256:
        raise Invalid(f"{path} is not as it was written: its header names other contents; get it again")
    try:
        return reader.finish()
    except ValueError as error:
        raise Invalid(f"{path}: {error}") from error


def _header(path: Path, line: bytes) -> Header:
    try:
        found = msgspec.json.decode(line, type=dict[str, Any])
        if found.get("type") == "agentic run" and found.get("format") != FORMAT:
            raise Invalid(
                f"{path} is a bundle of format {str(found.get('format'))[:20]}, and this program reads format "
                f"{FORMAT}; bring it up to date, or the one that wrote it"
            )
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid(f"{path} is not a bundle: its first line is no header of one") from error
    if header.lines > MOST_LINES:
        raise Invalid(
            f"{path} has {header.lines:,} lines, and a bundle at most {MOST_LINES:,}; it is not read"
        )
    return header


class _Reader:
    """Takes the lines of a bundle one after the other. Raises ValueError for one that does not belong there."""

    def __init__(self, digests: dict[str, str]) -> None:
        self._digests = digests
        self._one: dict[type, Any] = {}
        self._many: dict[type, list[Any]] = {
            kind: [] for kind in (InstrumentLine, NewsLine, ToolLine, CallLine, AnswerLine)
        }
        self._series: list[tuple[SeriesLine, list[Rows]]] = []
        self._rows = 0

    def take(self, line: Line) -> None:
        """Take one line in."""
        if isinstance(line, RunLine | NewsLine) and is_deeper(msgspec.to_builtins(line)):
            raise ValueError("it nests too deeply")
        if isinstance(line, SkillLine | RunLine):
            if type(line) in self._one:
                raise ValueError("a bundle holds one run of one Skill, and here is another")
            self._one[type(line)] = line
        elif isinstance(line, SeriesLine):
            if line.table not in DTYPES or sum(count for _, count in line.sources) != line.rows:
                raise ValueError(f"the series {line.table[:40]!r} is no series of market data")
            self._series.append((line, []))
        elif isinstance(line, RowsLine):
            self._take_rows(line)
        else:
            (value,) = (getattr(line, name) for name in line.__struct_fields__)
            self._many[type(line)].append(value)

    def _take_rows(self, line: RowsLine) -> None:
        if not self._series:
            raise ValueError("rows come before the series that they are of")
        series, parts = self._series[-1]
        parts.append(array_of(line, DTYPES[series.table]))
        self._rows += len(parts[-1])
        if self._rows > MOST_ROWS:
            raise ValueError(f"a bundle has at most {MOST_ROWS:,} rows of market data")

    def finish(self) -> Carried:
        """What was read."""
        if len(self._one) < 2:
            raise ValueError("it has no Skill, or no run")
        series = []
        for line, parts in self._series:
            rows = np.concatenate([np.empty(0, DTYPES[line.table]), *parts])
            if len(rows) != line.rows:
                raise ValueError(
                    f"{line.table} of {line.symbol} has {len(rows)} rows, and says it has {line.rows}"
                )
            series.append((line, rows))
        return Carried(
            self._digests,
            self._one[SkillLine],
            self._one[RunLine],
            self._many[InstrumentLine],
            series,
            self._many[NewsLine],
            self._many[ToolLine],
            self._many[CallLine],
            self._many[AnswerLine],
        )
