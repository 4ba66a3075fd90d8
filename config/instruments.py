"""The venue's instruments as the product ships them: `instruments.toml`, dated and with its sources."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from domain.instruments import PRICE_DECIMALS, Instrument, MarginTier

_SYMBOL = re.compile(r"[A-Za-z0-9]{1,20}(:[A-Za-z0-9]{1,20})?")
_QUOTES = ("USDT", "USDC", "USD", "PERP")
_LARGEST_LEVERAGE = 100


class UnknownInstrument(ValueError):
    """A symbol that the instrument table lacks, or facts about it that can't be."""


@cache
def load() -> Mapping[str, Instrument]:
    """The snapshot, by symbol. Each instrument's `source` says where its facts are from and of what day."""
    document = tomllib.loads(files("config").joinpath("instruments.toml").read_text("utf-8"))
    tiers = {name: _tiers(rows) for name, rows in document["tiers"].items()}
    sources = {
        name: f"{source['title']}, {source['as_of'].isoformat()}"
        for name, source in document["sources"].items()
    }
    rows: dict[str, dict[str, Any]] = document["instruments"]
    return MappingProxyType(
        {
            symbol: Instrument(
                symbol=symbol,
                sz_decimals=row["sz_decimals"],
                max_leverage=tiers[row["tiers"]][0].max_leverage,
                tiers=tiers[row["tiers"]],
                source=sources[row["source"]] + (", delisted since" if row.get("delisted") else ""),
            )
            for symbol, row in rows.items()
        }
    )


def find(symbol: str, *, sz_decimals: int | None = None, max_leverage: int | None = None) -> Instrument:
    """The facts of a symbol: the snapshot's or, for one it lacks, those given, marked as assumed.

    Raises UnknownInstrument, in one line, for a symbol that is not known and not described, for facts that
    contradict the snapshot, and for facts that can't be.
    """
    given = {"sz_decimals": sz_decimals, "max_leverage": max_leverage}
    known = load().get(symbol)
    if known is None:
        return _assume(symbol, sz_decimals, max_leverage)
    for name, value in given.items():
        fact = getattr(known, name)
        if value is not None and value != fact:
            flag = "--" + name.replace("_", "-")
            raise UnknownInstrument(
                f"{symbol} has {name} {fact} ({known.source}), not {value}; leave out {flag}"
            )
    return known


def as_of(instrument: Instrument) -> str | None:
    """The day of the source that an instrument of the snapshot names, such as "2025-11-10"; None when assumed."""
    day = re.search(r"\d{4}-\d\d-\d\d", instrument.source)
    return day[0] if day else None


def suggest(symbol: str, known: Iterable[str] = ()) -> str | None:
    """The known symbol that was probably meant: "BTCUSDT" → "BTC", "1000PEPE" → "kPEPE"; or None."""
    by_lower = {name.lower(): name for name in [*load(), *known]}
    for spelling in _spellings(symbol):
        if spelling.lower() in by_lower:
            return by_lower[spelling.lower()]
    near = difflib.get_close_matches(symbol.lower(), by_lower, n=1, cutoff=0.8)
    return by_lower[near[0]] if near else None


def _spellings(symbol: str) -> Iterable[str]:
    base = re.split(r"[-/_:]", symbol)[0].upper()
    for quote in _QUOTES:
        if len(base) > len(quote):
            base = base.removesuffix(quote)
    yield symbol
    yield base
    thousand = base.removeprefix("1000")
    yield f"k{thousand}"
    yield thousand


def _assume(symbol: str, sz_decimals: int | None, max_leverage: int | None) -> Instrument:
    near = suggest(symbol)
    if not _SYMBOL.fullmatch(symbol):
        raise UnknownInstrument(
            f"{symbol!r} is not a symbol; write it as the venue does, such as {near or 'BTC'}"
        )
    if sz_decimals is None or max_leverage is None:
        hint = f"did you mean {near}? If not, " if near else ""
        raise UnknownInstrument(
            f"{symbol} is not in the instrument table; {hint}give --sz-decimals and --max-leverage"
        )
    if not 0 <= sz_decimals <= PRICE_DECIMALS:
        raise UnknownInstrument(f"--sz-decimals must be 0 to {PRICE_DECIMALS}, was {sz_decimals}")
    if not 1 <= max_leverage <= _LARGEST_LEVERAGE:
        raise UnknownInstrument(f"--max-leverage must be 1 to {_LARGEST_LEVERAGE}, was {max_leverage}")
    return Instrument(symbol, sz_decimals, max_leverage, assumed=True, source="assumed")


def _tiers(rows: list[list[int]]) -> tuple[MarginTier, ...]:
    return tuple(MarginTier(Decimal(bound), leverage) for bound, leverage in rows)
