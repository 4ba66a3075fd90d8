"""Bars and rates as columns, the form in which a replay and a context read them.

Prices are whole ticks of one power of ten per series, so that sums over windows are exact and cheap; the float a
price was stored as is `ticks × tick` to the last digit.
"""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.money import exact
from domain.time import format_interval, iso

Ticks = NDArray[np.int64]
Floats = NDArray[np.float64]

_LARGEST_EXACT = 2**53


class Bar(msgspec.Struct, frozen=True):
    """One closed bar: open time (UTC ms), prices in USD, volume in base units."""

    ts: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Bars(msgspec.Struct, frozen=True):
    """A symbol's bars of one interval, ascending by open time; gaps are allowed, duplicates are not.

    `open`, `high`, `low`, `close` are int64 ticks of size `tick` USD, all of one length with `ts` and `volume`.
    Zero-length series are legal.
    """

    symbol: str
    interval_ms: int
    ts: Ticks
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    volume: Floats
    tick: Decimal

    @classmethod
    def from_floats(
        cls,
        symbol: str,
        interval_ms: int,
        ts: Ticks,
        prices: tuple[Floats, Floats, Floats, Floats],
        volume: Floats,
    ) -> "Bars":
        """Build from float columns (open, high, low, close). Raises ValueError when a price isn't exact in ticks."""
        decimals = common_decimals(symbol, prices)
        o, h, lo, c = (to_ticks(column, decimals) for column in prices)
        tick = Decimal(1).scaleb(-decimals)
        return cls(symbol, interval_ms, ts, o, h, lo, c, volume, tick)

    @classmethod
    def empty(cls, symbol: str, interval_ms: int) -> "Bars":
        """A series without a bar."""
        whole, real = np.empty(0, np.int64), np.empty(0, np.float64)
        return cls(symbol, interval_ms, whole, whole, whole, whole, whole, real, Decimal(1))

    def __len__(self) -> int:
        return len(self.ts)

    def bar(self, index: int) -> Bar:
        """The bar at `index`, in decimals."""
        return Bar(
            int(self.ts[index]),
            int(self.open[index]) * self.tick,
            int(self.high[index]) * self.tick,
            int(self.low[index]) * self.tick,
            int(self.close[index]) * self.tick,
            exact(float(self.volume[index])),
        )

    def between(self, from_ts: int, to_ts: int) -> "Bars":
        """The bars that open in [from_ts, to_ts), sharing memory."""
        first, last = np.searchsorted(self.ts, [from_ts, to_ts])
        cut = slice(int(first), int(last))
        columns = {
            name: getattr(self, name)[cut] for name in ("ts", "open", "high", "low", "close", "volume")
        }
        return msgspec.structs.replace(self, **columns)

    def gaps(self) -> list[tuple[int, int]]:
        """The holes, as (first missing open time, count of missing bars), ascending."""
        steps = np.diff(self.ts)
        where = np.flatnonzero(steps != self.interval_ms)
        return [(int(self.ts[i]) + self.interval_ms, int(steps[i]) // self.interval_ms - 1) for i in where]

    def describe(self) -> str:
        """One line for messages: "BTC 1h, 10,224 bars, 2024-05-01T00:00:00Z to …"."""
        name = f"{self.symbol} {format_interval(self.interval_ms)}"
        if not len(self):
            return f"{name}, no bars"
        first, last = iso(int(self.ts[0])), iso(int(self.ts[-1]) + self.interval_ms)
        return f"{name}, {len(self):,} bars, {first} to {last}"


class FundingRates(msgspec.Struct, frozen=True):
    """A symbol's funding, ascending: settlement hour (UTC ms) and the rate for that settlement, as a fraction."""

    symbol: str
    ts: Ticks
    rate: Floats

    @classmethod
    def empty(cls, symbol: str) -> "FundingRates":
        return cls(symbol, np.empty(0, np.int64), np.empty(0, np.float64))

    def __len__(self) -> int:
        return len(self.ts)


def common_decimals(symbol: str, columns: tuple[Floats, ...]) -> int:
    """How many decimals hold every value of the columns exactly (0–12). Raises ValueError when none does."""
    if not sum(len(column) for column in columns):
        return 0
    for decimals in range(13):
        if all(is_exact(column, decimals) for column in columns):
            return decimals
    raise ValueError(
        f"{symbol} has prices with more than 12 decimals or 15 digits; they can't be kept exactly"
    )


def to_ticks(values: Floats, decimals: int) -> Ticks:
    """Turn floats into whole ticks of 10^−decimals."""
    return np.rint(values * 10.0**decimals).astype(np.int64)


def is_exact(values: Floats, decimals: int) -> bool:
    """Whether all values are whole ticks of 10^−decimals, and none needs more than 15 digits for it."""
    scaled = np.rint(values * 10.0**decimals)
    if len(scaled) and float(np.abs(scaled).max()) >= _LARGEST_EXACT:
        return False
    same: Any = scaled / 10.0**decimals == values
    return bool(same.all())
