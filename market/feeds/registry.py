"""The feeds of one process: whoever watches the same market shares one, and the last to leave ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from functools import lru_cache, partial
from typing import Protocol

from db.connection import Connection
from domain.feeds import FeedSpec
from domain.time import format_interval
from market.feeds.base import Feed, Time
from market.feeds.path import Path
from market.feeds.synthetic import SyntheticFeed
from market.instruments import find_instrument

Make = Callable[[FeedSpec, tuple[str, ...], int], Awaitable[Feed]]
"""Makes the feed of some symbols and a bar interval, with its past loaded, and not running yet."""

MOST_PATHS = 512


class NoFeed(Exception):
    """There is no feed as asked for, in one line."""


class Runner(Protocol):
    """Runs feeds: the supervisor. It starts one again by its policy where `Feed.run` raises FeedLost."""

    def start(self, name: str, feed: Feed) -> None:
        """Begin to run a feed under a name that is free."""

    async def stop(self, name: str) -> None:
        """End it, also where it was given up; when this returns the name is free."""


class OpenFeed:
    """One user's share in a feed."""

    def __init__(self, name: str, feed: Feed, release: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.feed = feed
        self._release: Callable[[], Awaitable[None]] | None = release

    async def close(self) -> None:
        """Use it no more. Does nothing a second time."""
        release, self._release = self._release, None
        if release is not None:
            await release()


class _Shared:
    """A feed and how many use it, or are about to. `turn` is held while it is opened or ended."""

    def __init__(self) -> None:
        self.users = 0
        self.turn = asyncio.Lock()
        self.feed: Feed | None = None


class Feeds:
    """The feeds that are open, by name."""

    def __init__(self, make: Make, runner: Runner) -> None:
        self._make = make
        self._runner = runner
        self._shared: dict[str, _Shared] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The feeds there are."""
        return tuple(self._shared)

    async def open(self, spec: FeedSpec, symbols: Collection[str], interval_ms: int) -> OpenFeed:
        """Use the feed of these symbols and bars; it is made and run where it is not yet.

        Raises NoFeed where there can be none, UnknownInstrument for a symbol that nobody knows, and what `make` raises.
        """
        chosen = tuple(sorted(set(symbols)))
        name = f"feed:{spec}:{format_interval(interval_ms)}:{','.join(chosen)}"
        shared = self._shared.setdefault(name, _Shared())
        shared.users += 1
        try:
            async with shared.turn:
                if shared.feed is None:
                    feed = await self._make(spec, chosen, interval_ms)
                    self._runner.start(name, feed)
                    shared.feed = feed
                feed = shared.feed
        except BaseException:
            await self._release(name, shared)
            raise
        return OpenFeed(name, feed, partial(self._release, name, shared))

    def look(self) -> None:
        """Have every feed see which of its prices have stopped coming. To be called each second."""
        for shared in self._shared.values():
            if shared.feed is not None:
                shared.feed.look()

    async def _release(self, name: str, shared: _Shared) -> None:
        shared.users -= 1
        async with shared.turn:
            if not shared.users and shared.feed is not None:
                shared.feed = None
                await self._runner.stop(name)
        if not shared.users:
            self._shared.pop(name, None)


def maker(connect: Callable[[], AbstractAsyncContextManager[Connection]], time: Time) -> Make:
    """Make feeds as they are named. `connect` gives a connection for a moment, as `Database.as_worker` does."""
    path_of = lru_cache(MOST_PATHS)(Path)

    async def make(spec: FeedSpec, symbols: tuple[str, ...], interval_ms: int) -> Feed:
        if spec.kind != "synthetic":
            raise NoFeed(
                f"there is no feed {spec} that goes with the clock; use synthetic, or synthetic@SEED"
            )
        async with connect() as connection:
            instruments = {symbol: await find_instrument(connection, symbol) for symbol in symbols}
        return SyntheticFeed(spec, interval_ms, instruments, time, path_of)

    return make
