"""What there is to say about a Skill before it is used: remarks, the caps that would hold, when it ticks."""

from itertools import islice
from typing import Any, Literal

import msgspec

from config.instruments import load as known_instruments
from config.instruments import suggest
from config.models import ModelTable
from domain.caps import Caps, tightest
from domain.time import YEAR_MS
from skills.check import Finding, load
from skills.problems import SkillError, SkillProblem
from skills.schedule import Schedule
from skills.schema import front_matter
from skills.skill import Skill
from skills.skill_md import decode, read_file
from skills.version import digest
from skills.yaml_write import inline

TICKS_SHOWN = 3

Origin = Literal["skill", "default", "platform"]


class Remark(msgspec.Struct, frozen=True):
    """One thing wrong or doubtful. `line` counts from 1 in the file; the path may be empty."""

    level: Literal["error", "warning"]
    path: str
    line: int | None
    message: str


class CapLine(msgspec.Struct, frozen=True):
    """One cap that would hold, as it is written in SKILL.md, and whose it is. None: no such cap.

    `asked` is what the Skill itself says where the platform's own cap is tighter.
    """

    name: str
    value: str | None
    origin: Origin
    asked: str | None = None


class SkillReport(msgspec.Struct, frozen=True):
    """A file judged. What follows `remarks` is None or empty unless the Skill can be used."""

    is_usable: bool
    remarks: list[Remark]
    name: str | None = None
    description: str | None = None
    model: str | None = None
    digest: str | None = None
    schedule: str | None = None
    next_ticks_ts: list[int] = []
    symbols: tuple[str, ...] = ()
    interval: str | None = None
    tools: tuple[str, ...] = ()
    caps: list[CapLine] = []


def examine(
    data: bytes, *, platform: Caps, now_ms: int, where: str = "SKILL.md", models: ModelTable | None = None
) -> SkillReport:
    """Judge a SKILL.md's content. Never raises for what is in it; `now_ms` is where its ticks are counted from.

    `models` are those that are known, if not the shipped table's.
    """
    try:
        skill, findings = load(data, where=where, models=models)
    except SkillError as error:
        return SkillReport(False, [_problem(problem) for problem in error.problems])
    given = {path[1] for path in read_file(decode(data)).tree.lines if len(path) == 2 and path[0] == "risk"}
    return SkillReport(
        is_usable=True,
        remarks=[_remark(found) for found in findings] + _unknown_symbols(skill),
        name=skill.name,
        description=skill.description,
        model=skill.model,
        digest=digest(skill),
        schedule=skill.schedule,
        next_ticks_ts=next_ticks(skill, now_ms),
        symbols=skill.market.symbols,
        interval=skill.market.interval,
        tools=skill.tools,
        caps=cap_lines(skill, platform, {str(name) for name in given}),
    )


def next_ticks(skill: Skill, now_ms: int) -> list[int]:
    """Give the next ticks after an instant, in UTC ms; fewer when they lie years apart."""
    ticks = Schedule.parse(skill.schedule).ticks(now_ms + 1, now_ms + 10 * YEAR_MS)
    return list(islice(ticks, TICKS_SHOWN))


def cap_lines(skill: Skill, platform: Caps, given: set[str]) -> list[CapLine]:
    """Say for each cap what would hold and whose it is; `given` are the keys that the file spells out."""
    asked = front_matter(skill)["risk"]
    held = front_matter(msgspec.structs.replace(skill, caps=tightest(skill.caps, platform)))["risk"]
    return [
        CapLine(name, _written(held[name]), "platform", _written(asked[name]))
        if held[name] != asked[name]
        else CapLine(name, _written(asked[name]), "skill" if name in given else "default")
        for name in asked
    ]


def _written(value: Any) -> str | None:
    return None if value is None else inline(value)


def _unknown_symbols(skill: Skill) -> list[Remark]:
    """Symbols that the instrument table lacks: perhaps a typing error, perhaps a market of one's own."""
    known = known_instruments()
    return [
        Remark("warning", f"market.symbols[{index}]", None, _unknown(symbol))
        for index, symbol in enumerate(skill.market.symbols)
        if symbol not in known
    ]


def _unknown(symbol: str) -> str:
    meant = suggest(symbol)
    hint = (
        f"did you mean {meant}?"
        if meant
        else "its data must be imported with its facts, see `data import -h`"
    )
    return f"is {symbol}, which is not in the instrument table; {hint}"


def _remark(found: Finding) -> Remark:
    return Remark(found.level, found.path, found.line, found.message)


def _problem(problem: SkillProblem) -> Remark:
    return Remark("error", problem.path, problem.line, problem.message)
