"""What a venue tells about an account. The engine's book and the ledger are made of these and nothing else."""

from decimal import Decimal

import msgspec

from domain.orders import Fill, Order


class OrderChanged(msgspec.Struct, frozen=True, tag="order"):
    """An order was accepted, rejected, cancelled, filled or expired: this is how it stands now."""

    ts: int
    order: Order


class FundingPaid(msgspec.Struct, frozen=True, tag="funding"):
    """One settlement of one symbol. `amount` is USD, positive when received."""

    ts: int
    symbol: str
    rate: Decimal
    price: Decimal
    position: Decimal
    amount: Decimal
    cash: Decimal


class Liquidated(msgspec.Struct, frozen=True, tag="liquidation"):
    """Equity met maintenance and the positions were closed. `backstop`: the account was taken over whole.

    Both amounts are USD at the marks, to 1e-6.
    """

    ts: int
    equity: Decimal
    maintenance: Decimal
    marks: dict[str, Decimal]
    backstop: bool


class Adjusted(msgspec.Struct, frozen=True, tag="adjustment"):
    """A change of cash that is not trading: a written-off deficit ("bankrupt") or a backstop's take."""

    ts: int
    amount: Decimal
    reason: str
    cash: Decimal


VenueEvent = OrderChanged | Fill | FundingPaid | Liquidated | Adjusted
