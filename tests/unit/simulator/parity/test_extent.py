"""Up to where a deployment is compared: no further than it was seen, and never in the middle of a tick."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from db.market import BAR
from domain.actions import ClosePosition
from domain.events import FundingPaid, OrderChanged
from domain.ids import decision_id
from domain.journal import ActionRefused, DayOpened, Entry, IntentRecorded
from domain.orders import Fill, Liquidity, Order, OrderKind, Side
from domain.time import HOUR_MS, MINUTE_MS
from simulator.parity.extent import of_clock, of_tape
from simulator.parity.market import as_seen

D = Decimal
FROM = 1_000 * HOUR_MS
END = FROM + 10 * HOUR_MS


def at(hour: float) -> int:
    return FROM + int(hour * HOUR_MS)


def fill(hour: float) -> Fill:
    zero = D(0)
    return Fill(
        at(hour), 1, "BTC", Side.BUY, D(1), D(1), zero, zero, D(1), Liquidity.TAKER, "market", D(1), zero
    )


def changed(hour: float) -> OrderChanged:
    return OrderChanged(at(hour), Order(1, "0x", "BTC", Side.BUY, OrderKind.LIMIT, D(1), at(hour)))


def intent(hour: float) -> IntentRecorded:
    return IntentRecorded(at(hour), decision_id("account", at(hour)), ClosePosition("BTC"))


def refused(hour: float) -> ActionRefused:
    return ActionRefused(at(hour), decision_id("account", at(hour)), ClosePosition("BTC"), ())


def day(hour: float) -> DayOpened:
    return DayOpened(at(hour), D(1))


def funding(hour: float) -> FundingPaid:
    return FundingPaid(at(hour), "BTC", D(0), D(1), D(1), D(0), D(1))


def tape(entries: list[Entry], reached: float, *, is_over: bool = False) -> tuple[float, int]:
    """The hour up to which a replay is compared, and how many entries that leaves."""
    extent = of_tape(entries, "account", FROM, END, at(reached), HOUR_MS, is_over)
    assert extent.from_ts == FROM
    return (extent.to_ts - FROM) / HOUR_MS, len(extent.entries)


@pytest.mark.parametrize(
    ("entries", "reached", "hour", "kept"),
    [
        ([], 4.5, 4, 0),
        ([fill(2)], 4, 4, 1),
        ([fill(3), funding(4), day(4)], 4, 4, 3),  # nothing of the tick of hour 4 yet
        ([fill(3), funding(4), intent(4), fill(4)], 4, 4, 2),  # from the tick on it is cut off
        ([fill(3), refused(4)], 4, 4, 1),
        ([fill(2.5), fill(4)], 4, 3, 1),  # nobody knows whether that was the close or the open
        ([fill(2.5), changed(4)], 4, 3, 1),
        ([fill(4)], 3, 3, 0),  # the journal is ahead of what is shown
    ],
)
def test_a_replay_is_compared_up_to_a_bar_that_has_closed(
    entries: list[Entry], reached: float, hour: int, kept: int
) -> None:
    """Of the instant at which it ends, what came before the tick belongs to it."""
    assert tape(entries, reached) == (hour, kept)


def test_at_the_end_of_the_tape_everything_belongs_to_it() -> None:
    """There is no tick and no open any more."""
    assert tape([fill(9), fill(10), funding(10)], 10, is_over=True) == (10, 3)


def test_what_was_closed_at_the_end_belongs_to_it() -> None:
    """A kill is filled at the next open, which is behind the last bar that has closed."""
    assert tape([fill(3), fill(5)], 5, is_over=True) == (6, 2)
    assert tape([fill(3), fill(5)], 5) == (4, 1)


def test_nothing_to_compare_is_an_empty_range() -> None:
    """Every step of it is in the middle of something."""
    assert tape([fill(hour) for hour in range(4)], 3) == (0, 0)


def test_by_the_clock_a_tick_is_the_first_of_its_instant() -> None:
    """But for funding and the day, which are settled before it."""
    entries: list[Entry] = [fill(1), funding(2), day(2), intent(2), fill(2.001)]

    extent = of_clock(entries, FROM, at(2) + 30_000, MINUTE_MS)

    assert (extent.from_ts, extent.to_ts) == (FROM, at(2))
    assert extent.entries == [fill(1), funding(2), day(2)]


def bars(*rows: tuple[int, int, float]) -> Any:
    """Bars by the hour of their open, the hour from which they were known, and their close."""
    return np.array([(at(n), at(known), 1, 1, 1, close, 1) for n, known, close in rows], BAR)


def test_bars_are_known_from_when_they_were_seen() -> None:
    """What was not seen is as it was made; of what was, every version counts."""
    made = bars((0, 1, 1), (1, 2, 2), (2, 3, 3))
    seen = bars((1, 5, 2), (1, 6, 9), (7, 8, 1))

    found = as_seen(made, seen)

    assert np.array_equal(found, bars((0, 1, 1), (1, 5, 2), (1, 6, 9), (2, 3, 3)))
