"""Listening to a feed for as long as an actor lives: a child task of it, which ends with it, also when it crashes."""

import asyncio
from collections.abc import Callable, Collection

from domain.feeds import FeedEvent
from market.feeds.base import Listener
from market.feeds.freshness import Silence
from market.feeds.registry import OpenFeed


async def attend(
    shared: OpenFeed,
    hear: Listener,
    only: Collection[type[FeedEvent]],
    silent: Callable[[Silence], None] | None = None,
) -> None:
    """Be told of all symbols of a feed until cancelled, then leave it."""
    feed = shared.feed
    subscriptions = [feed.subscribe(feed.instruments, hear, only)]
    if silent is not None:
        subscriptions.append(feed.watch(silent))
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        for one in subscriptions:
            one.close()
        await shared.close()
