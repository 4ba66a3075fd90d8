"""The same world under other names: what a run reads when its model shall not recognise what it remembers.

Symbols are renamed, instants moved by whole weeks, prices multiplied and sizes divided by one factor for each symbol.
Returns, notionals in USD, funding rates, weekdays and hours stay, so a trader that follows the market alone does as
well as before, within rounding. One that does better in the real world than in this one has been remembering.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from db.connection import Connection
from db.tape import Rows
from domain.bars import Floats, common_decimals
from domain.instruments import PRICE_DECIMALS, Instrument
from domain.money import plain
from domain.time import DAY_MS
from market.news import NewsSource
from simulator.data import MarketData, assemble
from simulator.rows import RunRows, SeriesRows, SymbolRows, load_rows
from simulator.spec import RunSpec, SimulationError
from skills.catalogue import TRADING_TOOLS
from skills.schedule import Schedule
from skills.skill import Skill

WEEK_MS = 7 * DAY_MS
FEWEST_WEEKS, MOST_WEEKS = 520, 1_040
WEEKS_OF_28_YEARS = 1_461
"""After so many weeks the calendar repeats, until 2100: dates, weekdays and leap years alike."""

PLAUSIBLE_USD = (0.01, 100_000.0)
"""Between these lies a masked price, where the symbol's lots allow it."""

MOST_DECIMALS = 12
LARGEST_TICKS = 2**51

_PRICES = ("open", "high", "low", "close")
_INSTANTS = ("ts", "settled_at", "available_at")


class Scale(msgspec.Struct, frozen=True):
    """A factor, taken apart: `mantissa` × 10^`power`. `sz_decimals` are those of a size once it is masked."""

    mantissa: Decimal
    power: int
    sz_decimals: int

    @property
    def factor(self) -> Decimal:
        """What prices are multiplied and sizes divided by."""
        return self.mantissa.scaleb(self.power)


class Mask(msgspec.Struct, frozen=True):
    """What a world is hidden behind: names and scales by real symbol, and by how many weeks it lies in the future."""

    names: dict[str, str]
    scales: dict[str, Scale]
    weeks: int

    @property
    def shift_ms(self) -> int:
        """By how much later everything happens."""
        return self.weeks * WEEK_MS


class World(msgspec.Struct, frozen=True):
    """What a run is of: its Skill, its settings, its market; all three as its trader is to see them."""

    skill: Skill
    spec: RunSpec
    market: MarketData


async def load_world(
    connection: Connection, skill: Skill, spec: RunSpec, archive: NewsSource | None = None
) -> World:
    """Load what a run reads, masked if it asks for that. Raises SimulationError for what can't be.

    `archive` is where news is searched by words.
    """
    return world_of_rows(skill, spec, await load_rows(connection, skill, spec), archive)


def world_of_rows(skill: Skill, spec: RunSpec, rows: RunRows, archive: NewsSource | None = None) -> World:
    """What a run sees of the rows that it reads."""
    if spec.mask:
        return masked(skill, spec, rows)
    return World(skill, spec, assemble(rows, skill.market, spec, archive))


def masked(skill: Skill, spec: RunSpec, rows: RunRows) -> World:
    """Hide a world behind the mask that its seed draws. Raises SimulationError for a Skill that can't wear one.

    News and the tools of MCP servers are withheld, since they speak of the real world. The market's description says
    how to translate back; nothing else does.
    """
    mask = draw(skill, rows, spec.seed)
    hidden_skill = mask_skill(skill, mask)
    hidden_spec = _mask_spec(spec, mask)
    market = assemble(_mask_rows(rows, mask), hidden_skill.market, hidden_spec)
    market = msgspec.structs.replace(
        market,
        description={**market.description, "mask": _described(mask)},
        warnings=(*market.warnings, *_warnings(skill)),
    )
    return World(hidden_skill, hidden_spec, market)


def draw(skill: Skill, rows: RunRows, seed: int) -> Mask:
    """Choose the names, the factors and the weeks: the same for the same symbols and seed."""
    symbols = sorted(rows.symbols)  # what happens at one instant goes by name; it keeps its order
    digits = len(str(len(symbols)))
    scales = {
        symbol: _scale(rows.symbols[symbol], rows.instruments[symbol], _dice(seed, symbol))
        for symbol in symbols
    }
    weeks = FEWEST_WEEKS + _dice(seed, "weeks") % (MOST_WEEKS - FEWEST_WEEKS + 1)
    if Schedule.parse(skill.schedule).goes_by_date:
        weeks = WEEKS_OF_28_YEARS
    return Mask({symbol: f"ASSET-{n:0{digits}}" for n, symbol in enumerate(symbols, 1)}, scales, weeks)


def mask_skill(skill: Skill, mask: Mask) -> Skill:
    """The Skill as it stands in the masked world: its symbols, words and sizes changed. Raises SimulationError."""
    market = skill.market
    symbols = tuple(mask.names[symbol] for symbol in market.symbols)
    return msgspec.structs.replace(
        skill,
        name=_rename(skill.name, {old.lower(): new.lower() for old, new in mask.names.items()}),
        description=_rename(skill.description, mask.names),
        prompt=_rename(skill.prompt, mask.names),
        model_params=_mask_params(skill, mask),
        market=msgspec.structs.replace(market, symbols=symbols, news=0),
        tools=tuple(tool for tool in skill.tools if tool in TRADING_TOOLS),
        mcp=(),
    )


