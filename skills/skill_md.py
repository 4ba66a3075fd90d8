"""`SKILL.md`: YAML front matter between two lines of dashes, and the system prompt as its body."""

import msgspec

from skills.problems import SkillError, SkillProblem
from skills.schema import build, front_matter
from skills.skill import Skill
from skills.yaml_tree import Tree, parse
from skills.yaml_write import block

MAX_FILE_BYTES = 64 * 1024
_TOO_LONG = f"the file is longer than the {MAX_FILE_BYTES} bytes that are allowed"
_FENCE = "---"


class SkillFile(msgspec.Struct, frozen=True):
    """A Skill as read from a file, with the file's name and where each key stands."""

    skill: Skill
    where: str
    tree: Tree


def read(text: str, *, where: str = "SKILL.md") -> Skill:
    """Read a Skill. `where` names the file in errors. Raises SkillError with every problem found."""
    return read_file(text, where=where).skill


def read_bytes(data: bytes, *, where: str = "SKILL.md") -> Skill:
    """Read a Skill from a file's bytes: UTF-8, with or without a byte order mark. Raises SkillError."""
    return read_file(decode(data, where=where), where=where).skill


def write(skill: Skill) -> str:
    """Write a Skill in its canonical form: every key and every cap spelled out, always in the same order.

    Reading it back gives an equal Skill, and writing that gives the same text.
    """
    body = f"{skill.prompt}\n" if skill.prompt else ""
    return f"{_FENCE}\n{block(front_matter(skill))}{_FENCE}\n{body}"


def read_file(text: str, *, where: str = "SKILL.md") -> SkillFile:
    """Read a Skill and keep where each key stands. Raises SkillError with every problem found."""
    if len(text.encode(errors="replace")) > MAX_FILE_BYTES:
        raise _error(where, 1, _TOO_LONG)
    front, prompt, prompt_line = _split(text, where)
    tree = parse(front, first_line=2)
    tree.lines[("prompt",)] = prompt_line
    problems = list(tree.problems.values())
    if tree.data is None and problems:
        raise SkillError(problems, where)
    try:
        skill = build({} if tree.data is None else tree.data, prompt, line_of=tree.line_of, where=where)
    except SkillError as error:
        told = {problem.path for problem in problems}
        problems += [problem for problem in error.problems if problem.path not in told]
    if problems:
        raise SkillError(problems, where)
    return SkillFile(skill, where, tree)


def decode(data: bytes, *, where: str = "SKILL.md") -> str:
    """Turn a file's bytes into text. Raises SkillError naming the line of a byte that is not UTF-8."""
    if len(data) > MAX_FILE_BYTES:
        raise _error(where, 1, _TOO_LONG)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        found = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise _error(where, line, f"{found}; save the file as UTF-8") from None


def _split(text: str, where: str) -> tuple[str, str, int]:
    """Give the front matter, the prompt, and the prompt's first line."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise _error(where, 1, "the file has no front matter; start it with a line of three dashes, ---")
    for index, line in enumerate(lines[1:], start=1):
        if line.rstrip() == _FENCE:
            return "\n".join(lines[1:index]) + "\n", "\n".join(lines[index + 1 :]), index + 2
    raise _error(where, 1, "the front matter is never closed; end it with a line of three dashes, ---")


def _error(where: str, line: int, message: str) -> SkillError:
    return SkillError([SkillProblem(line, "", message)], where)
