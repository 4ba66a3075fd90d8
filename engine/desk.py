"""What a decision about an action is made from: the account, the caps, and the venue's prices at this moment."""

from decimal import Decimal
from typing import Protocol

import msgspec

from domain.caps import Caps
from domain.instruments import Instrument
from engine.book import Book


class Quotes(Protocol):
    """What is asked of the venue. A broker is one."""

    def mark(self, symbol: str) -> Decimal | None:
        """The fresh mark of a symbol in USD; None when it is not known or too old."""

    def instrument(self, symbol: str) -> Instrument | None:
        """The venue's facts about a symbol."""

    def equity(self) -> Decimal:
        """The account's equity in USD."""


class Desk(msgspec.Struct, frozen=True):
    """Everything a check may look at. `halted_by` is the cap that halted the account, or empty."""

    ts: int
    symbols: tuple[str, ...]
    caps: Caps
    book: Book
    quotes: Quotes
    halted_by: str = ""
