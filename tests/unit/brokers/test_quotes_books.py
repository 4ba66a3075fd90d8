"""On live quotes the books are exact after every step, with little cash and much leverage, and through any restart."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.paper.costs import Costs
from brokers.paper.live import Displayed
from brokers.paper.venue import VenueState
from domain.account import Account
from domain.events import FundingPaid, Liquidated, VenueEvent
from domain.feeds import Quote
from domain.orders import Fill, Liquidity, Side
from domain.time import HOUR_MS
from tests.unit.brokers.ledger import FORCED, Ledger
from tests.unit.brokers.live_samples import Stand
from tests.unit.brokers.live_streams import Hear, Step, run, seeded, streams
from tests.unit.brokers.samples import INSTRUMENTS, encoded

D = Decimal


def poor() -> Stand:
    """An account that is carried away by the streams' orders now and then."""
    return Stand(cash=10_000, leverage=40, costs=Costs())


class Bookkeeper(Ledger):
    """Keeps books of its own from what the venue tells, and looks at each fill beside the quote it was made on."""

    desk: Stand

    def __init__(self, desk: Stand) -> None:
        super().__init__(desk)
        self.shown: dict[tuple[str, Side], Decimal] = {}
        self.quotes: dict[str, Quote] = {}
        self.sizes: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)

    def after(self, step: Step, happened: list[VenueEvent]) -> None:
        """Judge what came of a step."""
        known = self.desk.venue._market.quotes
        told = step.what.told if isinstance(step.what, Hear) else None
        if (
            isinstance(told, Quote)
            and known.get(told.symbol, Displayed(told)).quote is told
            and told.symbol in known
        ):
            self.quotes[told.symbol] = told
            self.shown[told.symbol, Side.BUY] = told.ask_size
            self.shown[told.symbol, Side.SELL] = told.bid_size
        for event in happened:
            if isinstance(event, Fill):
                self.sizes[event.symbol].append((event.ts, event.position))
                if event.cause not in FORCED:
                    assert told is not None, "nothing fills unless the feed tells something"
                    self._on_quote(event)
        self.hear(happened)
        self.agrees()
        self._nobody_is_below_maintenance()

    def _on_quote(self, fill: Fill) -> None:
        quote, key = self.quotes[fill.symbol], (fill.symbol, fill.side)
        offered = quote.ask if fill.side is Side.BUY else quote.bid
        self.shown[key] -= fill.size
        assert self.shown[key] >= 0, "more than was displayed"
        if fill.liquidity is Liquidity.TAKER:
            assert fill.reference_px == offered
            assert 0 <= (fill.px - offered) * fill.side.sign <= offered * D("0.001")
        else:
            assert (offered - fill.px) * fill.side.sign < 0, "a touch is not a fill"

    def _funding(self, paid: FundingPaid) -> None:
        """As any ledger, but what was held is that of the hour, not of now."""
        now, self.positions[paid.symbol] = self.positions[paid.symbol], paid.position
        super()._funding(paid)
        self.positions[paid.symbol] = now
        assert paid.position in {size for _, size in self.sizes[paid.symbol]}

    def _nobody_is_below_maintenance(self) -> None:
        venue = self.desk.venue
        if venue.state.positions and venue.is_known:
            notional = {s: abs(p.size) * venue._mark_now(s) for s, p in venue.state.positions.items()}
            needed = sum(INSTRUMENTS[symbol].maintenance_usd(usd) for symbol, usd in notional.items())
            assert venue.equity() > needed


def booked(steps: list[Step]) -> Stand:
    """Lead an account through a stream, with a bookkeeper beside it."""
    desk = poor()
    keeper = Bookkeeper(desk)
    for step in steps:
        first = len(desk.events)
        run(desk, [step])
        keeper.after(step, desk.events[first:])
    return desk


@settings(max_examples=100)
@given(streams())
def test_the_books_are_exact_and_no_fill_is_more_or_better_than_its_quote(steps: list[Step]) -> None:
    """Cash, positions, equity and orders to the last digit; sizes and prices of every fill."""
    booked(steps)


def test_they_are_in_many_lives() -> None:
    """Some end rich, some are liquidated, taken over or bankrupt: all of it happens, and is exact."""
    lives = [booked(seeded(100 + seed, 250)) for seed in range(40)]

    events = [event for desk in lives for event in desk.events]
    ends = [event.backstop for event in events if isinstance(event, Liquidated)]
    assert len([event for event in events if isinstance(event, Fill)]) > 300
    assert ends.count(True) > 3
    assert ends.count(False) > 1
    assert sum(isinstance(event, FundingPaid) for event in events) > 10
    assert sum(len(desk.alarms) for desk in lives) > 5


