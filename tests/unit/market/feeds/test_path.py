"""A made-up path is one market, however it is looked at: from any place, in any bar, by any process."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.instruments import find
from domain.bars import common_decimals
from domain.instruments import Instrument, Toward
from domain.time import DAY_MS, HOUR_MS, INTERVALS_MS, MINUTE_MS, SECOND_MS, YEAR_MS, ceil_to, parse_ts
from market.feeds.path import Path
from market.tidy import checks
from market.tidy.problems import Problems

NOW = parse_ts("2026-07-01")
PRICES = ("open", "high", "low", "close")

instruments = st.one_of(
    st.sampled_from(["BTC", "ETH", "DOGE", "kPEPE", "XRP"]).map(find),
    st.integers(0, 6).map(lambda decimals: find("ZZTEST", sz_decimals=decimals, max_leverage=3)),
)
instants = st.integers(parse_ts("2015-01-01") // MINUTE_MS, parse_ts("2035-01-01") // MINUTE_MS).map(
    lambda minute: minute * MINUTE_MS
)
seeds = st.integers(0, 999_999_999)


@settings(max_examples=40)
@given(instruments, seeds, instants)
def test_a_minute_says_what_its_seconds_said(instrument: Instrument, seed: int, ts: int) -> None:
    """Its open, high, low and close are the first, highest, lowest and last of sixty prices, to the last digit."""
    path = Path(instrument, seed)
    seconds = [path.price(ts + second * SECOND_MS) for second in range(60)]

    assert path.bar(MINUTE_MS, ts)[:4] == (seconds[0], max(seconds), min(seconds), seconds[-1])


@settings(max_examples=40)
@given(
    instruments,
    seeds,
    instants,
    st.sampled_from(
        [(f, c) for f in INTERVALS_MS.values() for c in INTERVALS_MS.values() if c > f and c % f == 0]
    ),
)
def test_a_bar_says_what_finer_bars_said(
    instrument: Instrument, seed: int, ts: int, intervals: tuple[int, int]
) -> None:
    """Whatever the two intervals: prices to the last digit, and no volume is lost."""
    fine_ms, coarse_ms = intervals
    path, opens = Path(instrument, seed), ceil_to(ts, coarse_ms)
    fine = path.bars(fine_ms, opens, opens + coarse_ms)
    o, h, lo, c, volume = path.bar(coarse_ms, opens)

    assert (fine["open"][0], fine["high"].max(), fine["low"].min(), fine["close"][-1]) == (o, h, lo, c)
    lots = 10.0**instrument.sz_decimals
    assert round(sum(fine["volume"] * lots)) == round(volume * lots)


@settings(max_examples=40)
@given(instruments, seeds, instants, st.sampled_from(list(INTERVALS_MS.values())), st.integers(2, 50))
def test_a_bar_is_the_same_wherever_one_begins_to_look(
    instrument: Instrument, seed: int, ts: int, interval_ms: int, count: int
) -> None:
    """Many at once or each by itself, on a path that was used before or on a new one."""
    path, opens = Path(instrument, seed), ceil_to(ts, interval_ms)
    many = path.bars(interval_ms, opens, opens + count * interval_ms)

    for row in many:
        values = tuple(float(row[name]) for name in (*PRICES, "volume"))
        assert path.bar(interval_ms, int(row["ts"])) == values
    assert Path(instrument, seed).bar(interval_ms, int(many["ts"][-1])) == values
    assert many["ts"].tolist() == [opens + n * interval_ms for n in range(count)]
    assert (many["available_at"] == many["ts"] + interval_ms).all()


def test_another_process_makes_the_same() -> None:
    """Not by luck: its hashes of strings are seeded anew."""
    code = (
        "from config.instruments import find; from market.feeds.path import Path;"
        f"path = Path(find('BTC'), 7); print(path.price({NOW + 5 * SECOND_MS}), path.bar({HOUR_MS}, {NOW}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = Path(find("BTC"), 7)
    assert done.stdout.split(" ", 1) == [
        str(path.price(NOW + 5 * SECOND_MS)),
        f"{path.bar(HOUR_MS, NOW)}\n",
    ]


@settings(max_examples=40)
@given(instruments, seeds, instants, st.sampled_from(list(INTERVALS_MS.values())))
def test_what_is_made_up_would_pass_every_check_of_an_import(
    instrument: Instrument, seed: int, ts: int, interval_ms: int
) -> None:
    """On the grid, high and low enclosing, exact in ticks, every price legal at the venue, rates that can be."""
    path, opens = Path(instrument, seed), ceil_to(ts, interval_ms)
    rows, rates = path.bars(interval_ms, opens, opens + 200 * interval_ms), path.rates(ts, ts + DAY_MS)

    problems = Problems()
    checks.check_grid(rows["ts"], interval_ms, problems)
    checks.check_prices({name: rows[name] for name in PRICES}, problems)
    checks.check_volume(rows["volume"], problems)
    checks.check_rates(rates["rate"], problems)
    checks.check_settlements(rates["ts"], rates["rate"], problems)
    problems.raise_if_any(str)
    common_decimals(instrument.symbol, tuple(np.ascontiguousarray(rows[name]) for name in PRICES))
    for price in {Decimal(repr(value)) for name in PRICES for value in rows[name].tolist()}:
        assert instrument.legal_price(price, Toward.UP) == price
    for volume in rows["volume"].tolist():
        assert instrument.legal_size(Decimal(repr(volume))) == Decimal(repr(volume))


def test_seeds_and_symbols_are_markets_of_their_own() -> None:
    """Nothing but chance makes two of them go the same way."""
    moves = [
        np.diff(np.log(Path(find(symbol), seed).bars(HOUR_MS, NOW - 200 * DAY_MS, NOW)["close"]))
        for symbol, seed in (("BTC", 1), ("BTC", 2), ("ETH", 1))
    ]
    correlations = np.corrcoef(moves)[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 0.06


@pytest.mark.parametrize("interval", ["1m", "15m", "1h", "4h", "1d"])
def test_prices_move_as_much_as_a_coins_do_and_can_not_be_foretold(interval: str) -> None:
    """Some 55 % a year at every scale; what came before says nothing of what comes."""
    interval_ms = INTERVALS_MS[interval]
    from_ts = NOW - 5_000 * interval_ms
    moves = np.concatenate(
        [
            np.diff(np.log(Path(find("ETH"), seed).bars(interval_ms, from_ts, NOW)["close"]))
            for seed in range(8)
        ]
    )
    assert 0.4 < moves.std() * np.sqrt(YEAR_MS / interval_ms) < 0.75
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < 0.04


def test_funding_leans_the_way_the_price_went() -> None:
    """In the day before; the rate of an hour is the same, whichever hours it is made with."""
    path = Path(find("SOL"), 3)
    from_ts = NOW - 300 * DAY_MS
    rates = path.rates(from_ts, NOW)
    opens = np.log(path.bars(HOUR_MS, from_ts - DAY_MS, NOW)["open"])
    went = opens[24:] - opens[:-24]

    assert np.corrcoef(went, rates["rate"])[0, 1] > 0.8
    assert rates["settled_at"].tolist() == list(range(from_ts, NOW, HOUR_MS))
    assert path.rates(NOW - HOUR_MS, NOW).tolist() == rates[-1:].tolist()
    assert [path.rate(ts) for ts in rates["settled_at"].tolist()] == rates["rate"].tolist()


def test_nothing_that_comes_later_plays_a_part_in_funding() -> None:
    """The rate of an hour is read off prices up to it: those of its day and the day before."""
    path = Path(find("BTC"), 1)
    hour = NOW + 7 * HOUR_MS
    went = np.log(path.price(hour) / path.price(hour - DAY_MS))
    noise = 1e-5
    assert abs(path.rates(hour, hour + 1)["rate"][0] - 1.25e-5 - 4e-4 * went) < noise
