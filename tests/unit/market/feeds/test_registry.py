"""Feeds are shared by those who watch the same, made once, and ended by the last who leaves."""

import asyncio
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.kernel import ManualTime, settle
from config.instruments import find
from domain.feeds import FeedSpec, parse_feed
from domain.time import HOUR_MS, MINUTE_MS, parse_ts
from market.feeds.base import Feed
from market.feeds.registry import Feeds, NoFeed, OpenFeed
from market.feeds.synthetic import SyntheticFeed

SPEC = parse_feed("synthetic@7")
BTC_HOURLY = "feed:synthetic@7:1h:BTC"
NOW = parse_ts("2026-07-01")


class Tasks:
    """Runs feeds as tasks, and takes its time to end one; a name that is taken is an error."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Task[None]] = {}
        self.started: list[str] = []

    def start(self, name: str, feed: Feed) -> None:
        assert name not in self.running
        self.running[name] = asyncio.ensure_future(feed.run())
        self.started.append(name)

    async def stop(self, name: str) -> None:
        self.running[name].cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        del self.running[name]


async def make(spec: FeedSpec, symbols: tuple[str, ...], interval_ms: int) -> Feed:
    """Make a feed after a while."""
    await asyncio.sleep(0)
    return SyntheticFeed(spec, interval_ms, {symbol: find(symbol) for symbol in symbols}, ManualTime(NOW))


async def test_the_same_market_is_one_feed_however_it_is_asked_for() -> None:
    """At the same time, in another order, twice the same symbol; another interval is another feed."""
    tasks = Tasks()
    feeds = Feeds(make, tasks)
    first, second, third = await asyncio.gather(
        feeds.open(SPEC, ["BTC", "ETH"], HOUR_MS),
        feeds.open(parse_feed("synthetic@7"), ["ETH", "BTC", "ETH"], HOUR_MS),
        feeds.open(SPEC, ["BTC", "ETH"], MINUTE_MS),
    )
    assert first.feed is second.feed
    assert first.name == "feed:synthetic@7:1h:BTC,ETH"
    assert third.feed is not first.feed
    assert len(tasks.started) == 2
    for one in (first, second, third):
        await one.close()
    assert (tasks.running, feeds.names) == ({}, ())


async def test_the_last_who_leaves_ends_it() -> None:
    """Not the first, however often that one leaves."""
    tasks = Tasks()
    feeds = Feeds(make, tasks)
    first, second = [await feeds.open(SPEC, ["BTC"], HOUR_MS) for _ in range(2)]
    await first.close()
    await first.close()
    assert list(tasks.running) == [BTC_HOURLY]
    await second.close()
    assert not tasks.running


async def test_one_that_is_opened_while_it_ends_is_made_anew() -> None:
    """Its name is free by then."""
    tasks = Tasks()
    feeds = Feeds(make, tasks)
    old = await feeds.open(SPEC, ["BTC"], HOUR_MS)
    closing = asyncio.ensure_future(old.close())
    await asyncio.sleep(0)
    new = await feeds.open(SPEC, ["BTC"], HOUR_MS)
    await closing

    assert new.feed is not old.feed
    assert (list(tasks.running), tasks.started) == ([BTC_HOURLY], [BTC_HOURLY] * 2)
    await new.close()


async def test_one_that_cannot_be_made_leaves_nothing_behind() -> None:
    """Whoever waited for it hears why, too, and the next may try again."""
    tasks, failures = Tasks(), 2

    async def fail(spec: FeedSpec, symbols: tuple[str, ...], interval_ms: int) -> Feed:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise NoFeed("the venue does not answer")
        return await make(spec, symbols, interval_ms)

    feeds = Feeds(fail, tasks)
    both = await asyncio.gather(
        *(feeds.open(SPEC, ["BTC"], HOUR_MS) for _ in range(2)), return_exceptions=True
    )
    assert [str(error) for error in both] == ["the venue does not answer"] * 2
    assert feeds.names == ()
    await (await feeds.open(SPEC, ["BTC"], HOUR_MS)).close()


async def test_who_gives_up_waiting_does_not_keep_it_open() -> None:
    """As when a deployment is stopped while its market is loaded."""
    tasks = Tasks()
    feeds = Feeds(make, tasks)
    opening = asyncio.ensure_future(feeds.open(SPEC, ["BTC"], HOUR_MS))
    await asyncio.sleep(0)
    opening.cancel()
    await settle()
    assert (feeds.names, tasks.running) == ((), {})


@given(st.lists(st.tuples(st.sampled_from(["BTC", "ETH"]), st.booleans(), st.integers(0, 4)), max_size=30))
def test_whatever_the_order_a_feed_runs_exactly_while_it_is_used(steps: list[tuple[str, bool, int]]) -> None:
    """Opens and closes at once, in any order, some of them overtaking others."""

    async def play() -> None:
        tasks = Tasks()
        feeds = Feeds(make, tasks)
        opening: list[tuple[str, asyncio.Task[OpenFeed]]] = []
        closing: list[asyncio.Task[None]] = []

        async def close(one: asyncio.Task[OpenFeed]) -> None:
            await (await one).close()

        for symbol, opens, turns in steps:
            if opens:
                opening.append((symbol, asyncio.ensure_future(feeds.open(SPEC, [symbol], HOUR_MS))))
            elif opening:
                closing.append(asyncio.ensure_future(close(opening.pop(0)[1])))
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.gather(*closing)
        held: Mapping[str, set[Any]] = {symbol: set() for symbol in ("BTC", "ETH")}
        for symbol, task in opening:
            held[symbol].add((await task).feed)
        assert all(len(some) <= 1 for some in held.values())
        assert set(tasks.running) == {f"feed:synthetic@7:1h:{one}" for one, some in held.items() if some}
        for _, task in opening:
            await (await task).close()
        assert (tasks.running, feeds.names) == ({}, ())

    asyncio.run(play())