def _mask_params(skill: Skill, mask: Mask) -> dict[str, Any]:
    """A baseline's size is in base units, of which there are more or fewer now."""
    if skill.baseline is None or "size" not in skill.model_params:
        return skill.model_params
    if len(mask.scales) > 1:
        raise SimulationError(
            f"{skill.model} trades one size of {', '.join(mask.scales)}, and a mask scales each by another factor; "
            "run it without --mask, or with one symbol"
        )
    (scale,) = mask.scales.values()
    lot = Decimal(1).scaleb(-scale.sz_decimals)
    size = (Decimal(str(skill.model_params["size"])) / scale.factor).quantize(lot)
    return {**skill.model_params, "size": max(size, lot)}


def _mask_spec(spec: RunSpec, mask: Mask) -> RunSpec:
    """The run's range and its model's cutoff, as much later as all else."""
    cutoff_ts = spec.cutoff_ts and spec.cutoff_ts + mask.shift_ms
    return msgspec.structs.replace(
        spec, from_ts=spec.from_ts + mask.shift_ms, to_ts=spec.to_ts + mask.shift_ms, cutoff_ts=cutoff_ts
    )


def _mask_rows(rows: RunRows, mask: Mask) -> RunRows:
    return RunRows(
        {mask.names[symbol]: _mask_symbol(one, mask) for symbol, one in rows.symbols.items()},
        {mask.names[symbol]: _mask_instrument(one, mask) for symbol, one in rows.instruments.items()},
        rows.execution_ms,
    )


def _mask_instrument(instrument: Instrument, mask: Mask) -> Instrument:
    """As many more or fewer lots to a unit as the unit is worth more or less. Margin tiers are in USD, and stay."""
    name, scale = mask.names[instrument.symbol], mask.scales[instrument.symbol]
    return msgspec.structs.replace(instrument, symbol=name, sz_decimals=scale.sz_decimals)


def _mask_symbol(one: SymbolRows, mask: Mask) -> SymbolRows:
    def hide(series: SeriesRows) -> SeriesRows:
        changed = _mask_values(series.rows, mask.shift_ms, mask.scales[series.symbol])
        return msgspec.structs.replace(series, symbol=mask.names[series.symbol], rows=changed)

    return SymbolRows(
        bars=hide(one.bars),
        execution=one.execution and hide(one.execution),
        marks=one.marks and hide(one.marks),
        funding=hide(one.funding),
    )


def _mask_values(rows: Rows, shift_ms: int, scale: Scale) -> Rows:
    """Rows moved in time, with other prices, at least as fine as they were, and other volumes, finer than a lot."""
    names: Any = rows.dtype.names
    changed = rows.copy()
    for name in _INSTANTS:
        if name in names:
            changed[name] += shift_ms
    if "open" in names and len(rows):
        prices = _prices(rows)
        decimals = max(common_decimals("", prices) - scale.power, 0)
        scaled = [column * float(scale.factor) for column in prices]
        while decimals and max(column.max() for column in scaled) * 10.0**decimals > LARGEST_TICKS:
            decimals -= 1
        for name, column in zip(_PRICES, scaled, strict=True):
            changed[name] = np.rint(column * 10.0**decimals) / 10.0**decimals
    if "volume" in names:
        changed["volume"] = np.round(rows["volume"] / float(scale.factor), scale.sz_decimals + 4)
    return changed


def _prices(rows: Rows) -> tuple[Floats, ...]:
    return tuple(np.ascontiguousarray(rows[name]) for name in _PRICES)


def _scale(one: SymbolRows, instrument: Instrument, dice: int) -> Scale:
    """A factor that is far from 1 and from a power of ten, with which lots stay legal and prices plausible."""
    dice, mantissa = divmod(dice, 5_500)
    usual = Decimal(1_500 + mantissa) / 1_000
    legal = range(-instrument.sz_decimals, PRICE_DECIMALS - instrument.sz_decimals + 1)
    price = float(np.median(one.bars.rows["close"])) * float(usual)
    low, high = PLAUSIBLE_USD
    finest = max(
        common_decimals("", _prices(series.rows)) for series in one.series if series.kind != "funding"
    )
    fitting = [
        power
        for power in legal
        if power not in (-1, 0) and low <= price * 10.0**power <= high and finest - power <= MOST_DECIMALS
    ]
    power = fitting[dice % len(fitting)] if fitting else 0
    return Scale(usual, power, instrument.sz_decimals + power)


def _dice(seed: int, what: str) -> int:
    """A large number made of the seed, and of what is thrown for."""
    return int.from_bytes(hashlib.sha256(f"mask:{seed}:{what}".encode()).digest()[:12], "big")


def _rename(text: str, names: Mapping[str, str]) -> str:
    """Replace names where they stand as words of their own."""
    longest_first = sorted(names, key=len, reverse=True)
    words = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])", lambda found: names[found[0]], text)


def _described(mask: Mask) -> dict[str, Any]:
    """How a person translates back: real price = price / factor, real size = size × factor."""
    return {
        "weeks_later": mask.weeks,
        "symbols": {
            mask.names[symbol]: {"symbol": symbol, "price_factor": plain(scale.factor)}
            for symbol, scale in mask.scales.items()
        },
        "withheld": "news, and the tools of MCP servers",
        "left": "returns, funding rates, margin tiers, and the prompt but for the symbols' names",
    }


def _warnings(skill: Skill) -> Iterable[str]:
    """What a reader must know of a masked run."""
    if skill.prompt:
        yield (
            "Symbols, dates and price levels were hidden. The prompt was shown but for the symbols' names, so other "
            "words of it may still say what they are."
        )
    if skill.market.news or "search_news" in skill.tools:
        yield "News was withheld, because it names what is hidden. A Skill that trades on it is not itself here."
    if skill.mcp:
        yield "The tools of MCP servers were withheld, because they speak of the real world."
