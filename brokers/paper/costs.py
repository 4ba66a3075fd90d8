"""What a trade costs beyond its price: half-spread, impact, fees, and how much of a bar it may take."""

from decimal import Decimal

import msgspec

from domain.instruments import Instrument, Toward
from domain.money import BPS, ONE, truncate_usd
from domain.orders import Liquidity, Side

WORST_BPS = Decimal(5_000)
"""No fill is worsened by more than half its price, however thin the bar."""

MARK_DECIMALS = 6
"""What a price from a line or a formula is kept to, where it is traded at as it is: see `kept`."""


class Costs(msgspec.Struct, frozen=True):
    """The cost model. `modelled=False` is `--costs none`: fees alone, at the tape's own prices.

    Fees are the venue's base tier (Hyperliquid docs, fees). Impact is the square-root law, stated at a 10 % share of
    the bar's volume.
    """

    modelled: bool = True
    taker_bps: Decimal = Decimal("4.5")
    maker_bps: Decimal = Decimal("1.5")
    half_spread_bps: Decimal = Decimal("1.0")
    impact_bps_at_10pct: Decimal = Decimal(5)
    participation: Decimal = Decimal("0.1")
    latency_ms: int = 0

    def fee(self, size: Decimal, px: Decimal, liquidity: Liquidity) -> Decimal:
        """The fee of a fill in USD, cut to 1e-6 as the venue does."""
        bps = self.taker_bps if liquidity is Liquidity.TAKER else self.maker_bps
        return truncate_usd(size * px * bps * BPS)

    def worsened(self, px: Decimal, side: Side, size: Decimal, volume: Decimal) -> Decimal:
        """A tape price moved against the trader by half-spread and impact.

        `half_spread_bps` + `impact_bps_at_10pct` × √(share / 10 %), share = size / volume; where the bar has no
        volume (only a liquidation trades there) the share counts as 1.
        """
        if not self.modelled:
            return px
        share = size / volume if volume else ONE
        bps = self.half_spread_bps + self.impact_bps_at_10pct * (share * 10).sqrt()
        return px * (ONE + side.sign * min(bps, WORST_BPS) * BPS)

    def fill_price(self, px: Decimal, side: Side, size: Decimal, volume: Decimal, of: Instrument) -> Decimal:
        """The price a taker gets: worsened, then made legal against the trader.

        A sale so cheap that no legal price is left below it (a coin that has all but died) goes at that price as it is.
        """
        if not self.modelled:
            return px
        worse = self.worsened(px, side, size, volume)
        if side is Side.SELL and worse < of.smallest_price:
            return kept(worse)
        return of.legal_price(worse, Toward.UP if side is Side.BUY else Toward.DOWN)

    def budget(self, volume: Decimal) -> Decimal | None:
        """How much of a bar may fill, in base units; None: any amount."""
        return volume * self.participation if self.modelled else None


FREE_OF_MARKET = Costs(modelled=False)
"""`--costs none`."""


def kept(px: Decimal) -> Decimal:
    """A price of any number of digits, rounded to ones that the books carry exactly.

    To 1e-6 of a dollar; below a dollar, to six places after its leading digit.
    """
    return px.quantize(Decimal(1).scaleb(min(0, px.adjusted()) - MARK_DECIMALS))
