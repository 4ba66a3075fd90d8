"""A Skill: what a trading agent is told, what it may use, when it wakes, and what it may never exceed."""

from decimal import Decimal
from typing import Literal, TypeAlias, Union

import msgspec

from domain.caps import Caps

OnStop = Literal["keep", "flatten"]
Param: TypeAlias = Union[str, int, Decimal, bool, "tuple[Param, ...]", "dict[str, Param]"]
"""A value in `model_params`. Whole numbers are int, others Decimal; there are no floats and no nulls."""

BASELINE = "baseline"
"""The provider of the models that are plain code and ship with the product: `baseline:sma-cross`."""


class Market(msgspec.Struct, frozen=True):
    """What a Skill sees of the market."""

    symbols: tuple[str, ...]  # in the order given
    interval: str  # of its bars: "1h"
    bars: int  # closed bars shown per symbol
    news: int  # news items shown; 0 for none
    funding: bool  # whether funding rates are shown


class Skill(msgspec.Struct, frozen=True):
    """One Skill, valid and in canonical form. Make one with `schema.build` or `skill_md.read`."""

    name: str
    description: str
    model: str  # "provider:name"
    model_params: dict[str, Param]  # keys sorted
    schedule: str  # canonical text of a Schedule, in UTC
    market: Market
    tools: tuple[str, ...]  # trading tools in their own order, then MCP tools by name
    mcp: tuple[str, ...]  # names of servers, sorted
    caps: Caps
    on_stop: OnStop  # what `stop` does with open positions
    prompt: str

    @property
    def baseline(self) -> str | None:
        """The name of the built-in baseline that decides, or None where a language model does."""
        provider, _, name = self.model.partition(":")
        return name if provider == BASELINE else None
