"""Round trips: what was earned and paid from flat to flat.

A trade begins when a position leaves zero and ends when it is back at zero. A fill through zero ends one
trade and begins the next: its fee is split in proportion to size, and what it realized belongs to the one
that ended.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from operator import attrgetter

import msgspec

from domain.events import FundingPaid
from domain.money import USD_QUANTUM, ZERO, truncate_usd
from domain.orders import Fill
from domain.time import iso

_moment = attrgetter("ts")
_amount = attrgetter("amount")

PX_QUANTUM = Decimal("0.00000001")
"""Average prices are kept to this, since a quotient may have no end."""


class Direction(StrEnum):
    """Which way a position looks."""

    LONG = "long"
    SHORT = "short"


class Trade(msgspec.Struct, frozen=True):
    """One round trip; while it is open, `exit_ts` is None and `net` is what it has booked so far.

    Sizes are base units and positive; money is USD. `net` = `realized` + `funding` − `fees`; `slippage_usd`
    is part of `realized` already. `return_pct` is `net` in percent of `entry_notional_usd`, all that was
    paid to get in. `ended_by` is the last fill's cause ("" while open). `decisions` are the ids behind its
    orders, `fills` the places of its fills in the run's; both in order of time.
    """

    symbol: str
    side: Direction
    entry_ts: int
    exit_ts: int | None
    entry_px: Decimal
    exit_px: Decimal | None
    max_size: Decimal
    entry_notional_usd: Decimal
    realized: Decimal
    fees: Decimal
    slippage_usd: Decimal
    funding: Decimal
    net: Decimal
    return_pct: Decimal
    ended_by: str
    decisions: tuple[str, ...]
    fills: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """Whether the position was still held at the end."""
        return self.exit_ts is None


def slippage_usd(fill: Fill) -> Decimal:
    """What a fill cost against the tape's price, in USD; negative where it got a better one."""
    return fill.side.sign * (fill.px - fill.reference_px) * fill.size


def trades(
    fills: Sequence[Fill],
    funding: Sequence[FundingPaid] = (),
    order_decisions: Mapping[int, str] | None = None,
) -> list[Trade]:
    """Fold an account's fills, which began flat, into its trades, in order of entry.

    Nothing is lost or counted twice: the trades' fees, slippage, realized PnL and funding add up to the
    account's. A funding row belongs to the trade that was held when it was paid. Raises ValueError for
    funding of a symbol that was never held.
    """
    own: dict[str, list[tuple[int, Fill]]] = {}
    for place, fill in enumerate(fills):
        own.setdefault(fill.symbol, []).append((place, fill))
    paid: dict[str, list[FundingPaid]] = {}
    for row in funding:
        paid.setdefault(row.symbol, []).append(row)
    decided = order_decisions or {}
    found = [
        trade.done(fills, decided)
        for symbol in dict.fromkeys([*own, *paid])
        for trade in _of_symbol(own.get(symbol, ()), paid.get(symbol, ()))
    ]
    return sorted(found, key=lambda trade: trade.fills[0])


def _of_symbol(fills: Iterable[tuple[int, Fill]], funding: Sequence[FundingPaid]) -> list["_Making"]:
    made: list[_Making] = []
    paid = 0
    for place, fill in fills:
        before = fill.position - fill.side.sign * fill.size
        due = bisect_left(funding, fill.ts, paid, key=_moment)
        while due < len(funding) and _was_charged(funding[due], fill.ts, before):
            due += 1
        _pay(made, funding[paid:due])
        _apply(made, place, fill, before)
        paid = due
    _pay(made, funding[paid:])
    return made


def _was_charged(row: FundingPaid, ts: int, position: Decimal) -> bool:
    """Whether this position was charged at this instant: it tells the order of a payment and a fill."""
    return row.ts == ts and row.position == position and bool(position)


def _pay(made: list["_Making"], rows: Sequence[FundingPaid]) -> None:
    if rows and not made:
        raise ValueError(
            f"funding of {rows[0].symbol} at {iso(rows[0].ts)} has no position: no fill opened one"
        )
    if rows:
        made[-1].funding += sum(map(_amount, rows), ZERO)


def _apply(made: list["_Making"], place: int, fill: Fill, before: Decimal) -> None:
    """Book a fill onto the trade it reduces, the one it raises, or, through zero, both."""
    closing = min(fill.size, abs(before)) if before * fill.side.sign < 0 else ZERO
    opening = fill.size - closing
    fee = truncate_usd(fill.fee * closing / fill.size) if opening else fill.fee
    slip = fill.side.sign * (fill.px - fill.reference_px)
    if closing:
        made[-1].reduce(place, fill, closing, fee, slip * closing)
    if opening:
        if not before or closing:
            made.append(_Making(fill))
        made[-1].enlarge(place, fill, opening, fill.fee - fee if closing else fill.fee, slip * opening)


class _Making:
    """A trade being put together."""

    __slots__ = (
        "entry_notional",
        "entry_size",
        "exit_notional",
        "exit_size",
        "fees",
        "first",
        "funding",
        "max_size",
        "places",
        "realized",
        "size",
        "slippage",
    )

    def __init__(self, first: Fill) -> None:
        self.first = first
        self.size = self.max_size = ZERO
        self.entry_size = self.entry_notional = self.exit_size = self.exit_notional = ZERO
        self.realized = self.fees = self.slippage = self.funding = ZERO
        self.places: list[int] = []

    def enlarge(self, place: int, fill: Fill, size: Decimal, fee: Decimal, slippage: Decimal) -> None:
        self.size += size
        self.max_size = max(self.max_size, self.size)
        self.entry_size += size
        self.entry_notional += size * fill.px
        self._note(place, fee, slippage)

    def reduce(self, place: int, fill: Fill, size: Decimal, fee: Decimal, slippage: Decimal) -> None:
        self.size -= size
        self.exit_size += size
        self.exit_notional += size * fill.px
        self.realized += fill.realized
        self._note(place, fee, slippage)

    def _note(self, place: int, fee: Decimal, slippage: Decimal) -> None:
        self.fees += fee
        self.slippage += slippage
        self.places.append(place)

    def done(self, fills: Sequence[Fill], decided: Mapping[int, str]) -> Trade:
        """The finished record, whether or not the position is closed."""
        last = fills[self.places[-1]]
        ended = not self.size
        net = self.realized + self.funding - self.fees
        orders = dict.fromkeys(fills[place].order for place in self.places)
        return Trade(
            symbol=self.first.symbol,
            side=Direction.LONG if self.first.side.sign > 0 else Direction.SHORT,
            entry_ts=self.first.ts,
            exit_ts=last.ts if ended else None,
            entry_px=_quotient(self.entry_notional, self.entry_size, PX_QUANTUM),
            exit_px=_quotient(self.exit_notional, self.exit_size, PX_QUANTUM) if self.exit_size else None,
            max_size=self.max_size,
            entry_notional_usd=self.entry_notional,
            realized=self.realized,
            fees=self.fees,
            slippage_usd=self.slippage,
            funding=self.funding,
            net=net,
            return_pct=_quotient(net * 100, self.entry_notional, USD_QUANTUM),
            ended_by=last.cause if ended else "",
            decisions=tuple(dict.fromkeys(decided[number] for number in orders if number in decided)),
            fills=tuple(self.places),
        )


def _quotient(amount: Decimal, by: Decimal, quantum: Decimal) -> Decimal:
    return (amount / by).quantize(quantum, rounding=ROUND_HALF_EVEN)
