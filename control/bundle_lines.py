"""The lines of a bundle, in the order in which they are in it. What they may hold is bounded by their types."""

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from db.inference import CallRow, ToolRow
from db.market import BARS, FUNDING_RATES, MARKS, InstrumentRow
from db.news import NewsRow
from db.tape import Rows
from domain.tools import PinnedTool

FORMAT = 1
MOST_BYTES = 512 * 1024 * 1024
"""Of a bundle when it is unpacked."""
MOST_LINE_BYTES = 16 * 1024 * 1024
MOST_LINES = 1_000_000
MOST_ROWS = 3_000_000
ROWS_A_LINE = 2_000
DEEPEST = 30
"""How deeply a manifest, or what is derived from a story, may nest."""

Sha = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Short = Annotated[str, Meta(max_length=300)]
Instant = Annotated[int, Meta(ge=0, lt=2**53)]
Count = Annotated[int, Meta(ge=0, le=MOST_ROWS)]


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line."""


class Header(_Line, frozen=True, tag="agentic run"):
    """The first line: what the run came to, by "manifest", "ledger" and "report", and what follows."""

    format: int
    digests: dict[Short, Sha]
    lines: int
    sha256: Sha


class SkillLine(_Line, frozen=True, tag="skill"):
    """The very bytes of the Skill version."""

    digest: Sha
    body: str


class RunLine(_Line, frozen=True, tag="run"):
    """The run's settings and its manifest."""

    config: dict[str, Any]
    manifest: dict[str, Any]


class InstrumentLine(_Line, frozen=True, tag="instrument"):
    """The facts of one symbol."""

    instrument: InstrumentRow


class SeriesLine(_Line, frozen=True, tag="series"):
    """One series; its rows follow, in pieces. `sources` says from where they are: (source, how many), in order."""

    table: Short
    symbol: Short
    interval_ms: Instant | None
    rows: Count
    sources: Annotated[list[tuple[Short, Count]], Meta(max_length=1_000)]


class RowsLine(_Line, frozen=True, tag="rows"):
    """Some rows of the series before it, as columns of one length: instants (UTC ms), and prices, volumes or rates."""

    instants: dict[Short, list[Instant]]
    values: dict[Short, list[float]]


class NewsLine(_Line, frozen=True, tag="news"):
    """One story."""

    story: NewsRow


class ToolLine(_Line, frozen=True, tag="tool"):
    """The definition of an MCP tool as it was approved."""

    tool: PinnedTool


class CallLine(_Line, frozen=True, tag="call"):
    """One recorded call of a model."""

    call: CallRow


class AnswerLine(_Line, frozen=True, tag="answer"):
    """One recorded answer of an MCP tool."""

    answer: ToolRow


Line = (
    SkillLine | RunLine | InstrumentLine | SeriesLine | RowsLine | NewsLine | ToolLine | CallLine | AnswerLine
)

DTYPES = {tape.table: tape.dtype for tape in (BARS, MARKS, FUNDING_RATES)}
"""The tables of market data, and what their rows are."""

encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode
decode = msgspec.json.Decoder(Line).decode


def rows_line(rows: Rows) -> RowsLine:
    """Some rows as a line."""
    names, dtype = rows.dtype.names or (), rows.dtype
    columns = {kind: {n: rows[n].tolist() for n in names if dtype[n].kind == kind} for kind in "if"}
    return RowsLine(columns["i"], columns["f"])


def array_of(line: RowsLine, dtype: np.dtype[np.void]) -> Rows:
    """A line as rows of this type. Raises ValueError for one with other columns."""
    columns: dict[str, Any] = {**line.instants, **line.values}
    lengths = {len(column) for column in columns.values()}
    kinds = {name: dtype[name].kind for name in dtype.names or ()}
    if kinds != dict.fromkeys(line.instants, "i") | dict.fromkeys(line.values, "f") or len(lengths) != 1:
        raise ValueError(f"rows have the columns {', '.join(kinds)}, all of one length")
    rows = np.empty(lengths.pop(), dtype)
    for name, column in columns.items():
        rows[name] = column
    return rows


def is_deeper(value: Any, levels: int = DEEPEST) -> bool:
    """Whether a value nests more deeply than what is kept here ever does."""
    if isinstance(value, dict | list | tuple):
        inner = value.values() if isinstance(value, dict) else value
        return levels == 0 or any(is_deeper(each, levels - 1) for each in inner)
    return False
