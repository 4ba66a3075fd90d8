"""What the engine writes down, in order, before and after it acts. The account's state is the fold of its entries.

An intent is committed before anything is sent, so that after a crash it can be asked of the venue what became of it.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec

from domain.actions import Action
from domain.events import Adjusted, FundingPaid, Liquidated, OrderChanged
from domain.orders import Fill, Order
from domain.verdicts import Refusal


class IntentRecorded(msgspec.Struct, frozen=True, tag="intent"):
    """An approved action: the orders to be sent and the order numbers to be cancelled. Not sent yet."""

    ts: int
    decision_id: str
    action: Action | None  # None where the engine acts by itself, to flatten
    orders: tuple[Order, ...] = ()
    cancels: tuple[int, ...] = ()


class ActionRefused(msgspec.Struct, frozen=True, tag="refused"):
    """An action that did not pass, and every reason."""

    ts: int
    decision_id: str
    action: Action
    refusals: tuple[Refusal, ...]


class DayOpened(msgspec.Struct, frozen=True, tag="day"):
    """The first equity at or after 00:00 UTC, from which the day's loss is counted. Never rebased."""

    ts: int
    equity: Decimal


class HaltCause(StrEnum):
    """What had an account flattened: a cap that was met, which halts it, or a person."""

    DAILY_LOSS = "daily_loss_pct"
    DRAWDOWN = "max_drawdown_pct"
    BY_HAND = "by_hand"


class HaltPhase(StrEnum):
    """Where a halt stands. While flattening and while halted, nothing may raise exposure."""

    ACTIVE = "active"
    FLATTENING = "flattening"
    HALTED = "halted"


class HaltChanged(msgspec.Struct, frozen=True, tag="halt"):
    """The halt moved to another phase. `equity` met `level` (both USD); `peak` is the new peak after a reset."""

    ts: int
    phase: HaltPhase
    cause: HaltCause
    equity: Decimal
    level: Decimal
    peak: Decimal | None = None


Entry = (
    IntentRecorded
    | ActionRefused
    | DayOpened
    | HaltChanged
    | OrderChanged
    | Fill
    | FundingPaid
    | Liquidated
    | Adjusted
)


class Journal(Protocol):
    """Where entries go. What was appended before `commit` returned outlives a crash."""

    def append(self, entry: Entry) -> None:
        """Write an entry down, in order."""

    async def commit(self) -> None:
        """Make all that was appended durable. Raises when that can't be: then nothing may be sent."""
