"""The venue's state is all it remembers between two bars: encoded, decoded and carried on, nothing differs."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.paper.venue import VenueState
from tests.unit.brokers.samples import Desk, encoded, flat, tape_of
from tests.unit.brokers.streams import Stream, desk_for, run, seeded, streams


def carried(state: VenueState, form: Any) -> VenueState:
    """The state as a checkpoint gives it back."""
    again = form.decode(form.encode(state), type=VenueState)
    assert again == state
    assert form.encode(again) == form.encode(state)
    return again  # type: ignore[no-any-return]


def interrupted(made: Stream, stops: list[int], form: Any) -> Desk:
    """Run the stream, but put the account down and take it up again at each stop."""
    desk = desk_for(made)
    first = 0
    for stop in stops:
        run(made, desk, first, stop)
        alarm, events, alarms = desk.venue._alarm, desk.events, desk.alarms
        desk = Desk(made.tape, costs=made.costs, state=carried(desk.venue.state, form), bars_closed=stop)
        desk.venue.set_alarm(alarm)
        desk.events, desk.alarms, first = events, alarms, stop
    run(made, desk, first)
    return desk


@settings(max_examples=60)
@given(streams(), st.lists(st.integers(0, 12), min_size=1, max_size=3).map(sorted))
def test_a_run_that_was_interrupted_gives_the_same_bytes(made: Stream, stops: list[int]) -> None:
    """Anywhere between a close and the next open, as often as one likes."""
    whole = desk_for(made)
    run(made, whole)

    resumed = interrupted(made, stops, msgspec.json)

    assert encoded(resumed.events) == encoded(whole.events)
    assert resumed.alarms == whole.alarms
    assert resumed.venue.state == whole.venue.state
    assert resumed.equity == whole.equity


@pytest.mark.parametrize("form", [msgspec.json, msgspec.msgpack])
def test_a_long_run_is_carried_on_in_either_form(form: Any) -> None:
    """Text or binary, every tenth bar."""
    made = seeded(11, 120)
    whole = desk_for(made)
    run(made, whole)

    resumed = interrupted(made, list(range(10, 120, 10)), form)

    assert len(whole.fills) > 20
    assert encoded(resumed.events) == encoded(whole.events)


def test_funding_that_is_due_at_a_checkpoint_is_paid_after_it() -> None:
    """The close has happened, the settlement has not: it is neither lost nor doubled."""
    tape = tape_of({"BTC": [flat(100)] * 2}, rates={"BTC": {1: 0.001}})
    desk = Desk(tape)
    desk.buy("1")
    desk.open(), desk.close()

    again = Desk(tape, state=carried(desk.venue.state, msgspec.json), bars_closed=1)
    again.settle(), again.settle()

    assert again.cash == desk.cash - desk.size() * 100 / 1000


def test_an_account_between_bars_is_marked_at_the_last_close() -> None:
    """Taken up after bar 0, nothing of bar 1 is known yet, and the time is bar 0's close."""
    tape = tape_of({"BTC": [(100, 110, 90, 105, 1000), (200, 220, 180, 210, 1000)]})
    desk = Desk(tape)
    desk.buy("1")
    desk.step()

    again = Desk(tape, state=carried(desk.venue.state, msgspec.json), bars_closed=1)

    assert again.venue.mark("BTC") == desk.venue.mark("BTC") == 105
    assert again.equity == desk.equity == 1005
    assert again.venue._ts() == desk.venue._ts()


def test_before_the_first_bar_its_open_is_the_mark() -> None:
    """There is no close yet; of the bar itself only its open shows."""
    desk = Desk(tape_of({"BTC": [(100, 110, 90, 105, 1000)]}))

    assert desk.venue.mark("BTC") == 100
