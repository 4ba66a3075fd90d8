"""What every broker offers, and the proof of approval that its write methods demand."""

from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import Generic, Protocol, TypeVar, final

import msgspec

from domain.events import VenueEvent
from domain.instruments import Instrument
from domain.orders import Order
from domain.snapshots import AccountView

T = TypeVar("T", covariant=True)


@final
class Seal:
    """What makes an approval real. Only the engine's approval module makes one (a test holds that)."""


@final
class Approved(Generic[T]):
    """Something that has passed the engine's risk check. A broker's write methods take nothing else.

    Going round the engine is a type error: an `Order` is not an `Approved[Order]`, and one can't be made without
    the seal.
    """

    __slots__ = ("what",)

    def __init__(self, what: T, seal: Seal) -> None:
        self.what = what


class Found(msgspec.Struct, frozen=True):
    """The order that a venue has under a client id, as it is there."""

    order: Order


class Lost(Enum):
    """That a venue does not show an order. Only when it is lost for good is it certain that it never lives."""

    FOR_NOW = "for now"
    FOR_GOOD = "for good"


class Broker(Protocol):
    """One trading account at one venue.

    Writes answer through events: `drain` gives what has happened since it was last called, oldest first.
    """

    async def place(self, order: Approved[Order]) -> None:
        """Send an order."""

    async def cancel(self, number: Approved[int]) -> None:
        """Withdraw an order by its number; one that is no longer live is left as it is."""

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage that new exposure in a symbol is margined at; in force before the next order."""

    def take_number(self) -> int:
        """The number the next order will have."""

    def set_alarm(self, equity_usd: Decimal | None) -> None:
        """Ask to be told when equity falls to this level; None: never."""

    async def look_up(self, client_id: str) -> Found | Lost:
        """What became of an order, by the name it was sent under."""

    def drain(self) -> Sequence[VenueEvent]:
        """What happened since the last call, oldest first."""

    def account(self, ts: int) -> AccountView:
        """The account at this moment."""

    def equity(self) -> Decimal:
        """Raw USD + Σ position × mark, at this moment."""

    def mark(self, symbol: str) -> Decimal | None:
        """The fresh mark of a symbol; None when it isn't known or is too old to act on."""

    def instrument(self, symbol: str) -> Instrument | None:
        """The venue's facts about a symbol; None when it has no such symbol."""
