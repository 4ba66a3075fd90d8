"""What a run was made with: every default, every digest, the data with its gaps, and what stood in for what.

A manifest is shown whole, whatever it holds. Three of its keys are read more closely: `data` (its entries,
however they are nested, may say `synthetic` and `gaps`), `instruments` (an entry may say `assumed`), and
`stood_in` (what was used in place of what was missing, by name). Keys are text. Their order carries no
meaning, because a manifest may have been kept where it is lost: the order shown is always the same.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from domain.money import plain
from domain.time import format_duration, iso
from simulator.report import words

VOLATILE = frozenset(
    {"run_id", "started_at", "finished_at", "created_at", "wall_s", "host", "latency", "number"}
)
"""Keys that differ between two runs of the same thing (the number of a version too: another's list counts otherwise);
they are in no digest."""

FIRST_PARTS = ("skill", "run", "costs", "caps")
"""The parts that are shown first, in this order."""

NAMING = ("symbol", "kind", "name", "interval")
MOST_GAPS = 5


class Item(msgspec.Struct, frozen=True):
    """A name, and a value as text. Digests and the like are set in a face where all letters are as wide."""

    name: str
    value: str
    is_code: bool = False


class Group(msgspec.Struct, frozen=True):
    """Items under a title; the first group has none."""

    title: str
    items: tuple[Item, ...]


class Series(msgspec.Struct, frozen=True):
    """A series of the data: its name, whether a program made it up, its holes, and all else that is said."""

    name: str
    synthetic: bool
    gaps: str
    items: tuple[Item, ...]


def lasting(value: Any) -> Any:
    """A manifest without what differs between two runs of the same thing, at any depth."""
    if isinstance(value, dict):
        return {key: lasting(each) for key, each in value.items() if key not in VOLATILE}
    if isinstance(value, list | tuple):
        return [lasting(each) for each in value]
    return value


def flagged(part: Any, flag: str) -> list[str]:
    """The names of the entries of a part of the manifest that carry a flag."""
    return [name or flag for name, entry in _leaves(part, "") if entry.get(flag) is True]


def series(manifest: dict[str, Any]) -> list[Series]:
    """The data that a run was fed."""
    return [
        Series(
            name or "data",
            entry.get("synthetic") is True,
            _gaps(entry["gaps"]) if "gaps" in entry else "",
            tuple(
                _item(key, value)
                for key, value in _sorted(entry)
                if key not in (*NAMING, "synthetic", "gaps")
            ),
        )
        for name, entry in _leaves(manifest.get("data"), "")
    ]


def stood_in(manifest: dict[str, Any]) -> list[Item]:
    """What was used in place of what was missing."""
    found = manifest.get("stood_in") or {}
    if isinstance(found, dict):
        return [_item(key, value) for key, value in _sorted(found)]
    return [Item("", _text(value)) for value in (found if isinstance(found, list | tuple) else [found])]


def groups(manifest: dict[str, Any]) -> list[Group]:
    """All the rest: what stands alone first, then each part under its name."""
    rest = [(key, value) for key, value in _sorted(manifest) if key not in ("data", "stood_in")]
    rest.sort(key=lambda part: FIRST_PARTS.index(part[0]) if part[0] in FIRST_PARTS else len(FIRST_PARTS))
    alone = tuple(_item(key, value) for key, value in rest if not isinstance(value, dict))
    parts = [Group(_title(key), tuple(_flat(value, ""))) for key, value in rest if isinstance(value, dict)]
    return [group for group in (Group("", alone), *parts) if group.items]


def _sorted(part: dict[str, Any]) -> list[tuple[str, Any]]:
    """A part's entries by name, digests last."""
    return sorted(part.items(), key=lambda entry: ("digest" in entry[0], entry[0]))


def _leaves(part: Any, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The innermost entries of a nested part, with names made of the path to them."""
    if isinstance(part, list | tuple):
        for entry in part:
            yield from _leaves(entry, prefix)
    elif isinstance(part, dict):
        nested = {key: value for key, value in part.items() if key != "gaps" and _is_nested(value)}
        own = {key: value for key, value in part.items() if key not in nested}
        if own:
            name = " ".join([prefix, *(str(own[key]) for key in NAMING if key in own)])
            yield name.strip(), own
        for key, value in _sorted(nested):
            yield from _leaves(value, f"{prefix} {key}".strip())


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list | tuple) and any(isinstance(v, dict) for v in value)
    )


def _flat(part: dict[str, Any], prefix: str) -> Iterator[Item]:
    for key, value in _sorted(part):
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        else:
            yield _item(name, value)


def _item(name: str, value: Any) -> Item:
    """A key in words, without the unit that the value is written in."""
    text = _text(value, name)
    plain_name = name.removesuffix("_ts").removesuffix("_ms") if _is_moment_or_length(value, name) else name
    return Item(plain_name.replace("_", " "), text, is_code=len(text) > 20 and " " not in text)


def _is_moment_or_length(value: Any, name: str) -> bool:
    return (value is None or isinstance(value, int)) and name.endswith(("_ts", "_ms"))


def _title(key: str) -> str:
    text = key.replace("_", " ")
    return text[:1].upper() + text[1:]


def _text(value: Any, name: str = "") -> str:
    """A value in words; instants and durations by the unit in their name."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _whole(value, name)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each, key)}" for key, each in _sorted(value)) or "none"
    return str(value)


def _whole(value: int, name: str) -> str:
    if name.endswith("_ts"):
        return iso(value)
    if name.endswith("_ms"):
        return format_duration(value)
    return f"{value:,}" if abs(value) >= 10_000 else str(value)


def _gaps(found: Any) -> str:
    """Holes in words: none, a count, or the first few with where they begin and how much is missing."""
    if isinstance(found, int) and not isinstance(found, bool):
        return words.plural(found, "gap") if found else "no gaps"
    if not isinstance(found, list | tuple):
        return _text(found)
    if not found:
        return "no gaps"
    shown = "; ".join(_gap(each) for each in found[:MOST_GAPS])
    more = f"; and {len(found) - MOST_GAPS:,} more" if len(found) > MOST_GAPS else ""
    return f"{words.plural(len(found), 'gap')}: {shown}{more}"


def _gap(found: Any) -> str:
    match found:
        case [int(first), int(missing)]:
            return f"{words.plural(missing, 'bar')} missing from {iso(first)}"
        case [str(first), int(missing)] | {"from": str(first), "missing": int(missing)}:
            return f"{words.plural(missing, 'bar')} missing from {first}"
        case {"from_ts": int(first), "missing": int(missing)}:
            return f"{words.plural(missing, 'bar')} missing from {iso(first)}"
    return _text(found)
