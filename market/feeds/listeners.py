"""Who is told of what: the subscriptions of one feed."""

import asyncio
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from domain.feeds import FeedEvent
from market.feeds.base import EVERYTHING, Listener

T = TypeVar("T")


class Told(Generic[T]):
    """A list of listeners. One that fails is reported to the event loop, and keeps nobody else from hearing."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[T], None], ...] = ()

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, listener: Callable[[T], None]) -> None:
        """Tell this one, too. It may listen more than once."""
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Callable[[T], None]) -> None:
        """Tell this one no more. Does nothing where it is not told."""
        at = next((n for n, one in enumerate(self._listeners) if one is listener), None)
        if at is not None:
            self._listeners = self._listeners[:at] + self._listeners[at + 1 :]

    def tell(self, what: T) -> None:
        """Tell those who listened when this began, in the order in which they came."""
        for listener in self._listeners:
            try:
                listener(what)
            except Exception as error:  # noqa: BLE001 - whatever it is: it is reported, and the others are told
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"a listener of the feed failed at {what}", "exception": error}
                )


class Listeners:
    """The listeners of a feed of some symbols, by kind of event and symbol. `name` is the feed's, for messages."""

    def __init__(self, name: str, symbols: Collection[str]) -> None:
        self._name = name
        self._symbols = tuple(symbols)
        self._told: dict[tuple[type[FeedEvent], str], Told[FeedEvent]] = {
            (kind, symbol): Told() for kind in EVERYTHING for symbol in self._symbols
        }

    def subscribe(
        self, symbols: Collection[str], listener: Listener, only: Collection[type[FeedEvent]] = EVERYTHING
    ) -> "Subscribed[FeedEvent]":
        """As `Feed.subscribe`."""
        if strange := sorted(set(symbols).difference(self._symbols)):
            raise ValueError(
                f"the feed {self._name} has {', '.join(self._symbols)}, and not {', '.join(strange)}"
            )
        places = [self._told[kind, symbol] for kind in only for symbol in symbols]
        return Subscribed(places, listener)

    def tell(self, event: FeedEvent) -> None:
        """Tell of an event."""
        self._told[type(event), event.symbol].tell(event)


class Subscribed(Generic[T]):
    """One listener in some lists, until it is closed."""

    def __init__(self, places: Collection[Told[T]], listener: Callable[[T], None]) -> None:
        self._places = places
        self._listener: Callable[[T], None] = self._while_open(listener)
        self._is_open = True
        for place in places:
            place.add(self._listener)

    def close(self) -> None:
        self._is_open = False
        for place in self._places:
            place.remove(self._listener)
        self._places = ()

    def _while_open(self, listener: Callable[[T], None]) -> Callable[[T], None]:
        def hear(what: T) -> None:
            if self._is_open:
                listener(what)

        return hear
