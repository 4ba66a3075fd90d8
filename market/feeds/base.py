"""What a feed is: it tells what happens in a market, and remembers what was known when.

A feed may serve many: several deployments that watch the same market, and the engines of their accounts. Each
subscribes to what it needs; nobody waits for anybody.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from domain.feeds import BarClosed, FeedEvent, FeedSpec, FundingSettled, Mark, Quote
from domain.instruments import Instrument
from market.feeds.freshness import Health, Silence
from market.growing import GrowingHistory

Listener = Callable[[FeedEvent], None]
"""Is told of an event at once, inside the feed's own work: it puts it into a mailbox and returns."""

EVERYTHING: tuple[type[FeedEvent], ...] = (Quote, Mark, BarClosed, FundingSettled)
"""The kinds of events that there are."""


class FeedLost(Exception):
    """A feed that can't go on, in one line. Its owner starts it again by its policy."""


class Time(Protocol):
    """What tells the time and lets it pass. The actors' `Time` is one.

    Instants are UTC ms of a clock that people set; durations are seconds of one that nobody sets.
    """

    def now_ms(self) -> int:
        """The instant it is."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that is never set; only differences mean something."""

    async def sleep(self, delay_s: float) -> None:
        """Wait for a while."""


class Subscription(Protocol):
    """The right to be told, until it is closed."""

    def close(self) -> None:
        """Be told nothing more. Does nothing a second time."""


class Feed(Protocol):
    """The data of some symbols and one bar interval, as time passes.

    `history` is what was known when, from before the feed began; an agent looks at it through `history.seen_by`.
    `data_digest` names what the history is made of, and is the same whenever the same feed is opened.
    """

    @property
    def spec(self) -> FeedSpec: ...
    @property
    def interval_ms(self) -> int: ...
    @property
    def instruments(self) -> Mapping[str, Instrument]: ...
    @property
    def history(self) -> GrowingHistory: ...
    @property
    def data_digest(self) -> str: ...

    def subscribe(
        self,
        symbols: Collection[str],
        listener: Listener,
        only: Collection[type[FeedEvent]] = EVERYTHING,
    ) -> Subscription:
        """Be told of these kinds of events of these symbols, in the order in which they happen.

        An event is in `history` before it is told. Raises ValueError for a symbol that the feed does not have.
        """

    def watch(self, listener: Callable[[Silence], None]) -> Subscription:
        """Be told when the prices of a symbol stop coming, and when they come again."""

    def look(self) -> None:
        """See which prices have stopped coming, and tell. To be called each second, also while it does not run."""

    async def settled(self, hours: Mapping[str, Collection[int]]) -> Sequence[FundingSettled]:
        """Look up what was settled at these hours (UTC ms, by symbol), in the order of time; what is known of it.

        Raises FeedLost where it can't be looked up now.
        """

    async def run(self) -> None:
        """Tell what happens until cancelled. May be run again. Raises FeedLost where it can't go on."""

    def health(self) -> Health:
        """How the feed is doing now: which symbols have a fresh price, and whether it is connected."""
