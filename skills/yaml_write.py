"""Write front matter as YAML, in one form only: keys in the order given, lists and inner maps on one line."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.money import plain
from skills.values import NUMBERISH, YAML_1_1_WORDS

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/+@-]|:(?! ))*(?<![ :])")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def block(data: Mapping[str, Any], indent: int = 0) -> str:
    """Write a map, a key a line. A map in it is indented; what is deeper stays on one line."""
    lines = []
    for key, value in data.items():
        if isinstance(value, Mapping) and value and indent == 0:
            lines.append(f"{key}:\n{block(value, indent + 2)}")
        else:
            lines.append(f"{' ' * indent}{key}: {inline(value)}\n")
    return "".join(lines)


def inline(value: Any) -> str:
    """Write one value on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return plain(value)
        case str():
            return _text(value)
        case Mapping():
            return "{" + ", ".join(f"{key}: {inline(item)}" for key, item in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(inline, value)) + "]"


def _text(value: str) -> str:
    """A text bare where it can be mistaken for nothing else; otherwise in double quotes, as in JSON."""
    mistakable = value.lower() in YAML_1_1_WORDS or NUMBERISH.fullmatch(value)
    if _PLAIN.fullmatch(value) and not mistakable:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
