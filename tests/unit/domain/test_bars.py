"""Bars as columns of whole ticks, exact to the last digit of the floats they came from."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Bars, FundingRates, common_decimals, to_ticks
from domain.money import exact
from domain.time import HOUR_MS, parse_ts

START = parse_ts("2025-01-01")


def series(*columns: list[float], ts: list[int] | None = None) -> Bars:
    """Hourly bars of BTC from open, high, low, close; a volume of 1.5 each."""
    count = len(columns[0])
    hours = list(range(count)) if ts is None else ts
    times = np.array([START + hour * HOUR_MS for hour in hours], np.int64)
    o, h, lo, c = (np.array(column, np.float64) for column in columns)
    return Bars.from_floats("BTC", HOUR_MS, times, (o, h, lo, c), np.full(count, 1.5))


def same(values: list[float], hours: list[int] | None = None) -> Bars:
    """Bars whose four prices are one."""
    return series(values, values, values, values, ts=hours)


@given(st.integers(0, 9), st.lists(st.integers(1, 10**15 - 1), min_size=1, max_size=20))
def test_a_price_of_fifteen_digits_is_kept_to_the_last_one(decimals: int, ticks: list[int]) -> None:
    """The decimal that a bar gives is the one that the float was written as."""
    values = [float(Decimal(tick).scaleb(-decimals)) for tick in ticks]

    bars = same(values)

    for index, tick in enumerate(ticks):
        assert bars.bar(index).close == exact(values[index]) == Decimal(tick).scaleb(-decimals)
        assert int(bars.close[index]) * bars.tick == bars.bar(index).close


@given(st.integers(0, 9), st.lists(st.integers(1, 10**15 - 1), min_size=1, max_size=20))
def test_the_tick_is_the_coarsest_that_holds_all(decimals: int, ticks: list[int]) -> None:
    """A tenth of the precision would lose a digit somewhere."""
    written = [Decimal(tick).scaleb(-decimals) for tick in ticks]
    needed = max(max(0, -int(value.normalize().as_tuple().exponent)) for value in written)

    assert same([float(value) for value in written]).tick == Decimal(1).scaleb(-needed)


def test_all_four_prices_share_one_tick() -> None:
    """The most digits of any column decide."""
    bars = series([100.0], [100.25], [99.5], [100.125])

    assert bars.tick == Decimal("0.001")
    assert [int(c[0]) for c in (bars.open, bars.high, bars.low, bars.close)] == [
        100000,
        100250,
        99500,
        100125,
    ]
    assert bars.bar(0).volume == Decimal("1.5")


@pytest.mark.parametrize("value", [0.1 + 0.2, 1 / 3, 1e16 + 2, 0.1234567890123])
def test_a_price_that_no_tick_holds_is_refused(value: float) -> None:
    """More digits than fifteen, or more decimals than twelve: one line that names the symbol."""
    with pytest.raises(ValueError, match="BTC has prices with more than 12 decimals or 15 digits"):
        same([100.0, value])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True).map(sorted), st.data())
def test_between_gives_the_bars_that_open_within(hours: list[int], data: st.DataObject) -> None:
    """From inclusive, to exclusive, wherever both lie; the bars themselves are unchanged."""
    bars = same([100.0 + hour for hour in hours], hours)
    first, last = sorted(data.draw(st.lists(st.integers(-10, 400), min_size=2, max_size=2)))
    from_ts, to_ts = START + first * HOUR_MS // 10, START + last * HOUR_MS // 10

    inside = bars.between(from_ts, to_ts)

    assert list(inside.ts) == [ts for ts in bars.ts if from_ts <= ts < to_ts]
    assert [inside.bar(i).open for i in range(len(inside))] == [
        100 + (int(ts) - START) // HOUR_MS for ts in inside.ts
    ]
    assert inside.tick == bars.tick


def test_between_shares_memory() -> None:
    """A window is a view, not a copy."""
    bars = same([1.0, 2.0, 3.0])

    assert np.shares_memory(bars.between(START, START + 2 * HOUR_MS).close, bars.close)


def test_gaps_say_where_and_how_many() -> None:
    """The first missing open time and the count of each hole."""
    bars = same([1.0] * 4, [0, 1, 4, 6])

    assert bars.gaps() == [(START + 2 * HOUR_MS, 2), (START + 5 * HOUR_MS, 1)]
    assert same([1.0, 2.0]).gaps() == []


def test_a_series_describes_itself_for_messages() -> None:
    """Symbol, interval, count, first open and last close."""
    assert same([1.0, 2.0]).describe() == "BTC 1h, 2 bars, 2025-01-01T00:00:00Z to 2025-01-01T02:00:00Z"
    assert same([]).describe() == "BTC 1h, no bars"


def test_nothing_at_all_is_a_series_too() -> None:
    """No bars, no gaps, no window; no funding."""
    empty = Bars.empty("BTC", HOUR_MS)

    assert len(empty) == len(same([])) == 0
    assert empty.describe() == "BTC 1h, no bars"
    assert empty.gaps() == []
    assert len(empty.between(START, START + HOUR_MS)) == 0
    assert len(FundingRates.empty("BTC")) == 0


def test_ticks_are_whole_numbers_of_the_given_decimals() -> None:
    """And the decimals they need are found column by column."""
    values = np.array([0.1, 0.25, 3.0])

    assert common_decimals("BTC", (values,)) == 2
    assert list(to_ticks(values, 2)) == [10, 25, 300]
