"""A perpetual's facts: what prices and sizes are legal, and how much margin it takes.

Venue facts: at most 5 significant figures and 6 − szDecimals decimals in a price, integers always legal; a size is
a multiple of 10^−szDecimals; maintenance margin = notional × 1 / (2 × the tier's leverage) − deduction, where the
deductions make it continuous (Hyperliquid docs: tick-and-lot-size, margin-tiers).
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from enum import Enum

import msgspec

from domain.money import ZERO

MIN_NOTIONAL_USD = Decimal(10)
SIGNIFICANT_FIGURES = 5
PRICE_DECIMALS = 6


class Toward(Enum):
    """Which way a price is moved to become legal."""

    UP = ROUND_CEILING
    DOWN = ROUND_FLOOR


class MarginTier(msgspec.Struct, frozen=True):
    """From this notional (USD) upwards, at most this leverage."""

    lower_bound_usd: Decimal
    max_leverage: int


class Instrument(msgspec.Struct, frozen=True):
    """One perpetual. `assumed` marks facts a person typed in, instead of the venue's own."""

    symbol: str
    sz_decimals: int
    max_leverage: int
    tiers: tuple[MarginTier, ...] = ()
    assumed: bool = False
    source: str = ""

    @property
    def lot(self) -> Decimal:
        """The smallest size step, in base units."""
        return Decimal(1).scaleb(-self.sz_decimals)

    @property
    def largest_maintenance_rate(self) -> Decimal:
        """What maintenance margin takes of a notional at most, in any tier."""
        leverage = min((tier.max_leverage for tier in self.tiers), default=self.max_leverage)
        return 1 / Decimal(2 * leverage)

    @property
    def smallest_price(self) -> Decimal:
        """The smallest legal price above zero, in USD."""
        return Decimal(1).scaleb(min(0, self.sz_decimals - PRICE_DECIMALS))

    def legal_price(self, price: Decimal, toward: Toward) -> Decimal:
        """The nearest legal price at or beyond `price` in the given direction. Raises ValueError if none is > 0."""
        if price <= ZERO:
            raise ValueError(f"a price must be positive, was {price}")
        whole = price.to_integral_value()
        if price == whole:
            return whole
        legal = price.quantize(_price_step(price, self.sz_decimals), rounding=toward.value)
        if legal <= ZERO:
            raise ValueError(f"{price} is below the smallest legal price of {self.symbol}")
        return legal

    def legal_size(self, size: Decimal) -> Decimal:
        """`size` rounded down to whole lots; 0 when less than one lot."""
        return size.quantize(self.lot, rounding=ROUND_DOWN)

    def maintenance_usd(self, notional_usd: Decimal) -> Decimal:
        """Maintenance margin of a position of this notional (≥ 0), by the venue's tiers."""
        rate, deduction = self.maintenance_terms(notional_usd)
        return notional_usd * rate - deduction

    def maintenance_terms(self, notional_usd: Decimal) -> tuple[Decimal, Decimal]:
        """The rate and the deduction (USD) that hold at this notional."""
        rate = deduction = ZERO
        for tier in self.tiers or (MarginTier(ZERO, self.max_leverage),):
            if notional_usd < tier.lower_bound_usd:
                break
            tier_rate = 1 / Decimal(2 * tier.max_leverage)
            deduction += tier.lower_bound_usd * (tier_rate - rate)
            rate = tier_rate
        return rate, deduction


def _price_step(price: Decimal, sz_decimals: int) -> Decimal:
    places = min(PRICE_DECIMALS - sz_decimals, SIGNIFICANT_FIGURES - 1 - price.adjusted())
    return Decimal(1).scaleb(-max(places, 0))