# Restarts.


def carried(desk: Stand, form: Any) -> Stand:
    """The account put down and taken up again by another process, from what was kept of it."""
    state = form.decode(form.encode(desk.venue.state), type=VenueState)
    assert state == desk.venue.state
    again = Stand(state=state, costs=Costs())
    again.time, again.events, again.alarms = desk.time, desk.events, desk.alarms
    again.venue._time = desk.time
    again.venue.set_alarm(desk.venue._alarm)
    return again


def heard(steps: list[Step]) -> tuple[Stand, list[int]]:
    """Lead an account through a stream; gives the steps too at which the feed told something new and sound."""
    desk, news = poor(), []
    for index, step in enumerate(steps):
        before = desk.venue._market.newest
        run(desk, [step])
        if desk.venue._market.newest > before:
            news.append(index)
    return desk, news


def interrupted(steps: list[Step], stops: list[int], form: Any) -> Stand:
    """The same, but the account is carried over at each of these steps, just before the feed tells something."""
    desk = poor()
    for index, step in enumerate(steps):
        if index in stops:
            desk = carried(desk, form)
        run(desk, [step])
    return desk


@settings(max_examples=100)
@given(streams(), st.sets(st.integers(0, 40), min_size=1, max_size=5))
def test_an_account_that_was_carried_over_has_the_same_future(steps: list[Step], at: set[int]) -> None:
    """Between any two things that the feed tells: fills, stops, what is displayed, funding, halts."""
    whole, news = heard(steps)

    again = interrupted(steps, [news[index] for index in at if index < len(news)], msgspec.json)

    assert encoded(again.events) == encoded(whole.events)
    assert again.alarms == whole.alarms
    assert again.venue.state == whole.venue.state


@pytest.mark.parametrize("form", [msgspec.json, msgspec.msgpack])
def test_a_long_life_with_a_restart_at_everything_that_is_told(form: Any) -> None:
    """Text or binary."""
    steps = seeded(9, 300)
    whole, news = heard(steps)

    again = interrupted(steps, news, form)

    assert len(news) > 150
    assert len(whole.fills) > 20
    assert encoded(again.events) == encoded(whole.events)


def test_after_a_restart_nothing_is_fresh_until_the_feed_speaks() -> None:
    """However new the mark was when the state was kept: nobody knows how long ago that is."""
    desk = poor()
    desk.market(100, 100)
    desk.buy("1")
    desk.market(100, 100)
    again = carried(desk, msgspec.json)

    assert again.venue.mark("BTC") is None
    assert not again.venue.is_known
    assert again.equity == desk.equity
    again.wait(HOUR_MS)
    again.mark(10, symbol="ETH")
    assert again.venue.mark("BTC") is None
    again.mark(101)
    assert again.venue.mark("BTC") == 101


def test_what_stands_again_after_a_reconnection_is_not_displayed_a_second_time() -> None:
    """The feed begins with the quote that stands; we had taken all of it before the restart."""
    desk = poor()
    desk.market(100, 100)
    desk.buy("5")
    desk.market(100, 100, 5)
    stands = desk.venue._market.quotes["BTC"].quote
    again = carried(desk, msgspec.json)
    again.wait(100)
    again.mark(100)
    again.buy("5", created_ts=stands.ts - 1000)

    again.tell(stands)
    assert len(again.fills) == 1
    again.market(100, 100, 5)

    assert len(again.fills) == 2


def test_a_stop_that_was_gapped_through_while_nobody_listened_fills_at_what_is_there() -> None:
    """Quotes that were missed are missed; what rests stays."""
    desk = poor()
    desk.market(100, 100)
    desk.buy("5", stop_px="95", take_profit_px="130")
    desk.market(100, 100)
    bid = desk.buy("1", limit_px="90")
    desk.market(100, 100)
    again = carried(desk, msgspec.json)
    again.wait(HOUR_MS)

    again.mark(80)
    again.wait(20)
    again.quote(79, 81)

    assert [(fill.cause, fill.px) for fill in again.fills[1:]] == [("stop", 79), ("limit", 90)]
    assert again.outcome(bid) == ("filled", "")


def test_a_simulation_s_checkpoint_has_nothing_of_a_live_market() -> None:
    """Its bytes are what they were before there were live quotes."""
    state = VenueState(Account(D(1000)), leverage={"BTC": 3})

    assert msgspec.json.decode(msgspec.json.encode(state)).keys() == {
        "account",
        "positions",
        "orders",
        "leverage",
        "next_number",
        "funding_rows",
    }
