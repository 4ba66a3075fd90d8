"""Bars laid on one grid, with their holes, their marks and their funding (§2.3, §2.9)."""

from decimal import Decimal

import pytest

from brokers.paper.tape import build_tape
from domain.time import HOUR_MS, MINUTE_MS
from tests.unit.brokers.samples import START, bars, flat, funding, tape_of


def test_a_missing_bar_is_flat_at_the_last_close_and_marked_missing() -> None:
    """Every symbol can be read at every index; what is made up is known to be."""
    (track,) = tape_of({"BTC": [(100, 110, 90, 105, 7), None, None, (106, 106, 106, 106, 8)]}).tracks

    for column in (track.trades.open, track.trades.high, track.trades.low, track.trades.close):
        assert list(column)[1:3] == [105, 105]
    assert list(track.present) == [1, 0, 0, 1]
    assert list(track.volume) == [7, 0, 0, 8]


def test_symbols_share_the_grid_in_order_of_name() -> None:
    """One length for all; a shorter series ends in a hole."""
    tape = tape_of({"ETH": [flat(10)], "BTC": [flat(100)] * 3})

    assert [track.symbol for track in tape.tracks] == ["BTC", "ETH"]
    assert list(tape.tracks[1].present) == [1, 0, 0]
    assert tape.end_ts == START + 3 * HOUR_MS


def test_the_range_is_cut_out_of_longer_series() -> None:
    """Bars that open in [from, to), and nothing of what comes before or after."""
    series = bars("BTC", [flat(px) for px in (1, 2, 3, 4, 5)])

    tape = build_tape({"BTC": series}, {}, {}, START + HOUR_MS, START + 3 * HOUR_MS)

    assert list(tape.tracks[0].trades.open) == [2, 3]
    assert (tape.start_ts, tape.length) == (START + HOUR_MS, 2)


def test_without_a_mark_series_trades_are_the_marks() -> None:
    """The same columns, not a copy."""
    (track,) = tape_of({"BTC": [flat(100)]}).tracks

    assert track.marks is track.trades
    assert list(track.fresh) == [1]


def test_finer_marks_are_gathered_into_execution_bars() -> None:
    """First open, highest high, lowest low, last close of the quarters that there are."""
    quarters = [(10, 12, 9, 11, 0), (11, 15, 11, 14, 0), None, (14, 14, 7, 8, 0), *[flat(20, 0)] * 4]
    tape = build_tape(
        {"BTC": bars("BTC", [flat(10), flat(20)])},
        {"BTC": bars("BTC", quarters, 15 * MINUTE_MS)},
        {},
        START,
        START + 2 * HOUR_MS,
    )
    marks = tape.tracks[0].marks

    assert [c[0] for c in (marks.open, marks.high, marks.low, marks.close)] == [10, 15, 7, 8]
    assert [c[1] for c in (marks.open, marks.high, marks.low, marks.close)] == [20, 20, 20, 20]


def test_marks_keep_a_tick_of_their_own() -> None:
    """A mark may have more digits than a trade."""
    (track,) = tape_of({"BTC": [flat(100)]}, marks={"BTC": [flat(100.125)]}).tracks

    assert (track.trades.tick, track.marks.tick) == (Decimal(1), Decimal("0.001"))
    assert track.marks.open[0] * track.marks.tick == Decimal("100.125")


def test_a_hole_in_the_marks_makes_them_stale_but_not_the_trades_missing() -> None:
    """Fills go on; what asks for a fresh mark is told there is none."""
    (track,) = tape_of({"BTC": [flat(100)] * 3}, marks={"BTC": [flat(100), None, flat(100)]}).tracks

    assert list(track.present) == [1, 1, 1]
    assert list(track.fresh) == [1, 0, 1]


def test_a_symbol_without_a_first_bar_is_refused() -> None:
    """There would be no price to begin with: one line with the symbol, the time and what there is."""
    with pytest.raises(ValueError, match=r"there is no bar at 2025-01-01T00:00:00Z: BTC 1h, 1 bars"):
        tape_of({"BTC": [None, flat(100)]})


def test_a_mark_series_without_a_first_bar_is_refused() -> None:
    """The same holds for marks."""
    with pytest.raises(ValueError, match="there is no bar at 2025-01-01T00:00:00Z"):
        tape_of({"BTC": [flat(100)] * 2}, marks={"BTC": [None, flat(100)]})


def test_trades_of_several_intervals_are_refused() -> None:
    """A run has one execution interval."""
    trades = {"BTC": bars("BTC", [flat(1)]), "ETH": bars("ETH", [flat(1)], MINUTE_MS)}

    with pytest.raises(ValueError, match=r"one interval, found \[60000, 3600000\]"):
        build_tape(trades, {}, {}, START, START + HOUR_MS)


def test_funding_comes_along_as_it_is() -> None:
    """Rows of the symbol, or none."""
    rates = funding("BTC", {1: 0.1})

    both = build_tape(
        {symbol: bars(symbol, [flat(1)]) for symbol in ("BTC", "ETH")},
        {},
        {"BTC": rates},
        START,
        START + HOUR_MS,
    )

    assert both.tracks[0].funding is rates
    assert len(both.tracks[1].funding) == 0
