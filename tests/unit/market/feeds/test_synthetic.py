"""The synthetic feed tells a whole market, second by second, that a restart finds again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from actors.kernel import ManualTime, settle
from config.instruments import find
from domain.feeds import BarClosed, FeedEvent, FeedSpec, FundingSettled, Mark, Quote, parse_feed
from domain.instruments import Toward
from domain.money import exact
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_ts
from market.feeds.base import Feed
from market.feeds.freshness import Silence
from market.feeds.path import Path
from market.feeds.synthetic import MOST_MISSED_BARS, SyntheticFeed
from market.growing_series import MOST_BARS

NOW = parse_ts("2026-07-01T11:59:30Z")
NOON = parse_ts("2026-07-01T12:00:00Z")
SPEC = parse_feed("synthetic@7")


class StoppedProcess(ManualTime):
    """Time that can pass while nobody is woken, as when a process is stopped."""

    async def stand_still(self, duration_ms: int) -> None:
        self._passed_ms += duration_ms
        await self.advance(0)


def feed_at(
    time: ManualTime, *symbols: str, interval_ms: int = MINUTE_MS, spec: FeedSpec = SPEC
) -> SyntheticFeed:
    return SyntheticFeed(spec, interval_ms, {one: find(one) for one in symbols or ("BTC",)}, time)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[list[Any]]:
    """Run a feed, and note all that it tells, silences too."""
    told: list[Any] = []
    feed.subscribe(tuple(feed.instruments), told.append)
    feed.watch(told.append)
    task = asyncio.ensure_future(feed.run())
    await settle()
    yield told
    task.cancel()
    await settle()


def of(kind: type[FeedEvent], told: list[Any]) -> list[Any]:
    return [event for event in told if isinstance(event, kind)]


async def test_a_quote_and_a_mark_come_each_second() -> None:
    """At whole seconds, of each symbol, the mark between bid and offer; legal prices, and whole lots."""
    time = ManualTime(NOW + 250)
    feed = feed_at(time, "BTC", "DOGE")
    async with running(feed) as told:
        await time.advance(5_000)

    seconds = [NOW + n * SECOND_MS for n in range(1, 6)]
    assert [(one.ts, one.symbol) for one in of(Quote, told)] == [
        (ts, s) for ts in seconds for s in ("BTC", "DOGE")
    ]
    for quote, mark in zip(of(Quote, told), of(Mark, told), strict=True):
        instrument = find(quote.symbol)
        assert (quote.ts, quote.symbol) == (mark.ts, mark.symbol)
        assert quote.bid < mark.px < quote.ask
        assert (quote.ask - quote.bid) / mark.px < Decimal("0.001")
        for px in (quote.bid, quote.ask, mark.px):
            assert instrument.legal_price(px, Toward.UP) == px
        for size in (quote.bid_size, quote.ask_size):
            assert size >= instrument.lot
            assert instrument.legal_size(size) == size


async def test_bars_close_on_time_and_are_made_of_the_very_quotes() -> None:
    """A minute's bar is the first, highest, lowest and last of the marks of its sixty seconds."""
    time = ManualTime(NOON - SECOND_MS)
    feed = feed_at(time)
    async with running(feed) as told:
        await time.advance(2 * MINUTE_MS + SECOND_MS)

    marks = {mark.ts: mark.px for mark in of(Mark, told)}
    bars = of(BarClosed, told)
    assert [(bar.ts, bar.bar.ts) for bar in bars] == [
        (NOON + n * MINUTE_MS, NOON + (n - 1) * MINUTE_MS) for n in range(3)
    ]
    for told_bar in bars[1:]:
        seconds = [marks[told_bar.bar.ts + n * SECOND_MS] for n in range(60)]
        bar = told_bar.bar
        assert (bar.open, bar.high, bar.low, bar.close) == (
            seconds[0],
            max(seconds),
            min(seconds),
            seconds[-1],
        )


async def test_what_is_told_is_known_by_then() -> None:
    """A listener that looks at the history as of an event finds it there."""
    time = ManualTime(NOON - SECOND_MS)
    feed = feed_at(time, interval_ms=HOUR_MS)
    found: list[object] = []

    def hear(event: FeedEvent) -> None:
        past = feed.history.as_of(event.ts)
        if isinstance(event, BarClosed):
            found.append(past.bars("BTC").last(1)[0].close == event.bar.close)
        elif isinstance(event, FundingSettled):
            found.append(past.funding("BTC", 1) == [(event.ts, float(event.rate))])

    feed.subscribe(["BTC"], hear, only=(BarClosed, FundingSettled))
    async with running(feed):
        await time.advance(SECOND_MS)
    assert found == [True, True]


