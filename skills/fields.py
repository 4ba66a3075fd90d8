"""The kinds of value in a Skill's front matter: what each takes, and what it says when it doesn't."""

import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from domain.time import DAY_MS, format_duration, format_interval, parse_interval
from skills.schedule import Schedule
from skills.values import amount, duration, flag, short, whole

MAX_PAUSE_MS = 30 * DAY_MS
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})


def _matching(pattern: str, form: str) -> AfterValidator:
    """Demand a pattern of a text, and say what form was expected."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{short(value)} is not {form}")
        return value

    return AfterValidator(check)


def _one_line(text: str) -> str:
    if any(unicodedata.category(char) in _CONTROL or char == "\ufeff" for char in text):
        raise ValueError("has a line break or a control character; write it on one line")
    return text.strip()


def _pause(value: Any) -> int:
    length_ms = duration(value)
    if length_ms > MAX_PAUSE_MS:
        raise ValueError(f"is {value}; it must be at most {format_duration(MAX_PAUSE_MS)}")
    return length_ms


def no_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list that has something twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"has {value} twice; keep one")
    return values


def _plain_str(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


Amount = Annotated[Decimal, BeforeValidator(amount)]
Whole = Annotated[int, BeforeValidator(whole)]
Flag = Annotated[bool, BeforeValidator(flag)]
DurationMs = Annotated[int, BeforeValidator(_pause)]
Text = Annotated[str, BeforeValidator(_plain_str)]

Slug = Annotated[
    Text,
    StringConstraints(max_length=64),
    _matching(
        r"[a-z0-9]+(-[a-z0-9]+)*",
        "a slug; use lower-case letters, digits and single hyphens, such as btc-trend",
    ),
]
Description = Annotated[Text, AfterValidator(_one_line), StringConstraints(min_length=1, max_length=300)]
ModelName = Annotated[
    Text,
    StringConstraints(max_length=128),
    _matching(
        r"[a-z0-9][a-z0-9_.-]*:[A-Za-z0-9][A-Za-z0-9._:/@+-]*",
        "a model; write provider:name, such as baseline:sma-cross",
    ),
]
ScheduleText = Annotated[
    Text, StringConstraints(max_length=200), AfterValidator(lambda text: Schedule.parse(text).text)
]
Symbol = Annotated[
    Text,
    StringConstraints(max_length=32),
    _matching(
        r"[A-Za-z0-9][A-Za-z0-9_-]*(:[A-Za-z0-9][A-Za-z0-9_-]*)?",
        "a symbol; write the venue's own name, such as BTC",
    ),
]
Interval = Annotated[Text, AfterValidator(lambda text: format_interval(parse_interval(text)))]
ToolName = Annotated[
    Text,
    StringConstraints(max_length=100),
    _matching(
        r"[a-z][a-z0-9_]*|[a-z0-9]+(-[a-z0-9]+)*\.[A-Za-z0-9_-]+",
        "a tool; write one such as get_bars, or server.tool for one of an MCP server",
    ),
]
