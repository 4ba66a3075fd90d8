"""Tools that live outside, on MCP servers, as a person approved them: the text a model is shown, and its digest.

Everything a server says of itself is a stranger's text. What a model sees is cleaned and bounded here; the digest is
taken of what the server really said, so that a change that no eye can see changes it too.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec

MOST_DESCRIPTION = 2_000
MOST_SCHEMA_BYTES = 16 * 1024
DEEPEST_SCHEMA = 12

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_WIRE_NAME = 64  # of a tool, in the Messages API
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANKS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Characters of other categories that show nothing: the grapheme joiner, fillers, the empty braille cell."""


class ToolRefused(ValueError):
    """A definition that is not shown to a model. One line: whose it is and what is wrong with it."""


class PinnedTool(msgspec.Struct, frozen=True):
    """One tool of an MCP server. `description` and `schema` are clean; `digest` is of the definition as it came.

    `as_of` is the argument in which it takes the instant to look back from. We fill it in; a model never sees it.
    """

    server: str
    name: str
    description: str
    schema: dict[str, Any]  # JSON Schema of its arguments, an object
    digest: str
    as_of: str | None = None

    @property
    def full_name(self) -> str:
        """Its name in a Skill: `server.tool`."""
        return f"{self.server}.{self.name}"

    @property
    def wire_name(self) -> str:
        """Its name as a model is shown it: `server__tool`. A server's name has no underscore, so it reads one way."""
        return f"{self.server}__{self.name}"

    @property
    def shown_schema(self) -> dict[str, Any]:
        """The schema as a model is shown it: without the instant, which is not its to choose."""
        if self.as_of is None:
            return self.schema
        properties = {name: each for name, each in self.schema["properties"].items() if name != self.as_of}
        required = [name for name in self.schema.get("required", ()) if name != self.as_of]
        return {**self.schema, "properties": properties, "required": required}


class ToolReply(msgspec.Struct, frozen=True):
    """What an MCP tool answered: any JSON value, bounded. `failure` says in a word why it is none of the server's."""

    data: Any
    is_error: bool = False
    failure: str = ""  # timeout, unreachable


def pin(server: str, name: str, description: str | None, schema: Any, as_of: str | None = None) -> PinnedTool:
    """Clean a tool's definition and name it by its digest. Raises ToolRefused for one that is no use as it is.

    `as_of` is what the server's instant is called; a tool that does not take it has none.
    """
    where = f"the tool {visible(name, 60)!r} of the MCP server {server}"
    if not _NAME.fullmatch(name) or len(f"{server}__{name}") > _LONGEST_WIRE_NAME:
        most = _LONGEST_WIRE_NAME - len(server) - 2
        raise ToolRefused(
            f"{where} has a name that models can't call; at most {most} of A-Z a-z 0-9 _ - may be in it"
        )
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ToolRefused(f"{where} describes its arguments by no JSON Schema of an object")
    if depth(schema, DEEPEST_SCHEMA) > DEEPEST_SCHEMA:
        raise ToolRefused(f"{where} nests its arguments deeper than {DEEPEST_SCHEMA} levels")
    if not _is_sound(schema):
        raise ToolRefused(f"{where} lists its arguments in a form that JSON Schema does not know")
    instant = as_of if as_of in schema.get("properties", {}) else None
    try:
        raw = canonical_json([name, description or "", schema, instant])
    except ValueError:
        raise ToolRefused(f"{where} has a number in its schema that JSON does not have") from None
    if len(canonical_json(schema)) > MOST_SCHEMA_BYTES:
        raise ToolRefused(f"{where} has a schema of more than {MOST_SCHEMA_BYTES} bytes")
    shown = visible(description or "", MOST_DESCRIPTION)
    return PinnedTool(server, name, shown, _clean(schema, where), hashlib.sha256(raw).hexdigest(), instant)


def refuse_collisions(tools: Iterable[PinnedTool]) -> None:
    """Raise ToolRefused when two tools would answer to one name."""
    seen: set[str] = set()
    for tool in tools:
        if tool.wire_name in seen:
            raise ToolRefused(
                f"the MCP server {tool.server} offers two tools called {tool.name}; none is used"
            )
        seen.add(tool.wire_name)


def visible(text: str, most: int) -> str:
    """A stranger's text without what no eye sees (control, direction, filler), of at most `most` characters."""
    kept = "".join(
        char for char in unicodedata.normalize("NFC", text[: 8 * most]) if _is_visible(char)
    ).strip()
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def canonical_json(value: Any) -> bytes:
    """The one form of a JSON value: keys sorted, compact, ASCII. Raises ValueError for what JSON does not have."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def depth(value: Any, most: int) -> int:
    """How deep lists and objects nest; more than `most` is not counted out."""
    level, found = [value], 0
    while found <= most:
        nested = (
            each.values() if isinstance(each, dict) else each
            for each in level
            if isinstance(each, dict | list)
        )
        level = [child for children in nested for child in children]
        if not level:
            break
        found += 1
    return found


def _is_visible(char: str) -> bool:
    if char in "\n\t":
        return True
    is_selector = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return not (is_selector or char in _BLANKS or unicodedata.category(char) in _HIDDEN)


def _clean(value: Any, where: str) -> Any:
    """A schema with every text in it cleaned. Names of arguments are not mended: a strange one is refused."""
    if isinstance(value, str):
        return visible(value, MOST_DESCRIPTION)
    if isinstance(value, list):
        return [_clean(each, where) for each in value]
    if isinstance(value, dict):
        for key in value:
            if visible(key, MOST_DESCRIPTION) != key:
                raise ToolRefused(f"{where} has a key in its schema with characters that can't be seen")
        return {key: _clean(each, where) for key, each in value.items()}
    return value


def _is_sound(schema: dict[str, Any]) -> bool:
    """Whether the parts that we read ourselves are of their kind."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return (
        isinstance(properties, dict)
        and all(isinstance(each, dict) for each in properties.values())
        and isinstance(required, list)
        and all(isinstance(name, str) for name in required)
    )
