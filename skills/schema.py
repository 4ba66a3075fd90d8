"""The front matter of a Skill as a schema: every key, its type, its bounds and its default.

The one way to make a `Skill`, from a file, a draft or a form alike: `build`. It also puts what means the
same into one form (whitespace, the order of tools, 60m for 1h), so that the same meaning has the same
digest.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from domain.caps import DEFAULTS, LOOSEST, Caps, HaltLifts, StopGuard
from domain.instruments import MIN_NOTIONAL_USD
from skills.catalogue import TRADING_TOOLS
from skills.explain import explain
from skills.fields import (
    Amount,
    Description,
    DurationMs,
    Flag,
    Interval,
    ModelName,
    ScheduleText,
    Slug,
    Symbol,
    ToolName,
    Whole,
    no_repeats,
)
from skills.params import params
from skills.problems import Path, SkillError, SkillProblem, dotted, subject
from skills.skill import Market, OnStop, Skill
from skills.values import duration_text

MAX_PROMPT_BYTES = 48 * 1024
MAX_USD = 10**9

_CAP_OF = {"cooldown_after_loss": "cooldown_after_loss_ms"}
"""A key of `risk` → its cap, where the names differ: people write a duration, the engine counts ms."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MarketSection(_Section):
    """`market`: what the Skill sees."""

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=50), AfterValidator(no_repeats)]
    interval: Interval
    bars: Whole = Field(default=200, ge=1, le=5000)
    news: Whole = Field(default=0, ge=0, le=100)
    funding: Flag = True


class StopGuardSection(_Section):
    """`risk.stop_guard`: a pause after a run of stops."""

    stops: Whole = Field(ge=1, le=100)
    window: DurationMs
    pause: DurationMs


class RiskSection(_Section):
    """`risk`: the caps. Defaults and far ends are those of `domain.caps`; null means no such cap."""

    max_leverage: Amount = Field(default=DEFAULTS.max_leverage, gt=0, le=LOOSEST.max_leverage)
    max_order_usd: Amount | None = Field(default=DEFAULTS.max_order_usd, ge=int(MIN_NOTIONAL_USD), le=MAX_USD)
    max_position_usd: Amount | None = Field(
        default=DEFAULTS.max_position_usd, ge=int(MIN_NOTIONAL_USD), le=MAX_USD
    )
    max_gross_usd: Amount | None = Field(default=DEFAULTS.max_gross_usd, ge=int(MIN_NOTIONAL_USD), le=MAX_USD)
    max_open_positions: Whole = Field(
        default=DEFAULTS.max_open_positions, ge=1, le=LOOSEST.max_open_positions
    )
    max_orders_per_hour: Whole = Field(
        default=DEFAULTS.max_orders_per_hour, ge=1, le=LOOSEST.max_orders_per_hour
    )
    max_orders_per_day: Whole = Field(
        default=DEFAULTS.max_orders_per_day, ge=1, le=LOOSEST.max_orders_per_day
    )
    max_actions_per_tick: Whole = Field(
        default=DEFAULTS.max_actions_per_tick, ge=1, le=LOOSEST.max_actions_per_tick
    )
    allow_short: Flag = DEFAULTS.allow_short
    price_band_pct: Amount = Field(default=DEFAULTS.price_band_pct, gt=0, le=LOOSEST.price_band_pct)
    max_slippage_bps: Amount = Field(default=DEFAULTS.max_slippage_bps, gt=0, le=LOOSEST.max_slippage_bps)
    require_stop: Flag = DEFAULTS.require_stop
    max_stop_distance_pct: Amount | None = Field(default=DEFAULTS.max_stop_distance_pct, gt=0, le=100)
    cooldown_after_loss: DurationMs | None = DEFAULTS.cooldown_after_loss_ms
    stop_guard: StopGuardSection | None = None
    daily_loss_pct: Amount | None = Field(default=DEFAULTS.daily_loss_pct, gt=0, le=100)
    max_drawdown_pct: Amount | None = Field(default=DEFAULTS.max_drawdown_pct, gt=0, le=100)
    halt_lifts: HaltLifts = DEFAULTS.halt_lifts
    max_inference_usd_per_day: Amount = Field(
        default=DEFAULTS.max_inference_usd_per_day, gt=0, le=LOOSEST.max_inference_usd_per_day
    )
    max_inference_usd_per_run: Amount = Field(
        default=DEFAULTS.max_inference_usd_per_run, gt=0, le=LOOSEST.max_inference_usd_per_run
    )

    def caps(self) -> Caps:
        """The caps as the engine takes them."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        guard = values.pop("stop_guard")
        return Caps(
            cooldown_after_loss_ms=values.pop("cooldown_after_loss"),
            stop_guard=guard and StopGuard(guard.stops, guard.window, guard.pause),
            **values,
        )


class FrontMatter(_Section):
    """Everything between the two lines of dashes."""

    name: Slug
    description: Description
    model: ModelName
    model_params: Annotated[dict[str, Any], PlainValidator(params)] = Field(default_factory=dict)
    schedule: ScheduleText
    market: MarketSection
    tools: Annotated[tuple[ToolName, ...], Field(max_length=64), AfterValidator(no_repeats)] = ()
    mcp: Annotated[tuple[Slug, ...], Field(max_length=10), AfterValidator(no_repeats)] = ()
    risk: RiskSection = RiskSection()
    on_stop: OnStop = "keep"


def build(
    data: Any, prompt: str, *, line_of: Callable[[Path], int | None] = lambda path: None, where: str = "draft"
) -> Skill:
    """Make a Skill of front matter (nested dicts and lists, as read from YAML or JSON) and a prompt.

    `line_of` tells where a path stands, if `data` came from a file. Raises SkillError with every problem
    found.
    """
    text = canonical_prompt(prompt)
    found = _prompt_problems(text)
    try:
        front = FrontMatter.model_validate(data)
    except ValidationError as error:
        found += explain(error, FrontMatter)
    if found:
        problems = (SkillProblem(line_of(path), subject(path), message) for path, message in found)
        raise SkillError(problems, where)
    return _skill(front, text)


def platform_caps(data: Any, *, where: str = "platform caps") -> Caps:
    """Read caps that hold every Skill: the keys of `risk`. What is left out tightens nothing.

    Raises SkillError with every problem found.
    """
    try:
        section = RiskSection.model_validate(data)
    except ValidationError as error:
        problems = (
            SkillProblem(None, dotted(path), message) for path, message in explain(error, RiskSection)
        )
        raise SkillError(problems, where) from None
    caps = section.caps()
    names = [_CAP_OF.get(key, key) for key in section.model_fields_set]
    return msgspec.structs.replace(LOOSEST, **{name: getattr(caps, name) for name in names})


def canonical_prompt(text: str) -> str:
    """Give the one form of a prompt: lines end in LF, no blank lines around it, no blanks at its end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"\A(?:[ \t]*\n)+", "", text).rstrip(" \t\n")


