"""`model_params`: the part of the front matter whose keys are not ours. Bounded, and typed by value."""

import re
from decimal import Decimal
from typing import Any

from skills.problems import Path
from skills.skill import Param
from skills.values import amount, guessed, normal, short
from skills.yaml_write import inline

MAX_ENTRIES = 32
MAX_DEPTH = 3
MAX_TEXT = 200
MAX_TOTAL = 4000
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class ParamsError(ValueError):
    """What is wrong in `model_params`: for each problem, where below it and what."""

    def __init__(self, problems: list[tuple[Path, str]]) -> None:
        self.problems = problems
        super().__init__(problems)


def params(value: Any) -> dict[str, Param]:
    """Read `model_params`, keys sorted at every level. Raises ParamsError with every problem."""
    if not isinstance(value, dict):
        raise ParamsError([((), "is not a set of keys; write it like {fast: 20, slow: 50}")])
    reader = _Reader()
    found = reader.mapping(value, ())
    size = len(inline(found).encode(errors="replace"))
    if size > MAX_TOTAL:
        reader.problems.append(((), f"is {size} bytes long in all; at most {MAX_TOTAL} are allowed"))
    if reader.problems:
        raise ParamsError(reader.problems)
    return found


class _Reader:
    """Reads values of any shape, and collects what it refuses."""

    def __init__(self) -> None:
        self.problems: list[tuple[Path, str]] = []

    def mapping(self, value: dict[Any, Any], path: Path) -> dict[str, Param]:
        found = {}
        for key in sorted(value, key=str):
            if isinstance(key, str) and _KEY.fullmatch(key):
                found[str(key)] = self.param(value[key], (*path, key))
            else:
                hint = "put a space after its colon" if ":" in str(key) else "use letters, digits and _"
                self.problems.append((path, f"has the key {short(key)}; {hint}"))
        return found

    def param(self, value: Any, path: Path) -> Param:
        """One value, or "" where there is a problem."""
        try:
            return self.value(value, path)
        except ValueError as error:
            self.problems.append((path, str(error)))
            return ""

    def value(self, value: Any, path: Path) -> Param:
        match value:
            case None:
                raise ValueError("is empty; give it a value or leave it out")
            case bool():
                return value
            case str():
                return _text(value)
            case int() | float() | Decimal():
                return normal(amount(value))
            case dict() | list() | tuple():
                return self.collection(value, path)
            case _:
                raise ValueError(f"is a {type(value).__name__}; write a number, a text, a list or keys")

    def collection(self, value: dict[Any, Any] | list[Any] | tuple[Any, ...], path: Path) -> Param:
        if len(path) >= MAX_DEPTH:
            raise ValueError(f"is nested too deep; {MAX_DEPTH} levels are the most")
        if len(value) > MAX_ENTRIES:
            raise ValueError(f"has {len(value)} entries; at most {MAX_ENTRIES} are allowed")
        if isinstance(value, dict):
            return self.mapping(value, path)
        return tuple(self.param(item, (*path, index)) for index, item in enumerate(value))


def _text(value: str) -> str | int | Decimal | bool:
    found = guessed(value)
    if not isinstance(found, str):
        return found
    if len(found) > MAX_TEXT:
        raise ValueError(f"is {len(found)} characters long; at most {MAX_TEXT} are allowed")
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in found):
        raise ValueError("has a character that can't be stored; remove it")
    return found
