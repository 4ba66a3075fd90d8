"""What a tick waits for: the bar that has just closed, and the rate that has just been settled."""

import asyncio
from collections.abc import Collection

import msgspec

from domain.time import HOUR_MS, SECOND_MS
from market.feeds.base import Time
from market.growing import ON_TIME_MS, GrowingHistory


class Due(msgspec.Struct, frozen=True):
    """What was due at an instant and had not come when the wait was over: symbols, and how long it was."""

    bars: tuple[str, ...]
    funding: tuple[str, ...]
    waited_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.bars and not self.funding


def missing(history: GrowingHistory, symbols: Collection[str], ts: int) -> Due:
    """What is due at `ts` (UTC ms) and is not there: the bar that closes at it, the rate of its hour."""
    closes, settles = ts % history.interval_ms == 0, ts % HOUR_MS == 0
    return Due(
        tuple(one for one in symbols if closes and not history.series[one].has(ts - history.interval_ms)),
        tuple(one for one in symbols if settles and not history.has_rate(one, ts)),
    )


async def wait_for_due(
    history: GrowingHistory, symbols: Collection[str], ts: int, time: Time, most_ms: int = ON_TIME_MS
) -> Due:
    """Wait until what a tick at `ts` is due is there, at most until `most_ms` after it, and give what is missing then.

    What comes later than that was not known at `ts`, and is counted by the history as late.
    """
    began_s = time.monotonic_s()
    left_s = min(most_ms, ts + most_ms - time.now_ms()) / SECOND_MS
    if left_s > 0 and not missing(history, symbols, ts).is_complete:
        races = [asyncio.ensure_future(one) for one in (_complete(history, symbols, ts), time.sleep(left_s))]
        try:
            await asyncio.wait(races, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in races:
                one.cancel()
    return msgspec.structs.replace(missing(history, symbols, ts), waited_s=time.monotonic_s() - began_s)


async def _complete(history: GrowingHistory, symbols: Collection[str], ts: int) -> None:
    """Wait until nothing is missing."""
    while not missing(history, symbols, ts).is_complete:
        await history.grown()
