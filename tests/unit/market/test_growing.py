"""A history that grew shows what one shows that was made of the same rows: in any order of coming, at any instant."""

import asyncio
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import market.growing_series
from actors.kernel import settle
from db.market import BAR, FUNDING
from db.tape import Rows
from domain.bars import Bar
from domain.feeds import BarClosed, FundingSettled
from domain.money import exact
from domain.time import HOUR_MS, MINUTE_MS
from market.growing import MOST_RATES, ON_TIME_MS, GrowingHistory, known_at
from market.growing_series import Forgotten, GrowingSeries
from market.history import ALL, BarsView, History, Past, Series
from tests.unit.market.test_history import VERSION, Version, rates_of, rows_of

T0 = 1_735_689_600_000
NO_BARS, NO_RATES = np.empty(0, BAR), np.empty(0, FUNDING)
INSTANTS = st.lists(
    st.integers(-2, 40).map(lambda halves: T0 + halves * HOUR_MS // 2 + halves % 3), min_size=3, max_size=9
)
ROWS = st.lists(VERSION, min_size=5, max_size=40, unique_by=lambda version: version[:2])


@pytest.fixture(autouse=True, scope="module")
def few_spare_bars() -> Any:
    """Forgetting begins early, so that short series show it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(market.growing_series, "SPARE_BARS", 2)
        yield


def bar_of(row: Any) -> Bar:
    """A row as a feed tells it."""
    prices = (exact(float(row[name])) for name in ("open", "high", "low", "close", "volume"))
    return Bar(int(row["ts"]), *prices)


def closed(row: Any) -> BarClosed:
    """A row as a feed tells it."""
    return BarClosed(int(row["available_at"]), "BTC", HOUR_MS, bar_of(row))


def settled(row: Any) -> FundingSettled:
    """A rate as a feed tells it."""
    return FundingSettled(int(row["settled_at"]), "BTC", exact(float(row["rate"])), Decimal(1))


def as_they_came(rows: Rows) -> list[Any]:
    """The rows in the order in which they became known, without those that say nothing new."""
    kept: list[Any] = []
    newest: dict[int, Any] = {}
    for row in rows[np.argsort(rows["available_at"], kind="stable")]:
        before = newest.get(int(row["ts"]))
        if before is None or list(before)[2:] != list(row)[2:]:
            newest[int(row["ts"])] = row
            kept.append(row)
    return kept


def sorted_rows(rows: list[Any]) -> Rows:
    return np.sort(np.array(rows, BAR), order=("ts", "available_at"))


def shown(view: BarsView) -> tuple[object, ...]:
    """All that can be seen, to be compared to the byte; sums as shares, since ticks may be of another size."""
    count = len(view)
    sums = [view.close_sum(length) for length in range(1, count + 1)]
    shares = [Decimal(one) / sums[0] for one in sums]
    return count, repr(view.last(count)), view.lines(count), shares


@given(ROWS, st.integers(1, 14), INSTANTS, st.integers(0, 30))
def test_what_grew_is_what_was_there(
    versions: list[Version], most: int, instants: list[int], begins: int
) -> None:
    """Late bars, revisions, holes: after each row, every view is that of a series of the rows so far."""
    came = as_they_came(rows_of(versions))
    first, later = came[:begins], came[begins:]
    grown = GrowingSeries("BTC", HOUR_MS, sorted_rows(first), most)
    for count in range(len(later) + 1):
        if count:
            row = later[count - 1]
            assert grown.add(bar_of(row), int(row["available_at"]))
            assert grown.has(int(row["ts"])) or int(row["ts"]) < grown.reaches_back_to
        whole = Series("BTC", HOUR_MS, sorted_rows(first + later[:count]), most)
        for ts in instants:
            if ts >= grown.reaches_back_to:
                assert shown(grown.as_of(ts)) == shown(whole.as_of(ts))
        assert (grown.late, grown.revisions) == (whole.late, whole.revisions)


@given(ROWS, INSTANTS, st.integers(0, 40))
def test_what_comes_later_changes_nothing(
    versions: list[Version], instants: list[int], half_hours: int
) -> None:
    """Absurd values in all that became known after an instant: all that can be asked of it is the same to the byte."""
    ts = T0 + half_hours * HOUR_MS // 2
    rows, rates = rows_of(versions), rates_of([v for v in versions if not 0 < v[1] <= ON_TIME_MS])
    poisoned, bad_rates = rows.copy(), rates.copy()
    for name in ("open", "high", "low", "close", "volume"):
        poisoned[name][rows["available_at"] > ts] = 123_456_789.125
    bad_rates["rate"][rates["available_at"] > ts] = 1e9

    def seen(some: Rows, some_rates: Rows) -> tuple[object, ...]:
        history = GrowingHistory(HOUR_MS, {"BTC": NO_BARS}, {"BTC": NO_RATES})
        for row in as_they_came(some):
            history.add(closed(row))
        for row in some_rates[np.argsort(some_rates["available_at"], kind="stable")]:
            history.add(settled(row), int(row["available_at"]))
        before = [one for one in instants if one <= ts]
        return tuple(
            (shown(past.bars("BTC")), past.funding("BTC", 99)) for past in map(history.as_of, [*before, ts])
        )

    assert seen(rows, rates) == seen(poisoned, bad_rates)


@given(ROWS, INSTANTS, st.integers(1, 13), st.integers(1, 13))
def test_a_skill_sees_as_far_back_as_it_may(
    versions: list[Version], instants: list[int], most: int, bars: int
) -> None:
    """Through `seen_by` the history is that of a simulation of the Skill, bars and funding alike."""
    rows, rates = sorted_rows(as_they_came(rows_of(versions))), rates_of([v for v in versions if v[1] == 0])
    skill = min(most, bars)
    whole = GrowingHistory(HOUR_MS, {"BTC": rows}, {"BTC": rates}, most)
    simulated = History({"BTC": Series("BTC", HOUR_MS, rows, skill)}, {"BTC": rates}, skill * HOUR_MS)
    for ts in instants:
        if ts >= whole.series["BTC"].reaches_back_to:
            seen, expected = whole.seen_by(skill).as_of(ts), simulated.as_of(ts)
            assert shown(seen.bars("BTC")) == shown(expected.bars("BTC"))
            assert seen.funding("BTC", 99) == expected.funding("BTC", 99)


def test_a_view_stays_what_it_was() -> None:
    """Whatever is added, revised or forgotten afterwards; a decision may take its time."""
    series = GrowingSeries("BTC", HOUR_MS, NO_BARS, most=3)
    views = []
    for hour in range(40):
        row = rows_of([(hour, 0, 100.0 + hour + (hour == 20) / 8)])[0]
        series.add(bar_of(row), 0)
        view = series.as_of(T0 + (hour + 1) * HOUR_MS)
        views.append((view, shown(view)))
        series.add(bar_of(rows_of([(hour, 0, 99.5)])[0]), T0 + (hour + 1) * HOUR_MS + 7)

    assert all(shown(view) == before for view, before in views)


def test_what_lies_far_back_is_forgotten_and_asking_for_it_is_an_error() -> None:
    """However long it goes on, a series keeps little more than may be looked at."""
    series = GrowingSeries("BTC", HOUR_MS, NO_BARS, most=3)
    for hour in range(200):
        series.add(bar_of(rows_of([(hour, 0, 1.0 + hour)])[0]), 0)
        assert len(series._rows) <= 3 + 2 * 2
        assert series.as_of(T0 + (hour + 1) * HOUR_MS - 1).last(1) == (
            [] if not hour else [bar_of(rows_of([(hour - 1, 0, float(hour))])[0])]
        )

    with pytest.raises(
        Forgotten, match="what was known of BTC at 2025-01-01T00:00:00Z is forgotten; its bars can"
    ):
        series.as_of(T0)
    assert series.add(bar_of(rows_of([(1, 0, 7.0)])[0]), T0 + 201 * HOUR_MS)
    assert (series.late, len(series.as_of(T0 + 202 * HOUR_MS))) == (1, 3)


def test_the_same_again_is_nothing_new() -> None:
    """As after a reconnection, when a feed tells again what it told."""
    series = GrowingSeries("BTC", HOUR_MS, rows_of([(0, 0, 1.5)]))

    assert not series.add(bar_of(rows_of([(0, 0, 1.5)])[0]), T0 + 9 * HOUR_MS)
    assert (series.late, series.revisions, len(series.as_of(T0 + HOUR_MS))) == (0, 0, 1)


def test_two_versions_are_never_known_from_the_same_instant() -> None:
    """The second is known a millisecond later, as where it is stored."""
    series = GrowingSeries("BTC", HOUR_MS, NO_BARS)
    for price in (1.5, 2.5):
        series.add(bar_of(rows_of([(0, 0, price)])[0]), T0 + HOUR_MS)

    closes = [series.as_of(T0 + HOUR_MS + after).last(1)[0].close for after in (0, 1)]
    assert closes == [Decimal("1.5"), Decimal("2.5")]


@pytest.mark.parametrize(
    ("opens", "price", "problem"),
    [
        (HOUR_MS, "1e-12", "prices with more than 12 decimals or 15 digits"),
        (HOUR_MS, "NaN", "is no bar of BTC: it must open on the grid of 1h, and its values be numbers"),
        (HOUR_MS, "Infinity", "is no bar of BTC"),
        (MINUTE_MS, "1", "is no bar of BTC"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(opens: int, price: str, problem: str) -> None:
    """A bar off the grid, what is no number, and prices that are not exact beside the others."""
    series = GrowingSeries("BTC", HOUR_MS, rows_of([(0, 0, 1e14)]))
    before = shown(series.as_of(T0 + 9 * HOUR_MS))

    with pytest.raises(ValueError, match=problem):
        series.add(Bar(T0 + opens, *[Decimal(price)] * 5), 0)
    assert shown(series.as_of(T0 + 9 * HOUR_MS)) == before
    assert series.add(bar_of(rows_of([(1, 0, 2e13)])[0]), 0)


def test_a_history_takes_only_its_own() -> None:
    """Bars of its interval, and funding of full hours."""
    history = GrowingHistory(HOUR_MS, {"BTC": NO_BARS}, {"BTC": NO_RATES})

    with pytest.raises(ValueError, match="a bar of 1m is none of this history's, whose bars are of 1h"):
        history.add(BarClosed(T0, "BTC", MINUTE_MS, bar_of(rows_of([(0, 0, 1.0)])[0])))
    with pytest.raises(ValueError, match="was settled at 2025-01-01T00:01:00Z, which is no full hour"):
        history.add(FundingSettled(T0 + MINUTE_MS, "BTC", Decimal(0), Decimal(1)))


def test_funding_grows_with_its_versions_and_is_bounded() -> None:
    """A rate that came late is known from then on, the same again is nothing new, and no more than enough are kept."""
    history = GrowingHistory(HOUR_MS, {"BTC": NO_BARS}, {"BTC": NO_RATES})
    for hour in range(MOST_RATES + 10):
        assert history.add(settled(rates_of([(hour, 0, 0.5)])[0]))
    last = T0 + (MOST_RATES + 9) * HOUR_MS
    assert not history.add(FundingSettled(last, "BTC", Decimal("0.5"), Decimal(1)))
    assert history.add(FundingSettled(last, "BTC", Decimal("0.25"), Decimal(1)), last + 60_000)

    def newest(past: Past) -> list[tuple[int, float]]:
        return past.funding("BTC", 1)

    assert [newest(history.as_of(last + after)) for after in (0, 59_999, 60_000)] == [
        [(last, 0.5)],
        [(last, 0.5)],
        [(last, 0.25)],
    ]
    assert len(history.rates["BTC"]) == MOST_RATES
    assert history.has_rate("BTC", last)
    assert not history.has_rate("BTC", last + HOUR_MS)


def test_what_is_told_within_five_seconds_was_on_time() -> None:
    """What is told later was known when it was told."""
    assert [known_at(T0, T0 + after) for after in (0, 5_000, 5_001)] == [T0, T0, T0 + 5_001]


async def test_whoever_waits_for_growth_is_woken_by_what_is_new() -> None:
    """And not by what says nothing new."""
    history = GrowingHistory(HOUR_MS, {"BTC": rows_of([(0, 0, 1.5)])}, {})
    waiting = asyncio.ensure_future(history.grown())
    await settle()
    history.add(closed(rows_of([(0, 0, 1.5)])[0]))
    await settle()
    assert not waiting.done()

    history.add(closed(rows_of([(1, 0, 1.5)])[0]))
    await waiting


def test_nothing_is_forgotten_before_it_must_be() -> None:
    """A series that is short reaches back to its beginning."""
    assert (
        GrowingSeries("BTC", HOUR_MS, rows_of([(hour, 0, 1.0) for hour in range(5)]), 3).reaches_back_to
        == -ALL
    )
