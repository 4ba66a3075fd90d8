"""The look ahead that passes over calm bars gives what walking them gives, byte for byte."""

import pytest
from hypothesis import given, settings

from brokers.paper.replay import ReplayVenue
from tests.unit.brokers.samples import Desk, encoded, flat, tape_of
from tests.unit.brokers.streams import Stream, desk_for, run, seeded, streams


class Walker(ReplayVenue):
    """A venue that trusts no look ahead and walks every bar."""

    def _look_ahead(self, index: int) -> bool:
        return False


class Counter(ReplayVenue):
    """A venue that counts the bars that it passes over."""

    passed = 0

    def _look_ahead(self, index: int) -> bool:
        calm = super()._look_ahead(index)
        self.passed += calm
        return calm


def both(made: Stream) -> tuple[Desk, Desk]:
    """The same stream with and without the short cut."""
    quick, thorough = desk_for(made, Counter), desk_for(made, Walker)
    run(made, quick), run(made, thorough)
    return quick, thorough


def agree(quick: Desk, thorough: Desk) -> None:
    """Events, alarms, books and equity are the same."""
    assert encoded(quick.events) == encoded(thorough.events)
    assert quick.alarms == thorough.alarms
    assert quick.venue.state == thorough.venue.state
    assert quick.equity == thorough.equity


@settings(max_examples=100)
@given(streams())
def test_a_calm_bar_is_one_that_walking_would_have_left_alone(made: Stream) -> None:
    """Whatever the market and the orders."""
    agree(*both(made))


@pytest.mark.parametrize("seed", range(8))
def test_the_short_cut_agrees_where_many_bars_are_calm(seed: int) -> None:
    """Orders in the first bars only, then a long quiet with what they left behind: held, resting, protected."""
    made = seeded(seed, 100)
    made = made._replace(actions=[actions if index < 8 else [] for index, actions in enumerate(made.actions)])

    quick, thorough = both(made)

    agree(quick, thorough)
    assert isinstance(quick.venue, Counter)
    assert quick.venue.passed > 30


@pytest.mark.parametrize(("low", "calm"), [(95.1, True), (95.0, False)])
def test_a_bar_that_touches_a_level_is_not_calm(low: float, calm: bool) -> None:
    """One tick decides, in the ticks of the tape."""
    desk = Desk(tape_of({"BTC": [flat(100), (100, 100, low, 100, 1000)]}), venue=Counter)
    desk.buy("1", stop_px="95")
    desk.step()
    assert isinstance(desk.venue, Counter)
    before = desk.venue.passed

    desk.step()

    assert (desk.venue.passed - before == 1) is calm


def test_a_level_between_two_ticks_is_met_by_the_tick_beyond_it() -> None:
    """A stop at 95.5 on a tape of whole dollars: 96 is short of it, 95 is not; a profit at 104.5 likewise."""
    for row, fires in (
        ((100, 104, 96, 100, 1000), False),  # and is calm
        ((100, 100, 95, 100, 1000), True),
        ((100, 105, 100, 100, 1000), True),
    ):
        desk = Desk(tape_of({"BTC": [flat(100), row]}), venue=Counter)
        desk.buy("1", stop_px="95.5", take_profit_px="104.5")
        desk.step()
        assert isinstance(desk.venue, Counter)
        before = desk.venue.passed
        desk.step()
        assert (desk.size() == 0) is fires
        assert desk.venue.passed - before == (not fires)
