"""What is wrong with a Skill: one line each, all of them at once."""

from collections.abc import Iterable

import msgspec

from skills.values import short

Path = tuple[str | int, ...]
"""Where something stands in the front matter: ("market", "symbols", 0)."""


class SkillProblem(msgspec.Struct, frozen=True):
    """One thing wrong. `line` counts from 1, or is None for a draft; `path` may be empty."""

    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path} {self.message}" if self.path else self.message


class SkillError(ValueError):
    """A Skill that can't be read. Its text has one line per problem: `SKILL.md:7: risk.max_leverage is …`."""

    def __init__(self, problems: Iterable[SkillProblem], where: str = "SKILL.md") -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        self.where = where
        super().__init__("\n".join(_located(problem, where) for problem in self.problems))


def subject(path: Path) -> str:
    """What a problem is about: a path, or the front matter as a whole."""
    return dotted(path) or "the front matter"


def dotted(path: Path) -> str:
    """Write a path as people do: "market.symbols[0]"."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if step.isprintable() and 0 < len(step) <= 60 else short(step)
            text += f".{name}" if text else name
    return text


def _located(problem: SkillProblem, where: str) -> str:
    return f"{where}: {problem}" if problem.line is None else f"{where}:{problem.line}: {problem}"
