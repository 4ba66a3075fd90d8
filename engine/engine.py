"""The execution engine of one trading account: validate → risk → record → execute, for every action of every caller.

It is the same object in a simulation and live; what differs is handed in: the broker, the journal, and who tells the
time. One message is handled at a time, so each check sees every order before it.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil

import msgspec

from brokers.base import Broker
from domain.account import Position
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.caps import Caps
from domain.events import OrderChanged, VenueEvent
from domain.ids import client_order_id, decision_id
from domain.journal import (
    ActionRefused,
    DayOpened,
    Entry,
    HaltCause,
    HaltChanged,
    HaltPhase,
    IntentRecorded,
    Journal,
)
from domain.money import ZERO, canonical
from domain.orders import Order, OrderState
from domain.snapshots import AccountView
from domain.verdicts import Refusal, Verdict, refusal
from engine import flatten, risk, validate
from engine.approval import approve
from engine.book import Book
from engine.desk import Desk
from engine.used import Used, used
from engine.watch import HaltEvent, Watch, after, end_of_day


class EngineState(msgspec.Struct):
    """All that the engine remembers. Encodes to a checkpoint and back without loss."""

    book: Book
    watch: Watch


class Engine:
    """One account's engine.

    `account` names it in ids; `symbols` and `caps` are the Skill's, the caps tightened by the platform's. `equity` is
    the last that was observed, in USD.
    """

    def __init__(
        self,
        broker: Broker,
        journal: Journal,
        *,
        account: str,
        symbols: tuple[str, ...],
        caps: Caps,
        state: EngineState,
    ) -> None:
        self._broker = broker
        self._journal = journal
        self._account = account
        self._symbols = symbols
        self._caps = caps
        self.state = state
        self.equity = state.watch.baseline
        self._arm()

    def adopt(self, symbols: tuple[str, ...], caps: Caps) -> None:
        """Go by another version's symbols and caps from now on. What is held stays, and can be reduced."""
        self._symbols, self._caps = symbols, caps
        self._arm()

    # What callers see.

    @property
    def symbols(self) -> tuple[str, ...]:
        """What may be traded."""
        return self._symbols

    @property
    def caps(self) -> Caps:
        """What it is held to."""
        return self._caps

    @property
    def book(self) -> Book:
        """Positions, live orders, and what caps look back at."""
        return self.state.book

    @property
    def is_halted(self) -> bool:
        """Whether nothing may raise exposure, because the account is flattening or halted."""
        return self.state.watch.phase is not HaltPhase.ACTIVE

    @property
    def is_shut(self) -> bool:
        """Whether the account is halted and flat: there is nothing that a decision could do."""
        return self.state.watch.phase is HaltPhase.HALTED

    def account(self, ts: int) -> AccountView:
        """The account at this moment."""
        return self._broker.account(ts)

    def mark(self, symbol: str) -> Decimal | None:
        """The fresh mark of a symbol, if there is one."""
        return self._broker.mark(symbol)

    def used(self, ts: int) -> Used:
        """How much of its caps the account uses at this moment."""
        return used(self.desk(ts), self.state.watch)

    # Actions.

    async def submit(self, action: Action, *, ts: int, decision: str, index: int) -> Verdict:
        """Decide one action and carry it out. `index` counts the actions of the decision, from 0.

        The verdict comes back when the venue has taken, or turned away, what was sent. What is refused was not sent.
        """
        desk = self.desk(ts)
        too_many = index >= self._caps.max_actions_per_tick and not _only_reduces(action)
        if too_many:
            cap = self._caps.max_actions_per_tick
            return await self._refuse(action, ts, decision, [refusal("max_actions_per_tick", cap, index + 1)])
        match action:
            case ProposeOrder():
                return await self._propose(action, validate.order_of(action, desk), desk, decision, index)
            case ClosePosition():
                return await self._propose(action, validate.close_of(action, desk), desk, decision, index)
            case SetProtection():
                return await self._protect(action, desk, decision, index)
            case CancelOrder():
                return await self._cancel(action, desk, decision)

    async def _propose(
        self, action: Action, order: Order | Refusal, desk: Desk, decision: str, index: int
    ) -> Verdict:
        if isinstance(order, Refusal):
            return await self._refuse(action, desk.ts, decision, [order])
        if refusals := risk.check(order, desk):
            return await self._refuse(action, desk.ts, decision, refusals)
        numbered = self._named(order, decision, index, attempt=0)
        displaced = risk.left_to_open(order, desk) if order.reduce_only else ()
        return await self._send(action, desk.ts, decision, [numbered], displaced)

    async def _protect(self, action: SetProtection, desk: Desk, decision: str, index: int) -> Verdict:
        wanted = validate.protections_of(action, desk)
        if isinstance(wanted, Refusal):
            return await self._refuse(action, desk.ts, decision, [wanted])
        kinds = {order.kind for order in wanted}
        dropped = [
            order
            for order in desk.book.orders_of(action.symbol)
            if order.kind.is_protection and order.kind not in kinds
        ]
        if refusals := risk.check_protections(action.symbol, wanted, dropped, desk):
            return await self._refuse(action, desk.ts, decision, refusals)
        orders = [self._named(order, decision, index, attempt=n) for n, order in enumerate(wanted)]
        cancels = tuple(order.number for order in dropped)
        displaced = risk.left_to_open(orders[0], desk) if orders else ()
        return await self._send(action, desk.ts, decision, orders, cancels + displaced)

    async def _cancel(self, action: CancelOrder, desk: Desk, decision: str) -> Verdict:
        order = desk.book.orders.get(action.order)
        if order is None:
            hint = "get_orders lists those there are"
            missing = refusal("order", "a live order", action.order, hint)
            return await self._refuse(action, desk.ts, decision, [missing])
        if refusals := risk.check_cancel(order, desk):
            return await self._refuse(action, desk.ts, decision, refusals)
        return await self._send(action, desk.ts, decision, [], (action.order,))

    async def cancel_raising(self, ts: int, decision: str) -> int:
        """Withdraw every order that could open something, and tell how many. What protects a position stays."""
        self.absorb()
        raising = tuple(n for n, order in self.book.orders.items() if not order.reduce_only)
        if raising:
            await self._send(None, ts, decision, [], raising)
        return len(raising)

    # Record, then execute.

    async def _send(
        self,
        action: Action | None,
        ts: int,
        decision: str,
        orders: list[Order],
        cancels: tuple[int, ...] = (),
    ) -> Verdict:
        """Commit the intent, then carry it out. Cancels first, so that what they free can be used."""
        self._note(IntentRecorded(ts, decision, action, tuple(orders), cancels))
        await self._journal.commit()
        for number in cancels:
            await self._broker.cancel(approve(number))
        for order in orders:
            self._broker.set_leverage(order.symbol, self._leverage(order.symbol))
            await self._broker.place(approve(order))
        turned_away = self.absorb()
        numbers = tuple(order.number for order in orders)
        return Verdict(numbers, tuple(turned_away[n] for n in numbers if n in turned_away))

    async def _refuse(self, action: Action, ts: int, decision: str, refusals: list[Refusal]) -> Verdict:
        self._note(ActionRefused(ts, decision, action, tuple(refusals)))
        return Verdict(refusals=tuple(refusals))

    def _named(self, order: Order, decision: str, index: int, *, attempt: int) -> Order:
        client_id = client_order_id(self._account, decision, index, attempt)
        number = self._broker.take_number()
        return msgspec.structs.replace(order, number=number, client_id=client_id, decision_id=decision)

    def _leverage(self, symbol: str) -> int:
        """The venue's leverage: the cap rounded up, within what the venue allows."""
        wanted = ceil(self._caps.max_leverage)
        instrument = self._broker.instrument(symbol)
        return wanted if instrument is None else min(wanted, instrument.max_leverage)

    def _note(self, entry: Entry) -> None:
        self._journal.append(entry)
        self.state.book.apply(entry)

    # What the venue tells.

    def absorb(self) -> dict[int, Refusal]:
        """Take in what happened at the venue; gives the orders it turned away, by number."""
        return self._take_in(self._broker.drain())

    def learn(self, change: OrderChanged) -> None:
        """Take in what was found out about an order otherwise than by the venue's own telling."""
        self._note(change)

    def _take_in(self, events: Sequence[VenueEvent]) -> dict[int, Refusal]:
        turned_away: dict[int, Refusal] = {}
        for event in events:
            self._note(event)
            if isinstance(event, OrderChanged) and event.order.state is OrderState.REJECTED:
                turned_away[event.order.number] = refusal("venue", "an order it takes", event.order.reason)
        return turned_away

    # Losses.

    async def observe(self, ts: int) -> None:
        """Take the equity point of an instant: a new day's baseline, the peak, and the halt judged."""
        if events := self._broker.drain():
            self._take_in(events)
        equity = self.equity = self._broker.equity()
        watch = self.state.watch
        if ts >= watch.day_ends:
            self._open_day(ts, equity)
        if equity > watch.peak:
            watch.peak = equity
            self._arm()
        if watch.phase is HaltPhase.FLATTENING:
            await self._pursue(ts)
        elif self._level is not None and equity <= self._level:
            await self.halt(ts, equity)

    async def halt(self, ts: int, equity: Decimal) -> None:
        """Latch the halt that this equity breaches, then begin to flatten. Does nothing when none is breached."""
        self.absorb()
        watch = self.state.watch
        found = watch.breach(self._caps, equity) if watch.phase is HaltPhase.ACTIVE else None
        if found is None:
            return
        cause, level = found
        await self._latch(cause, ts, equity, level)

    async def flatten(self, ts: int) -> None:
        """Get flat because a person wants to be: the same latch and the same way out, but no halt at its end.

        Does nothing where the account is flattening or halted already.
        """
        self.absorb()
        if self.state.watch.phase is HaltPhase.ACTIVE:
            await self._latch(HaltCause.BY_HAND, ts, self._broker.equity(), ZERO)

    async def pursue(self, ts: int) -> None:
        """Go on with a flattening that was begun, as after a restart. Does nothing where there is none."""
        self.absorb()
        if self.state.watch.phase is HaltPhase.FLATTENING:
            await self._pursue(ts)

    async def _latch(self, cause: HaltCause, ts: int, equity: Decimal, level: Decimal) -> None:
        """Commit that the account is to get flat, before anything is done about it."""
        watch = self.state.watch
        watch.cause, watch.since, watch.attempts = cause, ts, 0
        self._move(HaltEvent.BREACHED, ts, equity, level)
        await self._journal.commit()
        await self._pursue(ts)

    async def reset_halt(self, ts: int) -> HaltChanged:
        """Lift a halt by hand, as a person. A drawdown's also makes the peak what equity is now.

        Raises IllegalHalt when the account is not halted.
        """
        watch, equity = self.state.watch, self._broker.equity()
        phase = after(watch.phase, HaltEvent.LIFTED)
        assert watch.cause is not None
        peak = equity if watch.cause is HaltCause.DRAWDOWN else None
        watch.peak = watch.peak if peak is None else peak
        lifted = HaltChanged(ts, phase, watch.cause, equity, ZERO, peak)
        watch.phase = phase
        self._note(lifted)
        await self._journal.commit()
        self._arm()
        return lifted

    def _open_day(self, ts: int, equity: Decimal) -> None:
        watch = self.state.watch
        watch.day_ends, watch.baseline = end_of_day(ts), canonical(equity)
        self._note(DayOpened(ts, watch.baseline))
        if watch.lifts_with_the_day(self._caps):
            self._move(HaltEvent.LIFTED, ts, equity, ZERO)
        self._arm()

    async def _pursue(self, ts: int) -> None:
        """One attempt at getting flat; when the account is, the halt is complete."""
        watch, book = self.state.watch, self.state.book
        attempt = flatten.steps(book, self._broker, self._caps, ts, watch.attempts)
        if attempt.cancels or attempt.closes:
            halt = decision_id(f"{self._account}:halt", watch.since)
            closes = [
                self._named(order, halt, index, attempt=watch.attempts)
                for index, order in enumerate(attempt.closes)
            ]
            watch.attempts += bool(closes)
            await self._send(None, ts, halt, closes, attempt.cancels)
        if flatten.is_flat(self.state.book):
            self._move(HaltEvent.FLAT, ts, self._broker.equity(), ZERO)
            if watch.cause is HaltCause.BY_HAND:
                self._move(HaltEvent.LIFTED, ts, self._broker.equity(), ZERO)
            await self._journal.commit()

    def _move(self, event: HaltEvent, ts: int, equity: Decimal, level: Decimal) -> None:
        watch = self.state.watch
        assert watch.cause is not None
        watch.phase = after(watch.phase, event)
        self._note(HaltChanged(ts, watch.phase, watch.cause, canonical(equity), canonical(level)))
        self._arm()

    def _arm(self) -> None:
        """Have the venue watch the level at which the next halt would be due."""
        self._level = self.state.watch.level(self._caps)
        self._broker.set_alarm(self._level)

    def desk(self, ts: int) -> Desk:
        """What a decision made at this moment may look at."""
        watch = self.state.watch
        halted_by = watch.cause.value if self.is_halted and watch.cause else ""
        return Desk(ts, self._symbols, self._caps, self.state.book, self._broker, halted_by)


def start(cash: Decimal, ts: int, positions: dict[str, Position] | None = None) -> EngineState:
    """The state of an account that begins with this equity."""
    return EngineState(Book(positions or {}), Watch.start(cash, ts))


def _only_reduces(action: Action) -> bool:
    """Whether an action can do nothing but reduce, and so is never refused for its number."""
    return isinstance(action, ClosePosition) or (isinstance(action, ProposeOrder) and action.reduce_only)
