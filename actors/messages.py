"""What a deployment asks of its account's engine, and what the engine tells back."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import msgspec

from actors.account import Noted
from actors.kernel import Done, Failed, Lane, Message, Request, WhenFull
from domain.actions import Action
from domain.caps import Caps
from domain.feeds import FeedEvent, FundingSettled
from domain.instruments import Instrument
from domain.journal import HaltCause, HaltPhase
from domain.snapshots import AccountView
from domain.verdicts import Verdict
from engine.book import Book
from engine.desk import Desk
from engine.watch import Watch

if TYPE_CHECKING:
    from actors.engine import EngineActor  # noqa: F401 (named in the types of messages)


class Prices(msgspec.Struct, frozen=True):
    """The venue's prices at one moment, as `engine.desk.Quotes` has them. `equity_usd` goes with them."""

    marks: dict[str, Decimal]
    instruments: dict[str, Instrument]
    equity_usd: Decimal

    def mark(self, symbol: str) -> Decimal | None:
        """The fresh mark; None where there was none."""
        return self.marks.get(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        """The venue's facts about a symbol."""
        return self.instruments.get(symbol)

    def equity(self) -> Decimal:
        """The account's equity, in USD."""
        return self.equity_usd


class Seen(msgspec.Struct, frozen=True):
    """The account at one moment: what a tick is decided from."""

    view: AccountView
    desk: Desk
    watch: Watch
    decided: str  # the last decision with an intent


class Standing(msgspec.Struct, frozen=True):
    """Where an account stands, after the entry `seq` of its journal.

    `index` and `is_open` are its place on a tape, `length` is that tape's; 0 without one.
    """

    seq: int
    ts: int
    phase: HaltPhase
    cause: HaltCause | None
    equity: Decimal
    positions: dict[str, Decimal]
    orders: int
    decided: str
    index: int = 0
    is_open: bool = False
    length: int = 0

    @property
    def is_flat(self) -> bool:
        """Whether it has no position and no order."""
        return not self.positions and not self.orders


class Look(Request["EngineActor", Seen], frozen=True):
    """Show the account at `ts`."""

    ts: int


class Where(Request["EngineActor", Standing], frozen=True):
    """Say where the account stands."""


class Submit(Request["EngineActor", "Submitted"], frozen=True):
    """Decide one action and carry it out."""

    action: Action
    ts: int
    decision: str
    index: int


class Submitted(msgspec.Struct, frozen=True):
    """The verdict, and the account after it."""

    verdict: Verdict
    seen: Seen


class OpenBar(Request["EngineActor", Standing], frozen=True):
    """The tape's next bar opens."""


class CloseBar(Request["EngineActor", Standing], frozen=True):
    """The tape's open bar closes: its path, funding, the equity point, halts."""


class Moved(Message["EngineActor"], frozen=True):
    """The market moved. When there are too many, the newest of each symbol is what matters."""

    when_full: ClassVar[WhenFull] = WhenFull.KEEP_NEWEST

    event: FeedEvent

    @property
    def key(self) -> str:
        """What it replaces: an older one of its kind and symbol."""
        return f"{type(self.event).__name__}:{self.event.symbol}"


class LookedUp(Message["EngineActor"], frozen=True):
    """Rates that were owed, as far as they are known."""

    outcome: Done[Sequence[FundingSettled]] | Failed


class Flatten(Request["EngineActor", Standing], frozen=True):
    """Cancel what raises and close everything, until the account is flat. Answered once that is latched."""

    lane: ClassVar[Lane] = Lane.SYSTEM


class CancelRaising(Request["EngineActor", int], frozen=True):
    """Withdraw every order that could open something; answered with how many."""

    decision: str


class ByHand(Request["EngineActor", Verdict], frozen=True):
    """What a person wants done, once, however often it is asked: `decision` names it."""

    action: Action
    decision: str


class ResetHalt(Request["EngineActor", str], frozen=True):
    """Lift a halt. Answered with why that can't be, or with nothing."""


class Adopt(Request["EngineActor", None], frozen=True):
    """Go by another version's symbols and caps."""

    symbols: tuple[str, ...]
    caps: Caps


class Beat(Message["EngineActor"], frozen=True):
    """A second has passed."""


class Happened(msgspec.Struct, frozen=True):
    """What came of something: fills, and steps of a halt, with where the account stands after them.

    Each with its number in the journal. `lifts` says for people how a halt ends.
    """

    noted: tuple[tuple[int, Noted], ...]
    standing: Standing
    lifts: str = ""


def seen_of(view: AccountView, desk: Desk, watch: Watch, symbols: tuple[str, ...]) -> Seen:
    """Hold the account as it is now. The book's dictionaries are replaced, never changed, so its copy costs nothing."""
    book: Book = msgspec.structs.replace(desk.book)
    quotes = desk.quotes
    of_interest = {*symbols, *book.positions, *(order.symbol for order in book.orders.values())}
    marks = {symbol: mark for symbol in of_interest if (mark := quotes.mark(symbol)) is not None}
    facts = {symbol: one for symbol in of_interest if (one := quotes.instrument(symbol)) is not None}
    prices = Prices(marks, facts, quotes.equity())
    held = msgspec.structs.replace(desk, book=book, quotes=prices)
    return Seen(view, held, msgspec.structs.replace(watch), book.decided)
