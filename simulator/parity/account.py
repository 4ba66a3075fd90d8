"""One account's record, read for comparison: what each fill came from, and what all of it amounts to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

import msgspec

from domain.events import Adjusted, FundingPaid, OrderChanged
from domain.ids import decision_id
from domain.journal import Entry, HaltCause, HaltChanged, HaltPhase, IntentRecorded
from domain.money import ZERO
from domain.orders import Fill, Order, Side
from domain.snapshots import DecisionSnapshot
from domain.time import HOUR_MS, floor_to

_FOREVER = 2**62


class Origin(StrEnum):
    """Who wanted a fill."""

    TICK = "tick"
    HALT = "halt"
    BY_HAND = "by_hand"
    LIQUIDATION = "liquidation"


class Key(msgspec.Struct, frozen=True, order=True):
    """What makes an order of one record the same as one of another, though their numbers differ.

    `at` is the tick (UTC ms) for one that a tick wanted, else the number of the halt, liquidation or flattening among
    those of its kind. `nth` counts orders that are alike in all else.
    """

    origin: Origin
    at: int
    symbol: str
    side: Side
    kind: str
    nth: int = 0
    name: str = ""  # of what was done by hand: nothing on the other side is like it


class Executed(msgspec.Struct, frozen=True):
    """What of one order was filled: base units, and USD (`usd` is Σ price × size, `reference_usd` without costs)."""

    key: Key
    first_ts: int
    size: Decimal
    usd: Decimal
    reference_usd: Decimal
    fees: Decimal

    @property
    def signed(self) -> Decimal:
        """What it did to the position."""
        return self.key.side.sign * self.size

    def worth(self, mark: Decimal) -> Decimal:
        """What it has brought, in USD, once the position that it made is valued at a mark."""
        return self.signed * mark - self.key.side.sign * self.usd - self.fees


class Halted(msgspec.Struct, frozen=True):
    """A time in which an account could open nothing, [from, to) in UTC ms, and whether a person wanted it so."""

    from_ts: int
    to_ts: int
    by_hand: bool


class Paid(msgspec.Struct, frozen=True):
    """The funding of one symbol and hour: the signed size it was for, and USD, positive when received."""

    position: Decimal
    amount: Decimal


NOTHING_PAID = Paid(ZERO, ZERO)


class AccountRecord(msgspec.Struct, frozen=True, dict=True):
    """All that one account went through, in order. `name` is the account's in the ids of its decisions.

    `due` are the instants (UTC ms) of the ticks that its schedule asked for; `equity` are points, USD.
    """

    name: str
    start_usd: Decimal
    entries: Sequence[Entry]
    decisions: Sequence[DecisionSnapshot]
    equity: Sequence[tuple[int, Decimal]]
    due: Sequence[int]

    @cached_property
    def by_tick(self) -> Mapping[int, DecisionSnapshot]:
        """The decisions by their tick."""
        return {decision.tick_ts: decision for decision in self.decisions}

    @cached_property
    def ticks(self) -> Mapping[str, int]:
        """The tick of every decision id there can be."""
        named = {decision_id(self.name, ts): ts for ts in self.due}
        return {**named, **{decision.id: decision.tick_ts for decision in self.decisions}}

    @cached_property
    def fills(self) -> list[Fill]:
        """The fills, in order."""
        return [entry for entry in self.entries if isinstance(entry, Fill)]

    @cached_property
    def interrupted(self) -> frozenset[int]:
        """Ticks that were cut short, by whatever it was.

        Something may have been done at them, and nobody knows what else would have been.
        """
        intents = (entry for entry in self.entries if isinstance(entry, IntentRecorded))
        begun = {self.ticks.get(intent.decision_id) for intent in intents}
        kept_so = {ts for ts, decision in self.by_tick.items() if decision.was_cut_short}
        return frozenset(ts for ts in begun if ts is not None and ts not in self.by_tick) | kept_so

    @cached_property
    def halts(self) -> list[Halted]:
        """The times in which the account was flattening or halted."""
        found, begun = [], None
        for entry in self.entries:
            if not isinstance(entry, HaltChanged):
                continue
            if entry.phase is HaltPhase.FLATTENING:
                begun = entry
            elif entry.phase is HaltPhase.ACTIVE and begun is not None:
                found.append(Halted(begun.ts, entry.ts, begun.cause is HaltCause.BY_HAND))
                begun = None
        if begun is not None:
            found.append(Halted(begun.ts, _FOREVER, begun.cause is HaltCause.BY_HAND))
        return found

    def halt_at(self, ts: int) -> Halted | None:
        """The halt that held at an instant, if one did."""
        return next((halt for halt in self.halts if halt.from_ts <= ts < halt.to_ts), None)

    @cached_property
    def executed(self) -> Mapping[Key, Executed]:
        """What was filled of each order."""
        found: dict[Key, list[Fill]] = defaultdict(list)
        for key, fill in self._keyed():
            found[key].append(fill)
        return {key: _sum(key, fills) for key, fills in found.items()}

    @cached_property
    def funding(self) -> Mapping[tuple[str, int], Paid]:
        """What was paid for funding, by symbol and settlement hour."""
        found: dict[tuple[str, int], Paid] = {}
        for row in self.entries:
            if isinstance(row, FundingPaid):
                at = (row.symbol, floor_to(row.ts, HOUR_MS))
                before = found[at].amount if at in found else ZERO
                found[at] = Paid(row.position, before + row.amount)
        return found

    @cached_property
    def adjusted(self) -> Decimal:
        """What was written off or taken away, in USD."""
        return sum((entry.amount for entry in self.entries if isinstance(entry, Adjusted)), ZERO)

    @cached_property
    def positions(self) -> Mapping[str, Decimal]:
        """What is held at the end: signed sizes, none that is zero."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for fill in self.fills:
            held[fill.symbol] += fill.side.sign * fill.size
        return {symbol: size for symbol, size in held.items() if size}

    def worth(self, marks: Mapping[str, Decimal]) -> Decimal:
        """The account in USD, from its entries alone: the start, and what each has brought."""
        filled = sum((one.worth(marks[one.key.symbol]) for one in self.executed.values()), ZERO)
        funding = sum((row.amount for row in self.funding.values()), ZERO)
        return self.start_usd + filled + funding + self.adjusted

    def refusals(self, ts: int) -> tuple[tuple[str, ...], ...]:
        """For each action of a tick, the names of the caps that refused it."""
        decision = self.by_tick.get(ts)
        verdicts = () if decision is None else decision.verdicts
        return tuple(tuple(one.cap for one in verdict.refusals) for verdict in verdicts)

    def _keyed(self) -> Iterator[tuple[Key, Fill]]:
        """Each fill with the key of its order."""
        orders = {order.number: order for order in _orders(self.entries)}
        began = [halt.from_ts for halt in self.halts]
        keys: dict[int, Key] = {}
        taken: dict[Key, int] = defaultdict(int)
        for fill in self.fills:
            order = orders.get(fill.order)
            if order is None:
                first = Key(Origin.LIQUIDATION, 0, fill.symbol, fill.side, fill.cause)
                key = _numbered(first, taken)
            elif fill.order in keys:
                key = keys[fill.order]
            else:
                key = keys[fill.order] = _numbered(self._key(order, fill, began), taken)
            yield key, fill

    def _key(self, order: Order, fill: Fill, halts: Sequence[int]) -> Key:
        tick = self.ticks.get(order.decision_id)
        if tick is not None:
            return Key(Origin.TICK, tick, fill.symbol, fill.side, fill.cause)
        for number, since in enumerate(halts):
            if order.decision_id == decision_id(f"{self.name}:halt", since):
                by_hand = self.halts[number].by_hand
                origin, name = (Origin.BY_HAND, order.decision_id) if by_hand else (Origin.HALT, "")
                return Key(origin, number, fill.symbol, fill.side, fill.cause, name=name)
        return Key(Origin.BY_HAND, 0, fill.symbol, fill.side, fill.cause, name=order.decision_id)


def _orders(entries: Iterable[Entry]) -> Iterator[Order]:
    for entry in entries:
        if isinstance(entry, IntentRecorded):
            yield from entry.orders
        elif isinstance(entry, OrderChanged):
            yield entry.order


def _numbered(key: Key, taken: dict[Key, int]) -> Key:
    """The key, told apart from those that are alike."""
    nth = taken[key]
    taken[key] += 1
    return msgspec.structs.replace(key, nth=nth) if nth else key


def _sum(key: Key, fills: Sequence[Fill]) -> Executed:
    return Executed(
        key=key,
        first_ts=fills[0].ts,
        size=sum((fill.size for fill in fills), ZERO),
        usd=sum((fill.size * fill.px for fill in fills), ZERO),
        reference_usd=sum((fill.size * fill.reference_px for fill in fills), ZERO),
        fees=sum((fill.fee for fill in fills), ZERO),
    )
