"""Reads an account's journal from its first entry and says what can't be, by docs/trading-rules.md §2.11 and §4.

It keeps books of its own and calls nothing of the engine or the venue.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from domain.caps import Caps
from domain.journal import (
    ActionRefused,
    DayOpened,
    Entry,
    HaltCause,
    HaltChanged,
    HaltPhase,
    IntentRecorded,
)
from domain.orders import Order, OrderState
from domain.time import DAY_MS
from tests.audit.books import ZERO, Books
from tests.audit.caps import HUNDRED, ONE, Limits, Marks

PHASES = {
    (HaltPhase.ACTIVE, HaltPhase.FLATTENING),
    (HaltPhase.FLATTENING, HaltPhase.HALTED),
    (HaltPhase.HALTED, HaltPhase.ACTIVE),
}


def audit(
    entries: Iterable[Entry],
    caps: Caps,
    symbols: Sequence[str],
    start_usd: Decimal,
    *,
    marks: Marks = lambda symbol, ts: None,
    at_rest: bool = False,
) -> list[str]:
    """Say every fault of an account, a line each; none: all is well.

    No order doubled, no position without its journal, cash and positions to the last digit, no cap passed when an
    intent was written down, nothing raised from a halt's latch to its lifting. `at_rest`: nothing is being sent any
    more, so what became of every order must be known. Without `marks`, caps in USD are held against the least that
    the orders' own prices allow, and leverage against nothing.
    """
    auditor = Auditor(caps, symbols, start_usd, marks)
    for entry in entries:
        auditor.read(entry)
    if at_rest:
        auditor.rest()
    return auditor.faults


class Auditor(Books):
    """The books, and what the engine was allowed to do beside them."""

    def __init__(
        self,
        caps: Caps,
        symbols: Sequence[str],
        start_usd: Decimal,
        marks: Marks = lambda symbol, ts: None,
    ) -> None:
        super().__init__(start_usd)
        self.caps, self.symbols = caps, symbols
        self.limits = Limits(self, caps, marks)
        self.baseline = start_usd
        self.cause = HaltCause.BY_HAND
        self.day = -1

    def read(self, entry: Entry) -> None:
        """Take in one entry, in order."""
        self.count += 1
        self.ts = entry.ts
        match entry:
            case IntentRecorded():
                self._intent(entry)
            case HaltChanged():
                self._halt(entry)
            case DayOpened():
                self.hold(entry.ts // DAY_MS > self.day, "a day was opened twice: its baseline was moved")
                self.day, self.baseline = entry.ts // DAY_MS, entry.equity
            case ActionRefused():
                self.hold(bool(entry.refusals), "an action was refused for no reason")
            case _:
                self.hear(entry)

    def rest(self) -> None:
        """Nothing is being sent any more."""
        for number, order in self.orders.items():
            known = order.state not in (OrderState.RECORDED, OrderState.UNKNOWN)
            self.hold(known, f"nobody knows what became of order {number}, which is {order.state}")

    def _intent(self, intent: IntentRecorded) -> None:
        by_hand = intent.action is not None
        for order in intent.orders:
            self._allowed(order, intent.decision_id, by_hand=by_hand)
        for order in intent.orders:
            self.write_down(order)
        self.limits.sent += [intent.ts for o in intent.orders if by_hand and not o.kind.is_protection]

    def _allowed(self, order: Order, decision: str, *, by_hand: bool) -> None:
        held, number = self.size(order.symbol), order.number
        if order.reduce_only:
            closes = held * order.side.sign < 0 and (order.kind.is_protection or order.size <= abs(held))
            self.hold(closes, f"order {number} reduces more than is held")
            return
        self.hold(by_hand, f"order {number} raises, and nobody asked for it")
        self.hold(self.phase is HaltPhase.ACTIVE, f"order {number} raises while {self.phase}")
        self.hold(order.symbol in self.symbols, f"order {number} is for {order.symbol}, which is not traded")
        for name in self.limits.passed(order, decision):
            self.hold(False, f"order {number} passes {name}")

    # Halts.

    def _halt(self, moved: HaltChanged) -> None:
        self.hold((self.phase, moved.phase) in PHASES, f"{self.phase} became {moved.phase}")
        if moved.phase is HaltPhase.FLATTENING:
            self.cause = moved.cause
            self._breached(moved)
        self.hold(moved.cause is self.cause, f"a halt by {self.cause} became one by {moved.cause}")
        if moved.phase is HaltPhase.HALTED:
            self.hold(not self.positions and not self.live, "halted before it was flat")
        if moved.phase is HaltPhase.ACTIVE and moved.cause is HaltCause.DRAWDOWN:
            self.hold(moved.peak is not None, "a drawdown's halt was lifted by nobody")
        self.phase = moved.phase

    def _breached(self, moved: HaltChanged) -> None:
        if moved.cause is not HaltCause.BY_HAND:
            self.hold(moved.equity <= moved.level, f"a halt at {moved.equity}, above {moved.level}")
        if moved.cause is HaltCause.DAILY_LOSS and self.caps.daily_loss_pct is not None:
            level = max(ZERO, self.baseline * (ONE - self.caps.daily_loss_pct / HUNDRED))
            self.hold(moved.level == level, f"the day's level is {level}, the halt's {moved.level}")
