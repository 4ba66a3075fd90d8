"""A cross-margin account's books, as exact arithmetic.

The truth is raw USD + Σ position × mark. Cash = start + realized + funding − fees + transfers + adjustments; raw USD
is cash less the cost of what is held. Formulas: Hyperliquid docs, entry-price-and-pnl and margining.
"""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from domain.money import ZERO

COST_QUANTUM = Decimal("0.00000001")


class Position(msgspec.Struct, frozen=True):
    """What is held of one symbol: signed size in base units, and its signed cost in USD (0 when flat)."""

    size: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def entry_px(self) -> Decimal | None:
        """The average price paid, None when flat."""
        return self.cost / self.size if self.size else None

    def unrealized(self, mark: Decimal) -> Decimal:
        """Open PnL at a mark, in USD."""
        return self.size * mark - self.cost

    def after(self, signed_size: Decimal, px: Decimal) -> tuple["Position", Decimal]:
        """The position after a fill, and the PnL that the fill realized.

        A reduction releases cost in proportion, by subtraction, so that nothing is lost to rounding; a flip closes
        all and reopens the remainder at the same price.
        """
        size = self.size + signed_size
        if self.size * signed_size >= 0:
            return Position(size, self.cost + signed_size * px), ZERO
        if not size:
            return Position(), -signed_size * px - self.cost
        if size * self.size < 0:
            return Position(size, size * px), self.size * px - self.cost
        released = (self.cost * -signed_size / self.size).quantize(COST_QUANTUM, rounding=ROUND_HALF_EVEN)
        return Position(size, self.cost - released), -signed_size * px - released


FLAT = Position()


class Account(msgspec.Struct):
    """The running sums of one account, all USD. Mutable: the venue that owns it books onto it."""

    start: Decimal
    realized: Decimal = ZERO
    funding: Decimal = ZERO
    fees: Decimal = ZERO
    transfers: Decimal = ZERO
    adjustments: Decimal = ZERO

    @property
    def cash(self) -> Decimal:
        """start + realized + funding − fees + transfers + adjustments."""
        return self.start + self.realized + self.funding - self.fees + self.transfers + self.adjustments
