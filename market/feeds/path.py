"""A made-up price that can be looked at anywhere: at any second of any year, and in any bar around it.

It is made from the outside inwards. The price at each midnight is a Brownian path, halved until it is found: from
blocks of 1,024 days down to one. Each day then has a high and a low, as such a path would; the day's hours are led
from its open to its close within them, and one hour reaches each; so do the minutes of each hour, and the seconds of
each minute. What a bar says is therefore what its seconds said, and no bar needs them to be made.

Chance is a hash of the seed, the symbol, and which day, hour, minute or second it is. So every process makes the same
path, wherever it begins to look. It looks like a market and predicts nothing.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from db.market import BAR, FUNDING
from db.tape import Rows
from domain.instruments import Instrument
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from market.synth import legal_prices, usual_price

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

_BLOCK_DAYS = 1_024
_BLOCK_SPREAD = 0.6  # of the log price where blocks begin: that far the price strays from the usual one
_DAILY_VOLATILITY = 0.029  # 55 % a year
_RESTLESS = 0.4  # how much that varies from day to day
_USD_A_DAY = 250e6
_USUAL_RATE = 1.25e-5  # hourly, as the venue's interest component
_LARGEST_RATE = 4e-4
_AT_HAND = 3  # days, hours and minutes that are kept: the last, this one and the next


class Candles(msgspec.Struct, frozen=True):
    """Candles that follow each other, from number `first` (counted from 1970) on.

    Prices are logarithms of multiples of the usual price; `spread` is the standard deviation of each one's return;
    `lots` is the volume.
    """

    first: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    spread: Floats
    lots: Floats

    def between(self, first: int, count: int) -> "Candles":
        """The `count` candles from number `first` on."""
        cut = slice(first - self.first, first - self.first + count)
        columns = (getattr(self, name)[cut] for name in self.__struct_fields__[1:])
        return Candles(first, *columns)


class Path:
    """The path of one symbol for one seed."""

    def __init__(self, instrument: Instrument, seed: int) -> None:
        self.instrument = instrument
        self._seed = seed
        self._usual = usual_price(instrument)
        self._hours_of = lru_cache(_AT_HAND)(lambda day: self._hours(day * 24, 24))
        self._minutes_of = lru_cache(_AT_HAND)(self._minutes_at)
        self._seconds_of = lru_cache(_AT_HAND)(self._seconds)

    def price(self, ts: int) -> float:
        """What is paid in the second of an instant (UTC ms), in USD: a legal price."""
        minute, second = divmod(ts // SECOND_MS, 60)
        return float(self._seconds_of(minute)[second])

    def prepare(self, ts: int) -> None:
        """Have the minute of an instant at hand, so that its prices take no time."""
        self._seconds_of(ts // MINUTE_MS)

    def chance(self, what: str, number: int) -> float:
        """A number in [0, 1) for anything else that is made up, such as the size of a quote."""
        return float(self._dice(what, np.array([number]))[0])

    def bar(self, interval_ms: int, ts: int) -> tuple[float, ...]:
        """The bar that opens at `ts`: open, high, low, close, volume."""
        row = self._rows(interval_ms, self._candles_in(interval_ms, ts))[0]
        return tuple(float(row[name]) for name in ("open", "high", "low", "close", "volume"))

    def bars(self, interval_ms: int, from_ts: int, to_ts: int) -> Rows:
        """The bars that open in [from, to), on the interval's grid, known at their close."""
        unit_ms = _unit_of(interval_ms)
        make = {DAY_MS: self._days, HOUR_MS: self._hours, MINUTE_MS: self._minutes}[unit_ms]
        return self._rows(interval_ms, make(from_ts // unit_ms, (to_ts - from_ts) // unit_ms))

    def rates(self, from_ts: int, to_ts: int) -> Rows:
        """Hourly funding settled in [from, to): it leans the way the price went in the day before."""
        first, end = -(-from_ts // HOUR_MS), -(-to_ts // HOUR_MS)
        hours = np.arange(first, end)
        opens = self._hours(first - 24, end - first + 24).open
        rows = np.empty(len(hours), FUNDING)
        rows["settled_at"] = rows["ts"] = rows["available_at"] = hours * HOUR_MS
        rows["rate"] = self._rates(hours, opens[24:] - opens[:-24])
        return rows

    def rate(self, ts: int) -> float:
        """The funding that is settled at a full hour."""
        hour = ts // HOUR_MS
        before, now = (self._hours_of(at // 24).open[at % 24] for at in (hour - 24, hour))
        return float(self._rates(np.array([hour]), np.array([now - before]))[0])

    def _rates(self, hours: Numbers, went: Floats) -> Floats:
        rates = _USUAL_RATE + 4e-4 * went + 1e-5 * (self._dice("rate", hours) - 0.5)
        return np.asarray(np.rint(np.clip(rates, -_LARGEST_RATE, _LARGEST_RATE) * 1e8) / 1e8, np.float64)

    # From days to seconds.

    def _days(self, first: int, count: int) -> Candles:
        days = np.arange(first, first + count)
        midnights = self._midnights(np.arange(first, first + count + 1))
        spread = _DAILY_VOLATILITY * np.exp(_RESTLESS * self._gauss("restless", days))
        open, close = midnights[:-1], midnights[1:]
        usd = _USD_A_DAY * (spread / _DAILY_VOLATILITY) ** 1.2 * np.exp(0.35 * self._gauss("volume", days))
        lots = np.rint(usd / (np.exp(close) * self._usual) * 10.0**self.instrument.sz_decimals)
        return self._with_wicks("day", first, open, close, spread, np.maximum(lots, 1))

    def _hours(self, first: int, count: int) -> Candles:
        day = first // 24
        return self._split("hour", self._days(day, -(-(first + count) // 24) - day), 24).between(first, count)

    def _minutes(self, first: int, count: int) -> Candles:
        hour = first // 60
        hours = self._hours(hour, -(-(first + count) // 60) - hour)
        return self._split("minute", hours, 60).between(first, count)

    def _minutes_at(self, hour: int) -> Candles:
        return self._split("minute", self._hours_of(hour // 24).between(hour, 1), 60)

    def _seconds(self, minute: int) -> Floats:
        """The sixty prices of a minute: the first is its open, the last its close, and two are its high and low."""
        whole = self._minutes_of(minute // 60).between(minute, 1)
        walk = self._walk("second", whole, 59)[0]
        inner = walk[1:-1]
        highest = int(inner.argmax())
        inner[highest] = np.inf
        inner[int(inner.argmin())] = whole.low[0]
        inner[highest] = whole.high[0]
        return self._usd(walk)

    def _candles_in(self, interval_ms: int, ts: int) -> Candles:
        """What the bar that opens at `ts` is made of, from what is at hand."""
        unit_ms = _unit_of(interval_ms)
        first, count = ts // unit_ms, interval_ms // unit_ms
        if unit_ms == DAY_MS:
            return self._days(first, count)
        if unit_ms == HOUR_MS:
            return self._hours_of(first // 24).between(first, count)
        return self._minutes_of(first // 60).between(first, count)

    def _midnights(self, days: Numbers) -> Floats:
        """The price at each midnight: between two blocks, halved until the day is met."""
        begins = days // _BLOCK_DAYS * _BLOCK_DAYS
        left = _BLOCK_SPREAD * self._gauss("block", begins)
        right = _BLOCK_SPREAD * self._gauss("block", begins + _BLOCK_DAYS)
        step = _BLOCK_DAYS
        while step > 1:
            step //= 2
            middles = begins + step
            spread = _DAILY_VOLATILITY * np.sqrt(step / 2)
            middle = (left + right) / 2 + spread * self._gauss(f"midnight {step}", middles)
            is_behind = days >= middles
            begins = np.where(is_behind, middles, begins)
            left, right = np.where(is_behind, middle, left), np.where(is_behind, right, middle)
        return left

    def _split(self, what: str, whole: Candles, parts: int) -> Candles:
        """Make each candle into `parts` that follow each other, of which one reaches its high and one its low."""
        walk = self._walk(what, whole, parts)
        first = whole.first * parts
        spread = np.repeat(whole.spread / np.sqrt(parts), parts)
        lots = self._shares(what, whole, parts)
        made = self._with_wicks(what, first, walk[:, :-1].ravel(), walk[:, 1:].ravel(), spread, lots)
        high, low = made.high.reshape(-1, parts), made.low.reshape(-1, parts)
        np.minimum(high, whole.high[:, None], out=high)
        np.maximum(low, whole.low[:, None], out=low)
        rows = np.arange(len(high))
        high[rows, high.argmax(axis=1)] = whole.high
        low[rows, low.argmin(axis=1)] = whole.low
        return made

    def _walk(self, what: str, whole: Candles, steps: int) -> Floats:
        """A bridge from each candle's open to its close in so many steps, kept within its high and low."""
        numbers = whole.first * steps + np.arange(len(whole.open) * steps).reshape(-1, steps)
        noise = (self._dice(what, numbers) - 0.5) * np.sqrt(12 / steps) * whole.spread[:, None]
        way = np.cumsum(noise, axis=1)
        part = np.arange(1, steps + 1) / steps
        drift = whole.close - whole.open - way[:, -1]
        walk = np.empty((len(way), steps + 1))
        walk[:, 0] = whole.open
        walk[:, 1:] = whole.open[:, None] + way + drift[:, None] * part
        walk[:, -1] = whole.close
        return np.clip(walk, whole.low[:, None], whole.high[:, None], out=walk)

    def _with_wicks(
        self, what: str, first: int, open: Floats, close: Floats, spread: Floats, lots: Floats
    ) -> Candles:
        """Candles with the high and the low that a Brownian path between two prices has (by its law)."""
        numbers = np.arange(first, first + len(open))
        middle, way = (open + close) / 2, close - open
        up, down = (
            np.sqrt(way**2 - 2 * spread**2 * np.log1p(-self._dice(f"{what} {side}", numbers))) / 2
            for side in ("up", "down")
        )
        high = np.maximum(middle + up, np.maximum(open, close))
        low = np.minimum(middle - down, np.minimum(open, close))
        return Candles(first, open, high, low, close, spread, lots)

    def _shares(self, what: str, whole: Candles, parts: int) -> Floats:
        """Share each candle's lots out; none is lost."""
        numbers = whole.first * parts + np.arange(len(whole.open) * parts).reshape(-1, parts)
        weights = np.cumsum(0.2 + self._dice(f"{what} volume", numbers), axis=1)
        until = np.rint(whole.lots[:, None] * (weights / weights[:, -1:]))
        return np.diff(until, axis=1, prepend=0.0).ravel()

    # What others see.

    def _usd(self, logarithms: Floats) -> Floats:
        return legal_prices(np.exp(logarithms) * self._usual, self.instrument.sz_decimals)

    def _rows(self, interval_ms: int, candles: Candles) -> Rows:
        parts = interval_ms // _unit_of(interval_ms)

        def grouped(column: Floats) -> Floats:
            return column.reshape(-1, parts)

        rows = np.empty(len(candles.open) // parts, BAR)
        rows["ts"] = (candles.first + parts * np.arange(len(rows))) * _unit_of(interval_ms)
        rows["available_at"] = rows["ts"] + interval_ms
        rows["open"] = self._usd(grouped(candles.open)[:, 0])
        rows["high"] = self._usd(grouped(candles.high).max(axis=1))
        rows["low"] = self._usd(grouped(candles.low).min(axis=1))
        rows["close"] = self._usd(grouped(candles.close)[:, -1])
        rows["volume"] = grouped(candles.lots).sum(axis=1) / 10.0**self.instrument.sz_decimals
        return rows

    # Chance.

    def _dice(self, what: str, numbers: Numbers) -> Floats:
        """Numbers in [0, 1), one for each thing that is numbered."""
        return np.asarray((self._hashes(what, numbers) >> np.uint64(11)) * 2.0**-53, np.float64)

    def _gauss(self, what: str, numbers: Numbers) -> Floats:
        """Numbers of mean 0 and deviation 1, nearly normal: the sum of four that are evenly spread."""
        hashes = self._hashes(what, numbers)
        quarters = sum((hashes >> np.uint64(16 * n)) & np.uint64(0xFFFF) for n in range(4))
        return np.asarray((quarters * 2.0**-16 - 2.0) * np.sqrt(3.0), np.float64)

    def _hashes(self, what: str, numbers: Numbers) -> Any:
        """64 random bits for each number: SplitMix64 of it (Steele, Lea, Flood 2014), begun at a place of our own."""
        mixed = (
            numbers.astype(np.uint64) + np.uint64(_place(self._seed, self.instrument.symbol, what))
        ) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@lru_cache(4_096)
def _place(seed: int, symbol: str, what: str) -> int:
    return int.from_bytes(blake2b(f"{seed}:{symbol}:{what}".encode(), digest_size=8).digest())


def _unit_of(interval_ms: int) -> int:
    """The candles that a bar is made of: days, hours or minutes."""
    return next(unit for unit in (DAY_MS, HOUR_MS, MINUTE_MS) if interval_ms % unit == 0)