async def test_at_an_instant_bars_come_before_funding_and_prices_after() -> None:
    """In the order of the rules, over all symbols."""
    time = ManualTime(NOON - SECOND_MS)
    feed = feed_at(time, "BTC", "ETH", interval_ms=HOUR_MS)
    async with running(feed) as told:
        await time.advance(SECOND_MS)

    assert [type(event) for event in told] == [BarClosed] * 2 + [FundingSettled] * 2 + [Mark, Quote] * 2
    assert [event.px for event in of(Mark, told)] == [event.price for event in of(FundingSettled, told)]


@pytest.mark.parametrize("interval_ms", [MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, DAY_MS])
async def test_there_is_a_past_from_the_start_and_a_restart_finds_what_was_told(interval_ms: int) -> None:
    """As many bars as any Skill may look at; one opened later shows the same as one that was there all along."""
    time = ManualTime(NOW)
    old = feed_at(time, interval_ms=interval_ms)
    assert len(old.history.as_of(NOW).bars("BTC")) == MOST_BARS
    async with running(old):
        await time.advance(3 * MINUTE_MS)
    new = feed_at(time, interval_ms=interval_ms)

    ours, theirs = (one.history.as_of(time.now_ms()) for one in (new, old))
    assert ours.bars("BTC").lines(MOST_BARS) == theirs.bars("BTC").lines(MOST_BARS)
    assert ours.funding("BTC", 500) == theirs.funding("BTC", 500) != []
    assert new.data_digest == old.data_digest
    assert old.history.series["BTC"].late == 0


