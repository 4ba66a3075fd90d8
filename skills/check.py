"""What is wrong or doubtful about a Skill that reads well, as far as it can be told without data.

An error means that the Skill can't do what it says and is refused; a warning, that it may not do what was
meant.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from config.models import EFFORTS, THINKING, ModelFacts, ModelTable, load_models
from domain.money import ONE, ZERO, plain
from domain.time import format_duration, parse_interval
from skills.catalogue import BASELINES, ORDER_TOOLS, TRADING_TOOLS, Baseline
from skills.explain import closest
from skills.problems import Path, SkillError, SkillProblem, dotted
from skills.schedule import Schedule
from skills.skill import Skill
from skills.skill_md import decode, read_file
from skills.values import short

Level = Literal["error", "warning"]

PROVIDER = "anthropic"
"""The API that language models are asked by, of the provider itself or of a gateway that speaks it."""

LEAST_TOKENS = 256
"""The least that a model must be allowed to write: a decision takes about as much."""


class Finding(msgspec.Struct, frozen=True):
    """One remark about a Skill: how bad, where in the front matter, and what to do."""

    level: Level
    where: Path
    message: str
    line: int | None = None  # in the file it was read from

    @property
    def path(self) -> str:
        """Where, as people write it: "tools[0]"."""
        return dotted(self.where)

    def __str__(self) -> str:
        return f"{self.path} {self.message}"


Findings = Iterator[Finding]


def check(skill: Skill, models: ModelTable | None = None) -> list[Finding]:
    """Give everything that is wrong or doubtful, errors first. `models` are those known, if not the shipped table's."""
    found = [finding for rule in _RULES for finding in rule(skill)]
    if skill.baseline is None:
        found.extend(_model(skill, models or load_models()))
    return sorted(found, key=lambda finding: finding.level)


def load(
    data: bytes | str, *, where: str = "SKILL.md", models: ModelTable | None = None
) -> tuple[Skill, list[Finding]]:
    """Read a Skill from a file's content and check it: the Skill, and what is doubtful about it.

    Raises SkillError, with lines, for whatever can't be read and for every error that `check` finds.
    """
    file = read_file(decode(data, where=where) if isinstance(data, bytes) else data, where=where)
    findings = [
        msgspec.structs.replace(finding, line=file.tree.line_of(finding.where))
        for finding in check(file.skill, models)
    ]
    errors = [found for found in findings if found.level == "error"]
    if errors:
        raise SkillError((SkillProblem(found.line, found.path, found.message) for found in errors), where)
    return file.skill, findings


def _tools(skill: Skill) -> Findings:
    for tool in skill.tools:
        server, dot, _ = tool.partition(".")
        if dot and server not in skill.mcp:
            yield _error(("tools",), f"has {tool}, but mcp does not list {server}; add it there")
        elif not dot and tool not in TRADING_TOOLS:
            meant = closest(tool, TRADING_TOOLS)
            hint = f"did you mean {meant}?" if meant else f"the tools are {', '.join(TRADING_TOOLS)}"
            yield _error(("tools",), f"has {tool}, which is not a tool; {hint}")
    used = {tool.partition(".")[0] for tool in skill.tools if "." in tool}
    for server in skill.mcp:
        if server not in used:
            yield _warning(("mcp",), f"lists {server}, but tools has none of its tools; add {server}.tool")


def _baseline(skill: Skill) -> Findings:
    if skill.baseline is None:
        return
    spec = BASELINES.get(skill.baseline)
    if spec is None:
        meant = closest(skill.baseline, BASELINES)
        hint = f"did you mean baseline:{meant}?" if meant else f"there are {', '.join(BASELINES)}"
        yield _error(("model",), f"is {skill.model}, which does not exist; {hint}")
        return
    for tool in spec.tools:
        if tool not in skill.tools:
            yield _error(("tools",), f"lacks {tool}, which {skill.model} needs; add it")
    yield from _params(skill, spec)
    if skill.caps.require_stop and spec.tools and not spec.sets_stops:
        yield _warning(("risk", "require_stop"), f"refuses every order of {skill.model}, which sets no stops")
    symbols, actions = len(skill.market.symbols), skill.caps.max_actions_per_tick
    if spec.tools and symbols > actions:
        message = f"is {actions}, but {skill.model} trades {symbols} symbols in a tick; the last may never have a turn"
        yield _warning(("risk", "max_actions_per_tick"), message)


def _params(skill: Skill, spec: Baseline) -> Findings:
    """Every parameter a baseline takes is there, above zero, and of its kind."""
    for name in spec.params:
        kind = "a whole number" if name in spec.whole_params else "a number"
        if name not in skill.model_params:
            yield _error(("model_params",), f"lacks {name}, {kind} above zero; add it")
        elif not _is_positive(skill.model_params[name], name in spec.whole_params):
            found = short(skill.model_params[name])
            yield _error(("model_params", name), f"is {found}; it must be {kind} above zero")
    for name in skill.model_params:
        if name not in spec.params:
            meant = closest(name, spec.params)
            takes = f"it takes {', '.join(spec.params)}" if spec.params else "it takes none"
            hint = f"did you mean {meant}?" if meant else takes
            yield _error(("model_params", name), f"is not a parameter of {skill.model}; {hint}")


def _is_positive(value: object, is_whole: bool) -> bool:
    kinds = (int,) if is_whole else (int, Decimal)
    return isinstance(value, kinds) and not isinstance(value, bool) and value > ZERO


