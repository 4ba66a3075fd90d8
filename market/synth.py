"""Made-up market data: plausible, legal for its symbol, and the same for the same seed.

A random walk whose drift and volatility change with regimes of some days, volume that follows volatility, marks
that stay near the trades, funding that follows the drift, and headlines about the largest days. It looks like a
market and predicts nothing.
"""

from decimal import Decimal
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from db.made_up import SYNTHETIC
from domain.instruments import PRICE_DECIMALS, SIGNIFICANT_FIGURES, Instrument
from domain.time import DAY_MS, HOUR_MS, YEAR_MS, iso
from market.tidy.news import Stories, Story
from market.tidy.series import Rows

Floats = NDArray[np.float64]

_USUAL_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 150.0, "HYPE": 30.0, "XRP": 0.6, "DOGE": 0.12}
_REGIME_DAYS = 5.0
_YEARLY_VOLATILITY = 0.55
_YEARLY_DRIFT = 1.2  # one standard deviation of a regime's
_STEPS_IN_A_BAR = 8
_USD_A_DAY = 250e6
_BASIS = 1.5e-4
_USUAL_RATE = 1.25e-5  # hourly, as the venue's interest component
_LARGEST_RATE = 4e-4
_HEADLINES_A_DAY = 0.3
_MOST_HEADLINES = 500


class MadeUp(msgspec.Struct, frozen=True):
    """What was made up of one symbol: bars, marks (structured arrays by `ts`, UTC ms), hourly funding, news."""

    bars: Rows
    marks: Rows
    funding: Rows
    news: Stories


def make_up(instrument: Instrument, interval_ms: int, from_ts: int, to_ts: int, seed: int) -> MadeUp:
    """Make up the bars that open in [from, to) and what goes with them.

    The same arguments give the same data. `from_ts` and `to_ts` lie on the interval's grid, at least a bar
    apart.
    """
    dice = np.random.default_rng([seed, crc32(instrument.symbol.encode()), interval_ms, from_ts])
    ts = np.arange(from_ts, to_ts, interval_ms, dtype=np.int64)
    drift, volatility = _regimes(dice, ts, interval_ms)
    path = _walk(dice, drift, volatility)
    trades = path * usual_price(instrument)
    prices = _legal_candles(trades, instrument.sz_decimals)
    volume = _volume(dice, ts, interval_ms, volatility, prices[3], instrument.sz_decimals)
    basis = 1 + _BASIS * _smooth(dice.standard_normal(len(ts)), 12)
    marks = _legal_candles(trades * basis, instrument.sz_decimals)
    names = ("open", "high", "low", "close")
    return MadeUp(
        bars=_rows({"ts": ts, **dict(zip(names, prices, strict=True)), "volume": volume}),
        marks=_rows({"ts": ts, **dict(zip(names, marks, strict=True))}),
        funding=_funding(dice, ts, interval_ms, prices[3]),
        news=_news(dice, instrument.symbol, seed, ts, interval_ms, prices[3]),
    )


