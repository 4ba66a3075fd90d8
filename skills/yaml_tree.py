"""The little YAML a Skill needs, with the line of every key: maps, lists and scalars, and nothing else.

Built on PyYAML's stream of events, which is pulled one at a time, so that a hostile file is refused at the
depth where it gets too deep. Anchors, aliases, tags, merge keys and a second document are refused: none is
needed, and each is a way for a file to mean something other than what it seems to say. Scalars stay text
(see `values`).
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from skills.problems import Path, SkillProblem, subject
from skills.values import Bare, short

MAX_DEPTH = 6
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_SYNTAX = {
    "scanning an alias": 'a value that starts with * must be in quotes, such as "*/15 * * * *"',
    "scanning an anchor": "a value that starts with & must be in quotes",
    "mapping values are not allowed": "a value that has a colon and a space in it must be in quotes",
    "found character '\\t'": "a tab can't stand here; use spaces",
    "that cannot start any token": "a value that starts with this character must be in quotes",
    "quoted scalar": "a quote is opened and never closed",
    "flow sequence": "a list in [brackets] is not closed, or lacks a comma",
    "flow mapping": "keys in {braces} are not closed, or lack a comma",
    "expected '<document start>'": "only one document is allowed; remove the line of dots",
    "could not find expected ':'": "write `key: value`",
    "expected <block end>": "this line is indented unlike the ones it belongs to, or has text after a value",
}
"""A piece of PyYAML's message → what to do, in words of our own. The first that fits is used."""


class Tree(msgspec.Struct):
    """What was read. `data` holds dicts, lists, `Bare`, `str` and None; `lines`, where each path is."""

    data: Any = None
    lines: dict[Path, int] = {}
    problems: dict[Path, SkillProblem] = {}

    def line_of(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str, *, first_line: int = 1) -> Tree:
    """Read YAML whose first line is number `first_line` of its file. Never raises: see `problems`."""
    reader = _Reader(first_line)
    try:
        reader.read(yaml.parse(text, Loader=yaml.SafeLoader))
    except _Stopped:
        pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reader.note((), first_line + (mark.line if mark else 0), f"is not valid YAML: {_explained(error)}")
    except yaml.reader.ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        reader.note((), line, f"has a control character (code {_code(error)}); remove it")
    return reader.tree


class _Stopped(Exception):
    """Nothing more can be read; the problem has been noted."""


class _Reader:
    """Turns events into a tree, and notes what it refuses."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.tree = Tree(lines={(): 1})

    def note(self, path: Path, line: int, message: str) -> None:
        """Keep the first problem of a path; what follows from it would only confuse."""
        self.tree.problems.setdefault(path, SkillProblem(line, subject(path), message))

    def read(self, events: Iterator[Any]) -> None:
        self.events = events
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                self.tree.data = self.value(event, ())

    def value(self, event: Any, path: Path) -> Any:
        """The value that starts with an event, at a path."""
        line = self.first_line + event.start_mark.line
        self.tree.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            self.note(path[:-1], line, f"is nested too deep; {MAX_DEPTH} levels are the most")
            raise _Stopped
        if isinstance(event, yaml.AliasEvent):
            self.note(path, line, f"is an alias, *{event.anchor}; write the value out, or put it in quotes")
            return None
        self.refuse_marks(event, path, line)
        match event:
            case yaml.MappingStartEvent():
                return self.mapping(path)
            case yaml.SequenceStartEvent():
                return self.sequence(path)
            case _:
                return _scalar(event)

    def refuse_marks(self, event: Any, path: Path, line: int) -> None:
        if event.anchor is not None:
            self.note(path, line, f"has an anchor, &{event.anchor}; remove it")
        if event.tag is not None:
            self.note(path, line, f"has a tag, {short(event.tag)}; remove it")

    def mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = self.first_line + event.start_mark.line
            if not isinstance(event, yaml.ScalarEvent):
                self.note(path, line, "has a key that is not a word; write `key: value`")
                raise _Stopped
            key = event.value
            self.refuse_marks(event, (*path, key), line)
            if key in found:
                message = f"is given twice, first on line {self.tree.lines[(*path, key)]}; keep one"
                self.note((*path, key), line, message)
                self.value(next(self.events), (*path, key))
                continue
            self.tree.lines[(*path, key)] = line
            found[key] = self.value(next(self.events), (*path, key))
        return found

    def sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self.value(event, (*path, len(found))))
        return found


def _scalar(event: Any) -> Any:
    if event.style is not None:
        return str(event.value)
    return None if event.value in _NULLS else Bare(event.value)


def _explained(error: yaml.MarkedYAMLError) -> str:
    said = f"{error.context or ''} {error.problem or ''}".strip()
    return next((advice for piece, advice in _SYNTAX.items() if piece in said), said)


def _code(error: Any) -> int:
    return error.character if isinstance(error.character, int) else ord(error.character)
