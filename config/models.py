"""What is known of the models: what a call costs, what a model can have known, when it retires, what it takes.

The facts are `models.toml`, dated and with their sources; a file of the same form may replace facts or add models.
A fact that is not known is None: an unknown price is not 0, and an unknown cutoff is no cutoff at all.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from domain.inference import Usage
from domain.money import ZERO
from domain.time import parse_ts, to_datetime

DEFAULT_MODEL = "anthropic:claude-sonnet-4-6"
"""The model that a new Skill names, unless the settings say another."""

THINKING = ("off", "adaptive", "between_tools")
"""What a Skill may say of thinking."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""What a Skill may say of effort."""

_THINKING_TYPES = ("disabled", "adaptive", "between_tools")

HIDDEN_TOKENS = 1_000
"""More than the tokens that the provider adds to a prompt unseen, for tools: at most 589 by its documentation."""

_MILLION = Decimal(1_000_000)
_DEAREST = Decimal(10_000)
_LARGEST_FILE = 1_000_000

Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}(-\d{2})?$")]
"""A day or, where no more is known, a month: "2026-02-17", "2026-02"."""

Count = Annotated[int, Meta(gt=0)]


class ModelTableError(ValueError):
    """A file of facts about models can't be used. One line: which file and entry, what was found, what was expected."""


class Rate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """USD per million tokens of each kind, named as in `Usage`."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal

    def __post_init__(self) -> None:
        for name in Usage.__struct_fields__:
            usd: Decimal = getattr(self, name)
            if not (usd.is_finite() and 0 <= usd <= _DEAREST and usd == round(usd, 6)):
                raise ValueError(
                    f"{name} is {usd}; expected 0 to {_DEAREST} USD per million tokens, to 6 decimals"
                )


class Price(Rate, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model costs from a day (UTC) on. A prompt longer than `above_tokens` makes the whole call cost `above`."""

    valid_from: date
    above_tokens: Count | None = None
    above: Rate | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.above_tokens is None) != (self.above is None):
            raise ValueError("above_tokens and above must be given together")

    def rate_for(self, prompt_tokens: int) -> Rate:
        """The rate of a call with such a prompt."""
        if self.above is not None and self.above_tokens is not None and prompt_tokens > self.above_tokens:
            return self.above
        return self


class ModelFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one model.

    `reliable_cutoff` is the end of what it knows well, `training_cutoff` of what it was trained on. `retires` is the
    day before which it is not taken out of service or, with `retires_surely`, the day on which it is. `thinking` are
    the provider's types of thinking that it takes, its default first, or nothing where that is not known. `efforts`
    are empty where it takes none; `efforts_between_tools` are those for that type of thinking, where they are fewer.
    """

    id: str
    prices: tuple[Price, ...] = ()  # by valid_from
    released: Day | None = None
    reliable_cutoff: Day | None = None
    training_cutoff: Day | None = None
    retires: date | None = None
    retires_surely: bool = False
    context_tokens: Count | None = None
    max_output_tokens: Count | None = None
    takes_sampling: bool | None = None
    thinking: tuple[str, ...] = ()
    efforts: tuple[str, ...] | None = None
    efforts_between_tools: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        days = [price.valid_from for price in self.prices]
        if days != sorted(set(days)):
            raise ValueError("prices must be in the order of their valid_from, one for each day")
        _only("thinking", self.thinking, _THINKING_TYPES)
        for name in ("efforts", "efforts_between_tools"):
            _only(name, getattr(self, name) or (), EFFORTS)
        for day in (self.released, self.reliable_cutoff, self.training_cutoff):
            if day is not None:
                _end_ts(day)

    def price_at(self, ts_ms: int) -> Price | None:
        """The price of a call that is made at an instant, or None where it is not known."""
        today = to_datetime(ts_ms).date()
        held = [price for price in self.prices if price.valid_from <= today]
        return held[-1] if held else None

    def thinking_type(self, wanted: str) -> str | None:
        """The provider's word for what a Skill says of thinking, one of THINKING; None where the model can't.

        "off" is as little as the model takes: some think between tools at the least, some always.
        """
        types = ("disabled", "between_tools") if wanted == "off" else (wanted,)
        taken = self.thinking or _THINKING_TYPES
        return next((one for one in types if one in taken), None)

    @property
    def knowledge_ends_ts(self) -> int | None:
        """The first instant of which the model surely learnt nothing in training, in UTC ms, or None if unknown.

        The end of the month (or day) of its training cutoff; where that is unknown, its release.
        """
        if self.training_cutoff is not None:
            return _end_ts(self.training_cutoff)
        if self.released is None:
            return None
        return parse_ts(self.released) if len(self.released) > len("2026-02") else _end_ts(self.released)


class ModelTable(Struct, frozen=True):
    """The models of which something is known, by id."""

    models: Mapping[str, ModelFacts]

    def find(self, name: str) -> ModelFacts | None:
        """The facts of a model by the name it is asked for: its id, its dated id, or a gateway's slug for it.

        "claude-sonnet-4-6", "claude-sonnet-4-5-20250929" and "anthropic/claude-sonnet-4.6" are found. A name is never
        taken for another that merely begins alike.
        """
        return next((self.models[one] for one in _spellings(name) if one in self.models), None)

    def suggest(self, name: str) -> str | None:
        """The known model that was probably meant, or None."""
        meant = _spellings(name)[-1].lower()
        for one in self.models:
            if sorted(one.split("-")) == sorted(meant.split("-")):  # "claude-4-6-sonnet"
                return one
        near = difflib.get_close_matches(meant, self.models, n=1, cutoff=0.75)
        return near[0] if near else None


def load_models(overrides: Path | None = None) -> ModelTable:
    """Read the table and, over it, a file of the same form: what an entry there gives replaces what the table says.

    Raises ModelTableError.
    """
    table = _shipped()
    if overrides is None:
        return table
    rows = _rows(_read(overrides), str(overrides))
    known = {name: _facts(name, row, str(overrides), base=table.find(name)) for name, row in rows.items()}
    return ModelTable({**table.models, **known})


def suggest(name: str) -> str | None:
    """The model of the shipped table that was probably meant: "claude-sonet-4-6" → "claude-sonnet-4-6"; or None."""
    return _shipped().suggest(name)


def cost_usd(price: Price, usage: Usage) -> Decimal:
    """What one call cost, exactly: each kind of token at its rate, which the length of the prompt may raise."""
    rate = price.rate_for(usage.prompt)
    kinds = Usage.__struct_fields__
    return sum((getattr(usage, kind) * getattr(rate, kind) for kind in kinds), ZERO) / _MILLION


def worst_case_usd(price: Price, prompt_bytes: int, most_output_tokens: int) -> Decimal:
    """The most that a call can cost, from the size of its request and its bound on output.

    It holds whatever is cached and however the text falls into tokens: a token is at least a byte, what the provider
    adds is counted in, and every kind of token costs as much as the dearest.
    """
    tokens = prompt_bytes + HIDDEN_TOKENS
    rates = (price, price.rate_for(tokens))
    prompt_rate = max(
        usd
        for rate in rates
        for usd in (rate.input, rate.cache_read, rate.cache_write_5m, rate.cache_write_1h)
    )
    output_rate = max(rate.output for rate in rates)
    return (tokens * prompt_rate + most_output_tokens * output_rate) / _MILLION


@cache
def _shipped() -> ModelTable:
    text = files("config").joinpath("models.toml").read_text("utf-8")
    rows = _rows(text, "models.toml")
    return ModelTable({name: _facts(name, row, "models.toml") for name, row in rows.items()})


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise ModelTableError(f"{path} is larger than {_LARGEST_FILE} bytes; it is no table of models")
        return data.decode()
    except OSError as error:
        raise ModelTableError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ModelTableError(f"{path} is not text in UTF-8") from None


def _rows(text: str, where: str) -> dict[str, dict[str, Any]]:
    """Take a file apart into its entries, by name."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelTableError(f"{where} is not TOML: {error}") from None
    rows = document.pop("models", {})
    if document or not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        found = ", ".join(document) or "models"
        raise ModelTableError(f'{where} has {found}; expected tables [models."NAME"] and nothing else')
    return rows


def _facts(name: str, row: dict[str, Any], where: str, *, base: ModelFacts | None = None) -> ModelFacts:
    """Check an entry, laid over the facts that are known already."""
    given = {key: _as_text(value) for key, value in row.items()}
    try:
        if "id" in given:
            raise ValueError("id is the entry's name and can't be given")
        kept = {} if base is None else msgspec.structs.asdict(base)
        return msgspec.convert({**kept, **given, "id": name}, ModelFacts, from_attributes=True)
    except ValueError as error:
        raise ModelTableError(f'{where}: models."{name}": {error}') from None


def _as_text(value: object) -> object:
    """A day is kept as its text, however TOML wrote it."""
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def _only(name: str, found: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not set(found) <= set(known):
        raise ValueError(f"{name} is {list(found)}; expected some of {', '.join(known)}")


def _spellings(name: str) -> list[str]:
    """A name as it is, then without what gateways and dated ids add to the model's own id."""
    own = name.removeprefix("anthropic/").replace(".", "-")
    return [name, own, re.sub(r"[-@]\d{8}$", "", own)]


def _end_ts(day: str) -> int:
    """The instant at which a day or a month is over."""
    if len(day) > len("2026-02"):
        return parse_ts((date.fromisoformat(day) + timedelta(days=1)).isoformat())
    next_month = date.fromisoformat(day + "-01").replace(day=28) + timedelta(days=4)
    return parse_ts(next_month.replace(day=1).isoformat())
