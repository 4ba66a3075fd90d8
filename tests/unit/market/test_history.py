"""`history.as_of(t)` is a filter of the rows by what was known at `t`, and nothing else, in any order of asking."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.market import BAR, FUNDING
from db.tape import Rows
from domain.bars import Bar
from domain.money import exact, plain
from domain.time import HOUR_MS, minute
from market.history import History, Series, first_rates
from tests.unit.brokers.samples import at_once

T0 = 1_735_689_600_000
Version = tuple[int, int, float]  # hour, milliseconds after its close (a bar) or its hour (a rate), value


def rows_of(versions: list[Version]) -> Rows:
    """Bars whose prices are all one value, with every version of each, in the order that the tables give them."""
    rows = [
        (T0 + hour * HOUR_MS, T0 + (hour + 1) * HOUR_MS + after, *[value] * 4, value / 2)
        for hour, after, value in sorted(versions)
    ]
    return np.array(rows, BAR)


def rates_of(versions: list[Version]) -> Rows:
    """Funding rates, with every version of each."""
    hours = [(T0 + hour * HOUR_MS, after, rate) for hour, after, rate in sorted(versions)]
    return np.array([(ts, ts, ts + after, rate) for ts, after, rate in hours], FUNDING)


def known(rows: Rows, ts: int, at: str = "ts") -> dict[int, Any]:
    """The naive way: of each instant, the last row that was there at `ts`."""
    found = {}
    for row in rows:
        if row["available_at"] <= ts and (at != "ts" or row["ts"] + HOUR_MS <= ts):
            found[int(row[at])] = row
    return found


def values(bars: list[Bar]) -> dict[int, Decimal]:
    return {bar.ts: bar.close for bar in bars}


PRICES = st.sampled_from([1.0, 2.5, 3.25, 60_000.1, 0.0001])
VERSION = st.tuples(
    st.integers(0, 12), st.sampled_from([0, 0, 0, 1, 5_000, HOUR_MS - 1, HOUR_MS, 3 * HOUR_MS]), PRICES
)
VERSIONS = st.lists(VERSION, max_size=30, unique_by=lambda version: version[:2])
INSTANTS = st.lists(st.integers(T0 - HOUR_MS, T0 + 20 * HOUR_MS), min_size=1, max_size=20)
ON_THE_HOUR = st.lists(st.integers(-1, 20).map(lambda hour: T0 + hour * HOUR_MS), min_size=1, max_size=20)


@given(VERSIONS, INSTANTS | ON_THE_HOUR)
def test_bars_are_those_known_at_the_instant(versions: list[Version], instants: list[int]) -> None:
    """Late bars, revisions and holes, asked for forwards, backwards and all over: always the naive filter."""
    rows = rows_of(versions)
    history = History({"BTC": Series("BTC", HOUR_MS, rows)}, {})
    for ts in instants:
        view, expected = history.as_of(ts).bars("BTC"), known(rows, ts)
        assert values(view.last(100)) == {at: exact(float(row["close"])) for at, row in expected.items()}
        assert len(view) == len(expected)


@given(VERSIONS, st.integers(T0, T0 + 20 * HOUR_MS), st.integers(1, 13), st.integers(0, 12))
def test_no_more_is_seen_than_is_shown(versions: list[Version], ts: int, most: int, begins: int) -> None:
    """The newest `most` bars, and rates of some hours: the same wherever the rows begin before them."""
    rows, rates = rows_of(versions), rates_of(versions)
    shown = History({"BTC": Series("BTC", HOUR_MS, rows, most)}, {"BTC": rates}, most * HOUR_MS).as_of(ts)
    whole = History({"BTC": Series("BTC", HOUR_MS, rows)}, {"BTC": rates}).as_of(ts)

    bars = shown.bars("BTC")
    assert bars.last(100) == whole.bars("BTC").last(most)
    assert len(bars) == len(bars.last(100)) <= most
    assert bars.last(begins) == (bars.last(100)[-begins:] if begins else [])
    assert shown.funding("BTC", 100) == [
        rate for rate in whole.funding("BTC", 100) if rate[0] > ts - most * HOUR_MS
    ]


@given(VERSIONS, st.integers(T0, T0 + 20 * HOUR_MS), st.integers(1, 13))
def test_sums_are_of_the_newest_closes(versions: list[Version], ts: int, length: int) -> None:
    """`close_sum` adds what `last` shows, and compares across lengths without rounding."""
    view = History({"BTC": Series("BTC", HOUR_MS, rows_of(versions))}, {}).as_of(ts).bars("BTC")
    if len(view) >= length:
        closes = [bar.close for bar in view.last(length)]
        whole = view.last(len(view))
        assert view.close_sum(length) * sum(bar.close for bar in whole) == view.close_sum(len(view)) * sum(
            closes
        )


@given(VERSIONS, INSTANTS | ON_THE_HOUR, st.integers(1, 13))
def test_rates_are_those_known_at_the_instant(
    versions: list[Version], instants: list[int], count: int
) -> None:
    """Also those that were corrected afterwards: the newest `count` of them, oldest first."""
    rows = rates_of(versions)
    history = History({}, {"BTC": rows})
    for ts in instants:
        expected = [(at, float(row["rate"])) for at, row in known(rows, ts, "settled_at").items()]
        assert history.as_of(ts).funding("BTC", count) == expected[-count:]


@given(VERSIONS, st.integers(0, 40))
def test_what_comes_later_changes_nothing(versions: list[Version], half_hours: int) -> None:
    """Without the rows that were known only afterwards, everything that can be asked is the same to the byte."""
    ts = T0 + half_hours * HOUR_MS // 2
    rows = rows_of(versions)
    whole, cut = (
        History({"BTC": Series("BTC", HOUR_MS, some)}, {}).as_of(ts).bars("BTC")
        for some in (rows, rows[rows["available_at"] <= ts])
    )
    assert repr(whole.last(100)) == repr(cut.last(100))


def test_a_bar_is_known_at_its_close_and_not_before() -> None:
    """One millisecond makes the difference."""
    series = Series("BTC", HOUR_MS, rows_of([(0, 0, 1.0)]))
    assert len(series.as_of(T0 + HOUR_MS - 1)) == 0
    assert len(series.as_of(T0 + HOUR_MS)) == 1


def test_late_bars_and_revisions_are_counted() -> None:
    """A bar that came late is late once; each version after the first is a revision."""
    series = Series(
        "BTC", HOUR_MS, rows_of([(0, 0, 1.0), (1, 5, 1.0), (2, 0, 1.0), (2, 9, 2.0), (2, 10, 3.0)])
    )
    assert (series.late, series.revisions) == (1, 2)


def test_trades_are_made_on_what_was_seen_first() -> None:
    """A correction that came afterwards could not have been traded on, of bars and of rates."""
    bars = Series("BTC", HOUR_MS, rows_of([(0, 0, 1.0), (0, 9, 2.0), (1, 0, 1.5)])).first()
    rates = first_rates("BTC", rates_of([(0, 0, 0.1), (0, 9, 0.2)]))

    assert [bar.close for bar in map(bars.bar, range(len(bars)))] == [Decimal(1), Decimal("1.5")]
    assert rates.rate.tolist() == [0.1]


def test_a_price_that_cannot_be_kept_is_told_at_once() -> None:
    """Not in the middle of a run, when the revision that has it is seen."""
    with pytest.raises(ValueError, match="BTC has prices with more than 12 decimals or 15 digits"):
        Series("BTC", HOUR_MS, rows_of([(0, 0, 1e14), (0, 9, 1e-12)]))


def test_a_symbol_without_rows_has_no_past() -> None:
    """No bars, and no funding; a symbol that the history was not made with is a mistake."""
    history = History({"BTC": Series("BTC", HOUR_MS, rows_of([]))}, {})
    assert history.as_of(T0).bars("BTC").last(5) == []
    assert history.as_of(T0).funding("BTC", 5) == []
    with pytest.raises(KeyError):
        history.as_of(T0).bars("ETH")


@given(VERSIONS, INSTANTS, st.integers(0, 15))
def test_lines_are_the_bars_written_down(versions: list[Version], instants: list[int], count: int) -> None:
    """The same bars as `last` gives, in plain decimals, however often and in whatever order they are asked for."""
    history = History({"BTC": Series("BTC", HOUR_MS, rows_of(versions))}, {})
    for ts in instants:
        view = history.as_of(ts).bars("BTC")
        written = [
            ",".join([minute(bar.ts), *map(plain, (bar.open, bar.high, bar.low, bar.close, bar.volume))])
            for bar in view.last(count)
        ]
        assert view.lines(count) == written


def test_a_history_without_news_has_none() -> None:
    """Neither the newest nor any that fits."""
    past = History({}, {}).as_of(T0)
    assert at_once(past.latest_news(["BTC"], 5)) == []
    assert at_once(past.search_news("BTC", ["BTC"], 5)) == []