def _regimes(dice: np.random.Generator, ts: NDArray[np.int64], interval_ms: int) -> tuple[Floats, Floats]:
    """Each bar's expected log return and its standard deviation."""
    changes = dice.random(len(ts)) < interval_ms / (_REGIME_DAYS * DAY_MS)
    regime = np.cumsum(changes)
    count = int(regime[-1]) + 1
    drifts = dice.normal(0, _YEARLY_DRIFT, count)
    levels = np.exp(dice.normal(-0.1, 0.45, count))
    year = interval_ms / YEAR_MS
    restless = np.exp(0.35 * _smooth(dice.standard_normal(len(ts)), max(1, 6 * HOUR_MS // interval_ms)))
    volatility = _YEARLY_VOLATILITY * np.sqrt(year) * levels[regime] * restless * _time_of_day(ts)
    return drifts[regime] * year - volatility**2 / 2, volatility


def _walk(dice: np.random.Generator, drift: Floats, volatility: Floats) -> Floats:
    """A path around 1 as candles: rows open, high, low, close; each opens where the last one closed, or nearly."""
    position, high, low = (np.zeros(len(drift)) for _ in range(3))
    for _ in range(_STEPS_IN_A_BAR):
        noise = dice.standard_normal(len(drift)) * volatility / np.sqrt(_STEPS_IN_A_BAR)
        position = position + drift / _STEPS_IN_A_BAR + noise
        high, low = np.maximum(high, position), np.minimum(low, position)
    end = np.cumsum(position)
    start = end - position
    jump = np.where(dice.random(len(drift)) < 0.1, dice.normal(0, 0.02, len(drift)) * volatility, 0.0)
    candles: Floats = np.exp(np.stack([start + jump, start + high, start + low, end]))
    return candles


def legal_prices(prices: Floats, sz_decimals: int) -> Floats:
    """Round prices to the nearest that the venue allows. What is larger stays larger, or becomes equal."""
    smallest = 10.0 ** -(PRICE_DECIMALS - sz_decimals)
    places = SIGNIFICANT_FIGURES - 1 - np.floor(np.log10(np.maximum(prices, smallest)))
    scale = 10.0 ** np.clip(places, 0, PRICE_DECIMALS - sz_decimals)
    legal: Floats = np.maximum(np.rint(prices * scale), 1) / scale
    return legal


def _legal_candles(candles: Floats, sz_decimals: int) -> Floats:
    """Legal prices; high and low enclose what rounding made of open and close."""
    legal = legal_prices(candles, sz_decimals)
    legal[1], legal[2] = legal.max(axis=0), legal.min(axis=0)
    return legal


def _volume(
    dice: np.random.Generator,
    ts: NDArray[np.int64],
    interval_ms: int,
    volatility: Floats,
    close: Floats,
    sz_decimals: int,
) -> Floats:
    """Base units traded in each bar: more when prices move, never nothing."""
    liveliness = (volatility / volatility.mean()) ** 1.2 * np.exp(dice.normal(0, 0.35, len(ts)))
    usd = _USD_A_DAY * interval_ms / DAY_MS * liveliness * _time_of_day(ts)
    lots = np.maximum(np.rint(usd / close * 10.0**sz_decimals), 1)
    return np.asarray(lots / 10.0**sz_decimals, np.float64)


def _funding(dice: np.random.Generator, ts: NDArray[np.int64], interval_ms: int, close: Floats) -> Rows:
    """A rate an hour that leans the way the price went in the day before; what comes later plays no part."""
    hours = np.arange(-(-int(ts[0]) // HOUR_MS) * HOUR_MS, int(ts[-1]) + interval_ms, HOUR_MS, dtype=np.int64)
    closed = np.clip((hours - ts[0]) // interval_ms - 1, 0, None)
    day_before = np.clip(closed - DAY_MS // interval_ms, 0, None)
    move = np.log(close[closed] / close[day_before])
    rates = _USUAL_RATE + 4e-4 * move + dice.normal(0, 3e-6, len(hours))
    rates = np.rint(np.clip(rates, -_LARGEST_RATE, _LARGEST_RATE) * 1e8) / 1e8
    return _rows({"settled_at": hours, "ts": hours, "rate": rates})


def _news(
    dice: np.random.Generator,
    symbol: str,
    seed: int,
    ts: NDArray[np.int64],
    interval_ms: int,
    close: Floats,
) -> Stories:
    """Headlines about the days that moved most, each published after its day is over."""
    ends = ts + interval_ms
    lasts = np.flatnonzero(ends % DAY_MS == 0)
    moves = np.diff(np.log(close[lasts])) if len(lasts) > 1 else np.empty(0)
    wanted = min(_MOST_HEADLINES, round(len(moves) * _HEADLINES_A_DAY))
    days = np.sort(np.argsort(-np.abs(moves), kind="stable")[:wanted])
    minutes = dice.integers(1, 60, len(days))
    stories = [
        _story(symbol, seed, int(ends[lasts[day + 1]]), int(minute), float(np.expm1(moves[day])))
        for day, minute in zip(days, minutes, strict=True)
    ]
    return Stories(stories, [int(story.published_at) for story in stories], ())


def _story(symbol: str, seed: int, day_end: int, minute: int, move: float) -> Story:
    went = "gains" if move > 0 else "loses"
    day = iso(day_end - DAY_MS)[:10]
    return Story(
        id=f"{symbol}-{seed}-{day}",
        published_at=day_end + minute * 60_000,
        source=SYNTHETIC,
        title=f"[synthetic] {symbol} {went} {abs(move) * 100:.1f}% in a day",
        body=f"A made-up headline for made-up prices: on {day}, {symbol} {went} {abs(move) * 100:.1f}%.",
        symbols=[symbol],
        category="prices",
    )


def usual_price(instrument: Instrument) -> float:
    """Where the walk begins: near what people know, else by the size step, so that sizes stay sensible."""
    known = _USUAL_PRICES.get(instrument.symbol)
    return known or float(Decimal(20) * Decimal(10) ** (instrument.sz_decimals - 1))


def _time_of_day(ts: NDArray[np.int64]) -> Floats:
    """How lively the hour is, around 1, at its most in the afternoon (UTC)."""
    return 1 + 0.3 * np.cos((ts % DAY_MS / DAY_MS - 15 / 24) * 2 * np.pi)


def _smooth(noise: Floats, bars: int) -> Floats:
    """Noise that changes slowly: the mean of some bars of it, at its old standard deviation."""
    bars = min(bars, len(noise))
    sums = np.cumsum(np.concatenate([np.zeros(1), noise]))
    begins = np.maximum(np.arange(len(noise)) + 1 - bars, 0)
    ends = np.arange(len(noise)) + 1
    smoothed: Floats = (sums[ends] - sums[begins]) / np.sqrt(ends - begins)
    return smoothed


def _rows(columns: dict[str, NDArray[np.int64] | Floats]) -> Rows:
    rows = np.empty(len(columns["ts"]), [(name, values.dtype.str) for name, values in columns.items()])
    for name, values in columns.items():
        rows[name] = values
    return rows
