"""What changed between two Skills: each field by its path, and the prompt line by line."""

import difflib
from collections.abc import Iterator
from typing import Any

import msgspec

from skills.problems import Path, dotted
from skills.schema import front_matter
from skills.skill import Skill
from skills.yaml_write import inline


class Change(msgspec.Struct, frozen=True):
    """One field that differs, as its value is written in SKILL.md; None where it does not exist.

    The prompt's change has the path "prompt" and a unified diff in `diff`; the values are the two texts.
    """

    path: str
    before: str | None
    after: str | None
    diff: str = ""


def diff(before: Skill, after: Skill) -> list[Change]:
    """Give every field that differs, in the order of the front matter, and the prompt last."""
    old, new = dict(_leaves(front_matter(before), ())), dict(_leaves(front_matter(after), ()))
    paths = list(dict.fromkeys([*old, *new]))
    changes = [Change(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]
    if before.prompt != after.prompt:
        lines = _prompt_diff(before.prompt, after.prompt)
        changes.append(Change("prompt", before.prompt, after.prompt, lines))
    return changes


def _leaves(value: Any, path: Path) -> Iterator[tuple[str, str]]:
    """Every value that is not a map, with its dotted path, as it is written."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield dotted(path), inline(value)


def _prompt_diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.split("\n"), after.split("\n"), "before", "after", lineterm="")
    return "\n".join(lines)
