"""From the text of a scalar to a value: the field says what it must be, never YAML.

YAML 1.1 would make a float of 0.1, a boolean of `no`, 90 of `1:30` and 8 of `010`. Here a scalar stays the
text that was written until a field asks for a number, and money goes straight from text to `Decimal`.
Values that are already typed (a draft that comes as JSON) are taken too. Every function raises ValueError
with a message that follows the key: "'5%' is not a number; …".
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.money import plain
from domain.time import format_duration, parse_duration

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,12})?")
NUMBERISH = re.compile(
    r"[-+]?\.?[0-9][0-9_.]*(?:e[-+]?[0-9]*)?"  # 010, 1_000, 1e5, .5
    r"|[-+]?0[xob][0-9a-f_]+"
    r"|[-+]?[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?"  # 1:30, sixty times one and thirty
    r"|[-+]?\.(?:inf|nan)",
    re.IGNORECASE,
)
"""What some reader of YAML takes for a number."""
_FLAGS = {"true": True, "false": False}
YAML_1_1_WORDS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "null"})
"""Words that some reader of YAML takes for something else than text."""


class Bare(str):
    """A scalar written without quotes, so that its text may stand for a number or a flag."""


def amount(value: Any) -> Any:
    """Read an exact number: at most 16 digits before the point and 12 after it."""
    text = _number_text(value)
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{short(text)} is not a number; {_number_hint(text)}")
    return Decimal(text)


def whole(value: Any) -> Any:
    """Read a whole number."""
    number = amount(value)
    if number != int(number):
        raise ValueError(f"{short(number)} is not a whole number; write one such as 10")
    return int(number)


def flag(value: Any) -> bool:
    """Read true or false, and nothing that only resembles them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _FLAGS:
        return _FLAGS[value]
    raise ValueError(f"{given(value)}; write true or false")


def duration(value: Any) -> int:
    """Read a duration such as "30m" as ms."""
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"{given(value)}; write a duration such as 30m, 4h or 7d")


def duration_text(duration_ms: int | None) -> str | None:
    """Write a duration the way `duration` reads it."""
    return None if duration_ms is None else format_duration(duration_ms)


def guessed(text: str) -> str | int | Decimal | bool:
    """Read a scalar of a field without a type of its own: unquoted numbers, true and false; else text.

    What YAML 1.1 would take for a number or a flag, and we do not, is refused instead of guessed at.
    """
    if not isinstance(text, Bare):
        return str(text)
    if text in _FLAGS:
        return _FLAGS[text]
    if NUMBER.fullmatch(text):
        return normal(Decimal(text))
    if NUMBERISH.fullmatch(text):
        hint = f"{_number_hint(text)}, or quote it if it is text"
        raise ValueError(f"{short(text)} is not a plain number; {hint}")
    if text.lower() in YAML_1_1_WORDS:
        raise ValueError(f"{short(text)} is ambiguous; write true or false, or quote it if it is text")
    return str(text)


def normal(number: Decimal) -> int | Decimal:
    """Give the one form of a number: an int when it is whole, else without trailing zeros."""
    return int(number) if number == number.to_integral_value() else Decimal(plain(number))


def short(value: Any) -> str:
    """Quote what was found, cut where it gets long."""
    text = repr(str(value))
    return text if len(text) <= 60 else f"{text[:57]}…'"


def _number_text(value: Any) -> str:
    """The text of a number, however it came."""
    match value:
        case str():
            return value
        case float():
            value = Decimal(repr(value))
        case int() if not isinstance(value, bool):
            value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError(f"{given(value)}; write a number such as 3 or 0.5")
    return plain(value) if value.is_finite() and abs(value.adjusted()) < 30 else str(value)


def given(value: Any) -> str:
    """Say what stands where a scalar was expected."""
    match value:
        case None:
            return "is empty"
        case dict():
            return "is a set of keys"
        case list() | tuple():
            return "is a list"
        case _:
            return f"is {short(value)}"


def _number_hint(text: str) -> str:
    """Propose the plain form of what Decimal understands, such as 1e5 or 1_000."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return "write it plainly, such as 5 or 0.5, without a unit"
    meant = plain(number) if number.is_finite() and abs(number.adjusted()) < 16 else ""
    return f"write {meant}" if NUMBER.fullmatch(meant) else "write it plainly, such as 5 or 0.5"