def test_the_digest_names_what_the_history_is_made_of() -> None:
    """The same whenever it is opened; another for another seed, symbol or interval."""
    digests = [
        feed_at(ManualTime(at), *symbols, interval_ms=interval_ms, spec=parse_feed(spec)).data_digest
        for at, symbols, interval_ms, spec in (
            (NOW, ("BTC",), HOUR_MS, "synthetic@7"),
            (NOW + DAY_MS, ("BTC",), HOUR_MS, "synthetic@7"),
            (NOW, ("BTC",), HOUR_MS, "synthetic@8"),
            (NOW, ("ETH",), HOUR_MS, "synthetic@7"),
            (NOW, ("BTC",), MINUTE_MS, "synthetic@7"),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


async def test_after_a_pause_bars_and_funding_come_late_and_quotes_do_not() -> None:
    """As when the process was stopped for two minutes and a half: nothing closed is skipped, the pause is a silence."""
    time = StoppedProcess(NOON - 90 * SECOND_MS)
    feed = feed_at(time)
    async with running(feed) as told:
        await time.advance(SECOND_MS)
        told.clear()
        await time.stand_still(150_000)

    last, now = NOON - 89 * SECOND_MS, NOON + 61 * SECOND_MS
    assert [event for event in told if isinstance(event, Silence)] == [
        Silence("BTC", last),
        Silence("BTC", last, is_over=True, lasted_s=150.0),
    ]
    assert [(bar.bar.ts, bar.ts) for bar in of(BarClosed, told)] == [
        (NOON + n * MINUTE_MS, now if n < 0 else NOON + MINUTE_MS) for n in (-2, -1, 0)
    ]
    assert [one.ts for one in of(FundingSettled, told)] == [NOON]
    assert [quote.ts for quote in of(Quote, told)] == [now]
    assert feed.history.series["BTC"].late == 2
    before, after = (feed.history.as_of(ts).bars("BTC").last(4) for ts in (now - 1, now))
    assert [(bar.ts - NOON) // MINUTE_MS for bar in before] == [-5, -4, -3, 0]
    assert [(bar.ts - NOON) // MINUTE_MS for bar in after] == [-3, -2, -1, 0]
    assert feed.history.as_of(now - 1).funding("BTC", 1)[0][0] == NOON - HOUR_MS
    assert feed.history.as_of(now).funding("BTC", 1)[0][0] == NOON


async def test_after_a_very_long_pause_what_is_told_is_bounded() -> None:
    """The newest bars come late; those before them stay a hole until the feed is opened again."""
    time = StoppedProcess(NOON)
    feed = feed_at(time)
    async with running(feed) as told:
        await time.stand_still(30 * DAY_MS)

    assert len(of(BarClosed, told)) == MOST_MISSED_BARS
    assert of(BarClosed, told)[-1].bar.ts == NOON + 30 * DAY_MS - MINUTE_MS


async def test_setting_the_clock_tells_nothing_twice_and_makes_nothing_stale() -> None:
    """Back or forth by an hour: prices go on coming each second, and each bar is told once."""
    time = ManualTime(NOON)
    feed = feed_at(time)
    async with running(feed) as told:
        for by_ms in (0, -HOUR_MS, HOUR_MS, HOUR_MS, -HOUR_MS, -1_500):
            await time.jump(by_ms)
            for _ in range(20):
                before = len(of(Mark, told))
                await time.advance(3 * SECOND_MS)
                assert len(of(Mark, told)) > before
                assert not feed.health().stale

    opens, instants = [bar.bar.ts for bar in of(BarClosed, told)], [mark.ts for mark in of(Mark, told)]
    assert opens == sorted(set(opens))
    assert opens == list(range(opens[0], opens[-1] + 1, MINUTE_MS))
    assert instants == sorted(set(instants))
    assert not [event for event in told if isinstance(event, Silence)]


async def test_a_feed_that_was_stopped_goes_on_where_it_stopped() -> None:
    """Its owner may run it again; while it does not run, nothing is fresh."""
    time = ManualTime(NOON)
    feed = feed_at(time)
    async with running(feed) as told:
        await time.advance(10 * SECOND_MS)
        assert feed.health().is_connected
    health = feed.health()
    assert (health.is_connected, health.stale, health.problem) == (False, ("BTC",), "the feed was stopped")
    await time.advance(2 * MINUTE_MS)
    async with running(feed) as again:
        await time.advance(SECOND_MS)
        assert feed.health().symbols["BTC"].is_fresh

    assert [bar.bar.ts for bar in of(BarClosed, again)] == [NOON, NOON + MINUTE_MS]
    assert told[-len(again) :] == again  # whoever had subscribed still hears


async def test_a_listener_hears_of_what_it_asked_for_until_it_closes() -> None:
    """The kinds and symbols of its choice; another's ending is nothing to it, even in the middle of a second."""
    time = ManualTime(NOON - SECOND_MS)
    feed = feed_at(time, "BTC", "ETH", interval_ms=HOUR_MS)
    bars: list[Any] = []
    quotes: list[Any] = []
    rest: list[Any] = []

    def once(event: FeedEvent) -> None:
        quotes.append(event)
        first.close()
        first.close()

    first = feed.subscribe(["ETH"], once, only=(Quote, Mark))
    feed.subscribe(["BTC"], bars.append, only=(BarClosed,))
    feed.subscribe(["ETH"], rest.append, only=(Quote,))
    async with running(feed):
        await time.advance(3 * SECOND_MS)

    assert [(type(event), event.symbol) for event in quotes] == [(Mark, "ETH")]
    assert [(type(event), event.symbol) for event in bars] == [(BarClosed, "BTC")]
    assert [event.ts for event in rest] == [NOON, NOON + 1_000, NOON + 2_000]


async def test_a_listener_that_fails_keeps_nobody_else_from_hearing() -> None:
    """It is reported to the event loop; the feed and the others go on."""
    time = ManualTime(NOON)
    feed = feed_at(time)
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reported.append(context["exception"])
    )

    def fail(event: FeedEvent) -> None:
        raise RuntimeError("a full mailbox")

    feed.subscribe(["BTC"], fail, only=(Mark,))
    try:
        async with running(feed) as told:
            await time.advance(2 * SECOND_MS)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)

    assert len(of(Mark, told)) == len(reported) == 2
    assert str(reported[0]) == "a full mailbox"


def test_a_symbol_that_the_feed_does_not_have_is_refused() -> None:
    """In one line that says what there is."""
    with pytest.raises(ValueError, match="the feed synthetic@7 has BTC, ETH, and not SOL"):
        feed_at(ManualTime(NOW), "BTC", "ETH").subscribe(["BTC", "SOL"], print)


async def test_what_is_told_is_on_the_path() -> None:
    """Of the seed that the feed is named by."""
    time = ManualTime(NOON)
    async with running(feed_at(time)) as told:
        await time.advance(SECOND_MS)
    assert of(Mark, told)[0].px == exact(Path(find("BTC"), 7).price(NOON + SECOND_MS))
