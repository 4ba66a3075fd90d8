"""Tidy files of news: JSON lines, each story judged before anything is stored.

Texts are kept as they came. They are data from outside: whoever shows them escapes them, whoever quotes them to
a model fences them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from domain.time import iso
from market.tidy.files import MAX_ROWS, Form, TidyFile, read_json_line, reading
from market.tidy.instants import UNREAD, read_instants
from market.tidy.problems import Problems, TidyError, where_true

NEWS_COLUMNS = ("id", "published_at", "source", "title", "body", "url", "symbols")

_NUL = re.compile(rb"(?<!\\)(\\\\)*\\u0000")
_LONGEST_SENTIMENT = 10_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a news file. `published_at` is UTC ms, or an RFC 3339 text in UTC; `sentiment` is JSON as it came."""

    id: Name
    published_at: int | str
    source: Name
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    symbols: Annotated[list[Symbol], msgspec.Meta(max_length=100)]
    body: Annotated[str, msgspec.Meta(max_length=200_000)] | None = None
    url: Annotated[str, msgspec.Meta(max_length=4_000)] | None = None
    category: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    sentiment: msgspec.Raw = msgspec.Raw()


class Stories(msgspec.Struct, frozen=True):
    """What was read: stories by time of publication (UTC ms, in `published`), and the fields that were ignored."""

    stories: list[Story]
    published: list[int]
    unused: tuple[str, ...]


def read_news(paths: Sequence[Path], now_ms: int | None) -> Stories:
    """Read stories. `now_ms` is when nothing later can have been published; None for those made up.

    A story that comes twice, word for word, is kept once. Raises TidyError, one line, for the first thing
    that is wrong.
    """
    if not paths:
        raise TidyError("no file was given")
    kept: dict[tuple[str, str], tuple[Story, int, str]] = {}
    unused: set[str] = set()
    for path in paths:
        file = TidyFile(path)
        if file.form is not Form.JSONL:
            raise TidyError(f"{path} is {file.form.value}; news is read from JSON lines, one object a line")
        for story, ts, place in zip(*_read(file, now_ms, unused), strict=True):
            first, _, before = kept.setdefault((story.source, story.id), (story, ts, place))
            if first != story:
                raise TidyError(
                    f"{place}: {story.source} has the id {story.id} twice, and differs from {before}; leave one out"
                )
    ordered = sorted(kept.values(), key=lambda one: (one[1], one[0].source, one[0].id))
    return Stories([story for story, _, _ in ordered], [ts for _, ts, _ in ordered], tuple(sorted(unused)))


def _read(file: TidyFile, now_ms: int | None, unused: set[str]) -> tuple[list[Story], list[int], list[str]]:
    """The stories of one file, when each was published, and its place."""
    decode = msgspec.json.Decoder(Story).decode
    names = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    stories: list[Story] = []
    places: list[str] = []
    with reading(file.path), file.open() as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            place = f"{file.path}:{number}"
            story = read_json_line(place, line, decode)
            _check_text(place, line, story)
            unused.update(read_json_line(place, line, names).keys() - Story.__struct_fields__)
            stories.append(story)
            places.append(place)
            if len(stories) > MAX_ROWS:
                raise TidyError(f"{file.path} has more than {MAX_ROWS:,} stories; split it")
    return stories, _published(stories, places, now_ms), places


def _published(stories: list[Story], places: list[str], now_ms: int | None) -> list[int]:
    """When each story was published, in UTC ms. Raises TidyError for the first that can't be."""
    import pyarrow as pa

    problems = Problems()
    texts = pa.array([str(story.published_at) for story in stories], pa.string())
    ts = read_instants(texts, problems, 0, "published_at")
    if now_ms is not None:
        problems.add(
            where_true((ts > now_ms) & (ts != UNREAD)),
            lambda row: f"published_at {iso(int(ts[row]))} is later than now, {iso(now_ms)}",
        )
    problems.raise_if_any(places.__getitem__)
    listed: list[int] = np.asarray(ts).tolist()
    return listed


def _check_text(place: str, line: bytes, story: Story) -> None:
    if _NUL.search(line):
        raise TidyError(f"{place}: a text holds the NUL character, which can't be kept; take it out")
    for name in ("id", "source", "title"):
        if not getattr(story, name).strip():
            raise TidyError(f"{place}: {name} is blank; fill it in or leave out the line")
    if len(story.sentiment) > _LONGEST_SENTIMENT:
        raise TidyError(f"{place}: sentiment has more than {_LONGEST_SENTIMENT:,} bytes")