def _averages(skill: Skill) -> Findings:
    """The averages of a cross are of different lengths, and no longer than the bars that are shown."""
    fast, slow = skill.model_params.get("fast"), skill.model_params.get("slow")
    if skill.baseline != "sma-cross" or not isinstance(fast, int) or not isinstance(slow, int):
        return
    if fast >= slow:
        yield _error(("model_params", "fast"), f"is {fast}; it must be below slow, which is {slow}")
    if slow > skill.market.bars:
        message = f"is {slow}, but market.bars shows {skill.market.bars}; raise market.bars"
        yield _error(("model_params", "slow"), message)


def _model(skill: Skill, models: ModelTable) -> Findings:
    if not skill.prompt:
        yield _error(("prompt",), "is empty; write what the model should do below the front matter")
    if not ORDER_TOOLS.intersection(skill.tools):
        yield _warning(("tools",), "lacks propose_order, so it never trades; add it if it should")
    provider, _, name = skill.model.partition(":")
    if provider != PROVIDER:
        write = f"write {PROVIDER}:NAME for a language model, also behind a gateway, or baseline:NAME"
        yield _error(("model",), f"is {skill.model}, whose provider is not known; {write}")
        return
    facts = models.find(name)
    if facts is None:
        meant = models.suggest(name)
        hint = f"did you mean {PROVIDER}:{meant}?" if meant else "is it spelt as its provider spells it?"
        message = (
            f"is {skill.model}, which is not in the model table: its price and cutoff are unknown; {hint}"
        )
        yield _warning(("model",), message)
    yield from _model_params(skill, facts or ModelFacts(name))


def _model_params(skill: Skill, facts: ModelFacts) -> Findings:
    """Each parameter is one that is sent, and one that the model takes as far as that is known."""
    for name, value in skill.model_params.items():
        rule = _MODEL_PARAMS.get(name)
        if rule is None:
            meant = closest(name, _MODEL_PARAMS)
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(_MODEL_PARAMS)}"
            yield _error(("model_params", name), f"is not a parameter of a language model; {hint}")
        elif problem := rule(value, skill, facts):
            yield _error(("model_params", name), problem)
    if "temperature" in skill.model_params and facts.takes_sampling is None:
        message = f"may be refused; it is not known whether {facts.id} takes it"
        yield _warning(("model_params", "temperature"), message)


def _max_tokens(value: object, _: Skill, facts: ModelFacts) -> str | None:
    most = facts.max_output_tokens
    if isinstance(value, int) and not isinstance(value, bool) and LEAST_TOKENS <= value <= (most or value):
        return None
    bound = f"from {LEAST_TOKENS} to {most}" if most else f"of at least {LEAST_TOKENS}"
    return f"is {short(value)}; it must be a whole number {bound}"


def _thinking(value: object, _: Skill, facts: ModelFacts) -> str | None:
    taken = [word for word in THINKING if facts.thinking_type(word)]
    return _one_of(value, taken, f" with {facts.id}" if len(taken) < len(THINKING) else "")


def _effort(value: object, skill: Skill, facts: ModelFacts) -> str | None:
    if facts.efforts == ():
        return f"is not taken by {facts.id}; remove it"
    between = facts.thinking_type(str(skill.model_params.get("thinking"))) == "between_tools"
    efforts = (facts.efforts_between_tools if between else None) or facts.efforts or EFFORTS
    return _one_of(value, efforts, f" with {facts.id}{' and this thinking' if between else ''}")


def _one_of(value: object, taken: Sequence[str], where: str) -> str | None:
    words = ", ".join(f'"{word}"' if word == "off" else word for word in taken)  # `off` is no text in YAML
    return None if value in taken else f"is {short(value)}; it must be one of {words}{where}"


def _temperature(value: object, _: Skill, facts: ModelFacts) -> str | None:
    if facts.takes_sampling is False:
        return f"is not taken by {facts.id}; remove it"
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and ZERO <= value <= ONE:
        return None
    return f"is {short(value)}; it must be a number from 0 to 1"


_MODEL_PARAMS: dict[str, Callable[[object, Skill, ModelFacts], str | None]] = {
    "max_tokens": _max_tokens,
    "effort": _effort,
    "thinking": _thinking,
    "temperature": _temperature,
}
"""What is wrong with each parameter that is sent to a language model, or None."""


def _pace(skill: Skill) -> Findings:
    gap_ms, interval = Schedule.parse(skill.schedule).min_gap_ms, skill.market.interval
    if gap_ms < parse_interval(interval):
        every = format_duration(gap_ms)
        message = f"ticks every {every}, but a bar closes only every {interval}; most ticks see no new bar"
        yield _warning(("schedule",), message)


def _caps(skill: Skill) -> Findings:
    caps = skill.caps
    for name in ("daily_loss_pct", "max_drawdown_pct"):
        if getattr(caps, name) is None:
            yield _warning(("risk", name), "is off; nothing halts the account at such a loss")
    if caps.max_slippage_bps / 100 > caps.price_band_pct:
        message = (
            f"is {plain(caps.max_slippage_bps)}, wider than price_band_pct {plain(caps.price_band_pct)} %"
        )
        yield _warning(("risk", "max_slippage_bps"), f"{message}; market orders are bounded by the band")
    if caps.max_position_usd and caps.max_gross_usd and caps.max_position_usd > caps.max_gross_usd:
        message = f"never binds, because max_gross_usd is only {plain(caps.max_gross_usd)}"
        yield _warning(("risk", "max_position_usd"), message)


def _error(where: Path, message: str) -> Finding:
    return Finding("error", where, message)


def _warning(where: Path, message: str) -> Finding:
    return Finding("warning", where, message)


_RULES: tuple[Callable[[Skill], Findings], ...] = (_tools, _baseline, _averages, _pace, _caps)