def _prompt_problems(prompt: str) -> list[tuple[Path, str]]:
    size = len(prompt.encode(errors="replace"))
    if size > MAX_PROMPT_BYTES:
        return [(("prompt",), f"is {size} bytes long; at most {MAX_PROMPT_BYTES} are allowed")]
    for char in prompt:
        if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs"):
            line = 1 + prompt.count("\n", 0, prompt.index(char))
            message = f"has a control character (code {ord(char)}) on its line {line}; remove it"
            return [(("prompt",), message)]
    return []


def _skill(front: FrontMatter, prompt: str) -> Skill:
    market = front.market
    return Skill(
        name=front.name,
        description=front.description,
        model=front.model,
        model_params=front.model_params,
        schedule=front.schedule,
        market=Market(market.symbols, market.interval, market.bars, market.news, market.funding),
        tools=tuple(sorted(front.tools, key=_tool_order)),
        mcp=tuple(sorted(front.mcp)),
        caps=front.risk.caps(),
        on_stop=front.on_stop,
        prompt=prompt,
    )


def _tool_order(tool: str) -> tuple[int, str]:
    known = tool in TRADING_TOOLS
    return (TRADING_TOOLS.index(tool) if known else len(TRADING_TOOLS), tool)


def front_matter(skill: Skill) -> dict[str, Any]:
    """Give a Skill's front matter with every key and cap spelled out, in the order in which it is written.

    Durations are text, numbers int or Decimal. `build(front_matter(skill), skill.prompt)` is the same Skill.
    """
    data = msgspec.structs.asdict(skill)
    data.pop("prompt")
    data["market"] = msgspec.structs.asdict(skill.market)
    data["risk"] = _risk(data.pop("caps"))
    return {key: data[key] for key in FrontMatter.model_fields}


def _risk(caps: Caps) -> dict[str, Any]:
    data = msgspec.structs.asdict(caps)
    data["cooldown_after_loss"] = duration_text(caps.cooldown_after_loss_ms)
    if guard := caps.stop_guard:
        data["stop_guard"] = {
            "stops": guard.stops,
            "window": duration_text(guard.window_ms),
            "pause": duration_text(guard.pause_ms),
        }
    return {key: data[key] for key in RiskSection.model_fields}
