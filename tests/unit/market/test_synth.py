"""Made-up data: a market that can have been, and the same for the same seed."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.instruments import find
from domain.bars import common_decimals
from domain.instruments import Instrument, Toward
from domain.time import DAY_MS, HOUR_MS, INTERVALS_MS, MINUTE_MS, parse_ts
from market.synth import MadeUp, _funding, make_up
from market.tidy import checks
from market.tidy.problems import Problems

FROM = parse_ts("2024-01-01")
YEAR = parse_ts("2025-01-01")
PRICES = ("open", "high", "low", "close")

instruments = st.one_of(
    st.sampled_from(["BTC", "ETH", "DOGE", "kPEPE", "XRP"]).map(find),
    st.integers(0, 6).map(lambda decimals: find("ZZTEST", sz_decimals=decimals, max_leverage=3)),
)


def year_of(symbol: str, seed: int = 1) -> MadeUp:
    """A year of hours."""
    return make_up(find(symbol), HOUR_MS, FROM, YEAR, seed)


def as_bytes(made: MadeUp) -> tuple[object, ...]:
    """All that was made up, to be compared."""
    return made.bars.tobytes(), made.marks.tobytes(), made.funding.tobytes(), made.news.stories


def test_the_same_seed_makes_the_same_data() -> None:
    """To the byte, news included; another seed or another symbol makes another market."""
    first = as_bytes(year_of("BTC"))

    assert as_bytes(year_of("BTC")) == first
    for other in (year_of("BTC", seed=2), year_of("ETH")):
        assert all(ours != theirs for ours, theirs in zip(as_bytes(other), first, strict=True))


@settings(max_examples=40, deadline=None)
@given(
    instrument=instruments,
    interval_ms=st.sampled_from(sorted(INTERVALS_MS.values())),
    count=st.integers(1, 400),
    seed=st.integers(0, 2**63),
)
def test_what_is_made_up_would_pass_every_check_of_an_import(
    instrument: Instrument, interval_ms: int, count: int, seed: int
) -> None:
    """In order, on the grid, high and low enclosing, exact in ticks; and every price legal at the venue."""
    made = make_up(instrument, interval_ms, FROM, FROM + count * interval_ms, seed)

    problems = Problems()
    for rows in (made.bars, made.marks):
        columns = {name: rows[name] for name in rows.dtype.names or ()}
        assert rows["ts"].tolist() == [FROM + n * interval_ms for n in range(count)]
        checks.check_prices(columns, problems)
        common_decimals(instrument.symbol, tuple(columns[name] for name in PRICES))
        for price in {Decimal(repr(value)) for name in PRICES for value in columns[name].tolist()}:
            assert instrument.legal_price(price, Toward.UP) == price
    assert (made.bars["volume"] > 0).all()
    for volume in made.bars["volume"].tolist():
        assert instrument.legal_size(Decimal(repr(volume))) == Decimal(repr(volume))
    checks.check_rates(made.funding["rate"], problems)
    checks.check_settlements(made.funding["ts"], made.funding["rate"], problems)
    problems.raise_if_any(str)


def test_a_bar_opens_where_the_last_one_closed_or_nearly() -> None:
    """Within half a percent, and mostly at the very price."""
    bars = year_of("BTC").bars

    jump = np.abs(bars["open"][1:] / bars["close"][:-1] - 1)
    assert jump.max() < 0.005
    assert (jump == 0).mean() > 0.8


def test_marks_stay_near_the_trades() -> None:
    """Within half a percent at every close, and not the same."""
    made = year_of("ETH")

    apart = np.abs(made.marks["close"] / made.bars["close"] - 1)
    assert apart.mean() > 0
    assert apart.max() < 0.005


def test_volume_follows_volatility_and_funding_follows_the_drift() -> None:
    """As people know it from a market: lively hours trade more, and longs pay after a rise."""
    made = year_of("SOL", seed=3)
    moves = np.diff(np.log(made.bars["close"]))

    assert np.corrcoef(np.abs(moves), made.bars["volume"][1:])[0, 1] > 0.2
    days = np.log(made.bars["close"][24:-1] / made.bars["close"][:-25])
    assert np.corrcoef(days, made.funding["rate"][25:])[0, 1] > 0.5


@pytest.mark.parametrize("symbol", ["BTC", "ETH", "SOL", "DOGE"])
def test_prices_move_as_much_as_a_coins_do(symbol: str) -> None:
    """Between a quarter and one and a half of their own level in a year's standard deviation, with fat tails."""
    moves = np.diff(np.log(year_of(symbol).bars["close"]))

    assert 0.25 < moves.std() * np.sqrt(365 * 24) < 1.5
    assert ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2 > 4


@pytest.mark.parametrize("interval_ms", [15 * MINUTE_MS, HOUR_MS, DAY_MS])
def test_funding_knows_nothing_of_what_comes_after(interval_ms: int) -> None:
    """Absurd prices of all bars that were not closed at an instant leave every rate up to it as it was."""
    ts = np.arange(FROM, FROM + 12 * DAY_MS, interval_ms)
    close = np.linspace(100, 120, len(ts))
    seen = FROM + 6 * DAY_MS
    poisoned = np.where(ts + interval_ms > seen, 1e9, close)

    rates, others = (
        _funding(np.random.default_rng(1), ts, interval_ms, prices) for prices in (close, poisoned)
    )

    known = rates["settled_at"] <= seen
    assert rates["settled_at"].tolist() == [FROM + n * HOUR_MS for n in range(12 * 24)]
    assert (rates["rate"][known] == others["rate"][known]).all()
    assert (rates["rate"][~known] != others["rate"][~known]).any()


def test_headlines_say_that_they_are_made_up_and_come_after_the_fact() -> None:
    """Each names its day, is published after that day is over, and is labelled."""
    news = year_of("BTC").news

    assert 50 < len(news.stories) < 200
    assert len({story.id for story in news.stories}) == len(news.stories)
    for story, published in zip(news.stories, news.published, strict=True):
        assert (story.source, story.symbols) == ("synthetic", ["BTC"])
        assert story.title.startswith("[synthetic] BTC ")
        assert published >= parse_ts(story.id[-10:]) + DAY_MS
    assert news.published == sorted(news.published)


def test_a_single_bar_can_be_made_up() -> None:
    """The shortest range there is: one bar, no news, and funding if an hour begins in it."""
    made = make_up(find("BTC"), MINUTE_MS, FROM + MINUTE_MS, FROM + 2 * MINUTE_MS, 1)

    assert (len(made.bars), len(made.marks), len(made.funding), len(made.news.stories)) == (1, 1, 0, 0)
