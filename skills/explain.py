"""From pydantic's findings to sentences: what was found, what was expected, and what to do."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from domain.money import plain
from skills.params import ParamsError
from skills.problems import Path, dotted
from skills.values import given, short

_EXAMPLES = {
    "name": "btc-trend",
    "description": "Follows the four-hour trend",
    "model": "baseline:sma-cross",
    "model_params": "{fast: 20, slow: 50}",
    "schedule": "1h",
    "market": "{symbols: [BTC], interval: 1h}",
    "market.symbols": "[BTC]",
    "market.interval": "1h",
    "tools": "[get_bars, get_portfolio, propose_order]",
    "mcp": "[weather]",
    "risk": "{max_leverage: 3}",
    "risk.stop_guard": "{stops: 3, window: 1d, pause: 4h}",
    "risk.stop_guard.stops": "3",
    "risk.stop_guard.window": "1d",
    "risk.stop_guard.pause": "4h",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_SHAPES = {
    "model_type": "a set of keys",
    "tuple_type": "a list",
    "string_type": "text",
}
_BECAUSE = {
    "risk.max_order_usd": ", the venue's smallest order",
    "risk.max_position_usd": ", the venue's smallest order",
    "risk.max_gross_usd": ", the venue's smallest order",
}


def explain(error: ValidationError, schema: type[BaseModel]) -> list[tuple[Path, str]]:
    """Give each finding as a path and a message that follows it: "is 0; it must be above 0"."""
    return [problem for finding in error.errors(include_url=False) for problem in _problems(finding, schema)]


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def _problems(finding: Any, schema: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    path: Path = finding["loc"]
    cause = finding.get("ctx", {}).get("error")
    if isinstance(cause, ParamsError):
        yield from (((*path, *below), message) for below, message in cause.problems)
    elif cause is not None:
        yield path, str(cause)
    elif finding["type"] == "extra_forbidden":
        yield path, _unknown(path, schema)
    else:
        yield path, _message(finding, dotted(path))


def _message(finding: Any, key: str) -> str:
    kind, ctx, found = finding["type"], finding.get("ctx", {}), finding["input"]
    example = f", such as {key.rpartition('.')[2]}: {_EXAMPLES[key]}" if key in _EXAMPLES else ""
    if kind == "missing":
        return f"is missing; add it{example}"
    if kind in _BOUNDS:
        limit, words = _BOUNDS[kind]
        return f"is {found}; it must be {words} {_number(ctx[limit])}{_BECAUSE.get(key, '')}"
    if kind in ("too_long", "string_too_long"):
        unit = "characters" if isinstance(found, str) else "entries"
        return f"has {len(found)} {unit}; at most {ctx['max_length']} are allowed"
    if kind in ("too_short", "string_too_short"):
        return f"is empty; fill it in{example}"
    if kind == "literal_error":
        return f"is {short(found)}; write {ctx['expected'].replace(chr(39), '')}"
    if kind in _SHAPES:
        return f"{given(found)}; write it as {_SHAPES[kind]}{example}"
    return f"{given(found)}; {finding['msg']}"


def _number(limit: Any) -> str:
    return plain(limit) if hasattr(limit, "as_tuple") else str(limit)


def _unknown(path: Path, schema: type[BaseModel]) -> str:
    """Say what a key that does not exist was probably meant to be."""
    key = str(path[-1])
    if ":" in key:
        return "is not a known key; put a space after its colon"
    sections = dict(_sections(schema, ()))
    siblings = sections.get(path[:-1], ())
    if meant := closest(key, siblings):
        return f"is not a known key; did you mean {meant}?"
    for section, keys in sections.items():
        if key in keys:
            home = f"below {dotted(section)}" if section else "at the top level"
            return f"is not a known key here; it belongs {home}"
    return f"is not a known key; the keys here are {', '.join(siblings)}"


def _sections(schema: type[BaseModel], path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every set of keys there is, with where it stands."""
    yield path, tuple(schema.model_fields)
    for name, field in schema.model_fields.items():
        for option in (field.annotation, *get_args(field.annotation)):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from _sections(option, (*path, name))
