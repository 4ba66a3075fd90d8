"""What a deployment is carried out with: who decides, what drives its ticks, and the feed it listens to."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from actors.messages import Standing
from actors.plan import Plan
from actors.ticker import Ticker
from market.feeds.due import Due
from market.feeds.registry import OpenFeed


class Drive(Protocol):
    """What lets a deployment's market go by, and its ticks come due."""

    async def run(self) -> Standing | None:
        """Go on until the market ends, and give where the account stands then."""


class Hooks(msgspec.Struct, frozen=True):
    """What a drive calls.

    `tick` takes the tick of an instant, and is waited for. `heard` is told where the account stands. `late` is told how
    many ms after its instant a tick began and what it still lacked then; `missed` how many were passed over. Ticks up
    to `after` were given to another drive before.
    """

    tick: Callable[[int, Standing], Awaitable[None]]
    heard: Callable[[Standing], None]
    late: Callable[[int, Due], None]
    missed: Callable[[int], None]
    after: int = -1


class Stage(msgspec.Struct, frozen=True):
    """All that a deployment is carried out with. `drive` makes what drives it; `feed` is there where it has one."""

    plan: Plan
    ticker: Ticker
    drive: Callable[[Hooks], Drive]
    feed: OpenFeed | None = None
