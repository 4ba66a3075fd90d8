"""The paper account: orders, positions, margin and cash, by the rules in docs/trading-rules.md.

This part knows what a fill, a margin check, a funding payment and a liquidation do. When they happen is decided by
who drives it: `replay.py` from a tape, `quotes.py` from live quotes.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from brokers.base import Approved, Found, Lost
from brokers.paper.costs import Costs, kept
from brokers.paper.live import LiveMarket
from brokers.paper.margin import Priced, initial_margin_usd, side_of
from domain.account import FLAT, Account, Position
from domain.events import Adjusted, FundingPaid, Liquidated, OrderChanged, VenueEvent
from domain.instruments import Instrument
from domain.money import USD_QUANTUM, ZERO, canonical, truncate_usd
from domain.orders import Fill, Liquidity, Order, OrderEvent, OrderKind, Side
from domain.snapshots import AccountView


class VenueState(msgspec.Struct):
    """All that the venue remembers between two instants. Encodes to a checkpoint and back without loss."""

    account: Account
    positions: dict[str, Position] = {}
    orders: dict[int, Order] = {}  # live ones, by number, in order of approval
    leverage: dict[str, int] = {}
    next_number: int = 1
    funding_rows: dict[str, int] = {}  # rows of each symbol's funding that are settled
    market: LiveMarket | msgspec.UnsetType = (
        msgspec.UNSET
    )  # on live quotes: what was seen; not written where unset


class PaperVenue:
    """One account. Subclasses say what the marks are and when orders meet prices."""

    def __init__(self, state: VenueState, instruments: dict[str, Instrument], costs: Costs) -> None:
        self.state = state
        self.costs = costs
        self._instruments = instruments
        self._events: list[VenueEvent] = []
        self._alarm: Decimal | None = None
        self._raw_usd = state.account.cash - sum((p.cost for p in state.positions.values()), ZERO)

    # What the driver supplies.

    def mark(self, symbol: str) -> Decimal | None:
        """The fresh mark, None when there is none."""
        raise NotImplementedError

    def _mark_now(self, symbol: str) -> Decimal:
        """The mark that the books use, fresh or not."""
        raise NotImplementedError

    def _ts(self) -> int:
        """The instant that what happens now is stamped with."""
        raise NotImplementedError

    def _changed(self) -> None:
        """Positions, orders or cash are not what they were."""

    # Reads.

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol)

    def equity(self) -> Decimal:
        """Raw USD + Σ position × mark."""
        total = self._raw_usd
        for symbol, position in self.state.positions.items():
            total += position.size * self._mark_now(symbol)
        return total

    def account(self, ts: int) -> AccountView:
        sizes = {symbol: position.size for symbol, position in self.state.positions.items()}
        return AccountView(ts, self.state.account.cash, self.equity(), sizes)

    def drain(self) -> Sequence[VenueEvent]:
        if not self._events:
            return ()
        events, self._events = self._events, []
        return events

    def set_alarm(self, equity_usd: Decimal | None) -> None:
        self._alarm = equity_usd

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage that new exposure in a symbol is margined at."""
        self.state.leverage[symbol] = leverage

    async def look_up(self, client_id: str) -> Found | Lost:
        """A live order by its client id. What is over was told of when it ended."""
        for order in self.state.orders.values():
            if order.client_id == client_id:
                return Found(order)
        return Lost.FOR_GOOD

    def take_number(self) -> int:
        number = self.state.next_number
        self.state.next_number += 1
        return number

    # Writes, for the engine alone.

    async def place(self, order: Approved[Order]) -> None:
        """Accept or reject an order. A protection replaces the one of its kind; others wait for the next prices.

        Legal prices, sizes and the smallest notional are the engine's to see to; a market order without a bound
        takes any price.
        """
        new = order.what.after(OrderEvent.SENT, ts=self._ts())
        if self.instrument(new.symbol) is None:
            self._close(new, OrderEvent.REJECTED, "unknownSymbol")
        elif new.kind.is_protection:
            self._place_protection(new)
        elif not self._margin_allows(new, self._price_of(new)):
            self._close(new, OrderEvent.REJECTED, "perpMargin")
        elif new.reduce_only and not self._reducible(new):
            self._close(new, OrderEvent.REJECTED, "reduceOnly")
        else:
            self._keep(new)

    async def cancel(self, number: Approved[int]) -> None:
        """Withdraw a live order at once."""
        order = self.state.orders.get(number.what)
        if order is not None:
            self._close(order, OrderEvent.CANCELLED, "cancelled")

    # Orders.

    def _keep(self, order: Order) -> None:
        self.state.orders[order.number] = order
        self._events.append(OrderChanged(self._ts(), order))
        self._changed()

    def _close(self, order: Order, event: OrderEvent, reason: str) -> None:
        self.state.orders.pop(order.number, None)
        self._events.append(OrderChanged(self._ts(), order.after(event, ts=self._ts(), reason=reason)))
        self._changed()

    def _place_protection(self, order: Order) -> None:
        position = self.state.positions.get(order.symbol, FLAT)
        if position.size * order.side.sign >= 0:
            self._close(order, OrderEvent.REJECTED, "reduceOnly")
            return
        for other in self._live(order.symbol):
            if other.kind is order.kind and not other.triggered:  # one that has fired works on to the end
                self._close(other, OrderEvent.CANCELLED, "replaced")
        self._keep(order.after(OrderEvent.RESTED, ts=self._ts()))

    def _live(self, symbol: str) -> list[Order]:
        return [order for order in self.state.orders.values() if order.symbol == symbol]

    def _cancel_reducing(self, symbol: str, reason: str) -> None:
        """Cancel what could only have closed a position that is gone."""
        for order in self._live(symbol):
            if order.reduce_only:
                self._close(order, OrderEvent.CANCELLED, reason)

    def _reducible(self, order: Order) -> Decimal:
        """How much a reduce-only order may still close: at most what is held against it."""
        held = self.state.positions.get(order.symbol, FLAT).size * -order.side.sign
        return max(ZERO, held if order.kind.is_protection else min(held, order.remaining))

    # Fills.

    def _fill(
        self, order: Order, size: Decimal, px: Decimal, reference: Decimal, liquidity: Liquidity
    ) -> Order:
        """Book a fill of an order that is in the state's hands; gives the order after it."""
        held = self.state.positions.get(order.symbol, FLAT).size
        if order.kind.is_protection:  # it covers the position as it is now
            order = msgspec.structs.replace(order, size=order.filled + abs(held))
        is_whole = size >= order.remaining
        event = OrderEvent.FILLED if is_whole else OrderEvent.PART_FILLED
        enters = not order.filled or held * order.side.sign <= ZERO
        after = order.after(event, ts=self._ts(), filled=size)
        flipped_or_flat = self._book(order, order.side, size, px, reference, liquidity, order.kind.value)
        if is_whole:
            self.state.orders.pop(order.number, None)
        else:
            self.state.orders[order.number] = after
        self._events.append(OrderChanged(self._ts(), after))
        if flipped_or_flat:
            self._cancel_reducing(order.symbol, "reduceOnlyCanceled")
        if enters:
            self._attach_protections(after)
        self._write_off()
        self._changed()
        return after

    def _book(
        self,
        order: Order | None,
        side: Side,
        size: Decimal,
        px: Decimal,
        reference: Decimal,
        liquidity: Liquidity,
        cause: str,
        *,
        symbol: str = "",
        fee: Decimal | None = None,
    ) -> bool:
        """Put a fill in the books and report it; tells whether the position that was held is gone."""
        name = order.symbol if order is not None else symbol
        px, reference = canonical(px), canonical(reference)
        account, before = self.state.account, self.state.positions.get(name, FLAT)
        after, realized = before.after(side.sign * size, px)
        paid = self.costs.fee(size, px, liquidity) if fee is None else fee
        account.realized += realized
        account.fees += paid
        self._set_position(name, after)
        self._events.append(
            Fill(
                ts=self._ts(),
                order=order.number if order is not None else 0,
                symbol=name,
                side=side,
                size=size,
                px=px,
                fee=paid,
                realized=realized,
                reference_px=reference,
                liquidity=liquidity,
                cause=cause,
                position=after.size,
                cash=account.cash,
            )
        )
        return bool(before.size) and before.size * after.size <= 0

    def _set_position(self, symbol: str, position: Position) -> None:
        if position.size:
            self.state.positions[symbol] = position
        else:
            self.state.positions.pop(symbol, None)
        self._raw_usd = self.state.account.cash - sum((p.cost for p in self.state.positions.values()), ZERO)

    def _attach_protections(self, entry: Order) -> None:
        """Place the stop and take-profit that an entry brought: at its first fill, and when it opens anew."""
        position = self.state.positions.get(entry.symbol, FLAT)
        if position.size * entry.side.sign <= 0:
            return
        for kind, trigger in ((OrderKind.STOP, entry.stop_px), (OrderKind.TAKE_PROFIT, entry.take_profit_px)):
            if trigger is not None:
                self._place_protection(
                    Order(
                        number=self.take_number(),
                        client_id=f"{entry.client_id}:{kind.value}",
                        symbol=entry.symbol,
                        side=entry.side.opposite,
                        kind=kind,
                        size=abs(position.size),
                        created_ts=self._ts(),
                        trigger_px=trigger,
                        reduce_only=True,
                        decision_id=entry.decision_id,
                    ).after(OrderEvent.SENT, ts=self._ts())
                )

    # Margin.

    def _price_of(self, order: Order) -> Decimal:
        if order.kind is OrderKind.LIMIT and order.limit_px is not None:
            return order.limit_px
        return self._mark_now(order.symbol)

    def _margin_allows(self, order: Order, px: Decimal, liquidity: Liquidity | None = None) -> bool:
        """Whether equity − fee ≥ Σ |position| × mark / L + raising orders / L, with this order among them.

        What reduces needs no margin: a reduce-only order, or one no larger than the position it goes against.
        """
        held = self.state.positions.get(order.symbol, FLAT).size
        if order.reduce_only or order.remaining <= held * -order.side.sign:
            return True
        orders = [
            Priced(o, self._price_of(o)) for o in self.state.orders.values() if o.number != order.number
        ]
        needed = initial_margin_usd(
            self.state.positions, [*orders, Priced(order, px)], self.state.leverage, self._mark_now
        )
        if liquidity is None:
            liquidity = Liquidity.MAKER if order.kind is OrderKind.LIMIT else Liquidity.TAKER
        return self.equity() - self.costs.fee(order.remaining, px, liquidity) >= needed

    def _maintenance(self) -> Decimal:
        """Maintenance margin of all positions at the marks, in USD."""
        return sum(
            (
                self._instruments[symbol].maintenance_usd(abs(position.size) * self._mark_now(symbol))
                for symbol, position in self.state.positions.items()
            ),
            ZERO,
        )

    # Funding, liquidation.

    def _pay_funding(self, symbol: str, rate: Decimal, price: Decimal, held: Decimal | None = None) -> None:
        """Settle one rate on what was `held`, in base units; on what is held now where that isn't given."""
        size = self.state.positions.get(symbol, FLAT).size if held is None else held
        if not size:
            return
        amount = -truncate_usd(size * price * rate)
        self.state.account.funding += amount
        self._raw_usd += amount
        cash = self.state.account.cash
        self._events.append(FundingPaid(self._ts(), symbol, rate, canonical(price), size, amount, cash))
        self._changed()

    def _liquidate(self, volumes: dict[str, Decimal]) -> None:
        """Close everything at the marks, worsened, with a taker fee; write off what is missing."""
        self._announce_liquidation(backstop=False)
        self._cancel_all("liquidatedCanceled")
        for symbol in sorted(self.state.positions):
            size = self.state.positions[symbol].size
            side = side_of(size).opposite
            mark = kept(self._mark_now(symbol))
            px = self.costs.fill_price(mark, side, abs(size), volumes[symbol], self._instruments[symbol])
            self._book(None, side, abs(size), px, mark, Liquidity.TAKER, "liquidation", symbol=symbol)
        self._write_off()
        self._changed()

    def _backstop(self) -> None:
        """The account is taken over whole: positions leave at the mark, and the cash goes with them."""
        self._announce_liquidation(backstop=True)
        self._cancel_all("liquidatedCanceled")
        for symbol in sorted(self.state.positions):
            size = self.state.positions[symbol].size
            side, mark = side_of(size).opposite, self._mark_now(symbol)
            self._book(
                None, side, abs(size), mark, mark, Liquidity.TAKER, "backstop", symbol=symbol, fee=ZERO
            )
        cash = self.state.account.cash
        if cash:
            self._adjust(-cash, "backstop" if cash > ZERO else "bankrupt")
        self._changed()

    def _announce_liquidation(self, *, backstop: bool) -> None:
        marks = {symbol: kept(self._mark_now(symbol)) for symbol in sorted(self.state.positions)}
        equity, maintenance = self.equity().quantize(USD_QUANTUM), self._maintenance().quantize(USD_QUANTUM)
        self._events.append(Liquidated(self._ts(), equity, maintenance, marks, backstop))

    def _cancel_all(self, reason: str) -> None:
        for order in list(self.state.orders.values()):
            self._close(order, OrderEvent.CANCELLED, reason)

    def _write_off(self) -> None:
        """When nothing is held any more, what is owed beyond the cash is gone: nobody can collect it."""
        cash = self.state.account.cash
        if cash < ZERO and not self.state.positions:
            self._adjust(-cash, "bankrupt")

    def _adjust(self, amount: Decimal, reason: str) -> None:
        self.state.account.adjustments += amount
        self._raw_usd += amount
        self._events.append(Adjusted(self._ts(), amount, reason, self.state.account.cash))
