"""The cost model on its own (§2.4, §2.8)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.costs import FREE_OF_MARKET, WORST_BPS, Costs
from domain.orders import Liquidity, Side
from tests.unit.brokers.samples import BTC, DOGE

D = Decimal

PRICES = st.decimals("0.1", "200000", places=1)
SIZES = st.decimals("0.00001", "100000", places=5)
VOLUMES = st.decimals("0", "1000000", places=3)


@pytest.mark.parametrize(
    ("size", "volume", "bps"),
    [("10", "100", "6"), ("2.5", "100", "3.5"), ("0.1", "100", "1.5"), ("40", "100", "11")],
)
def test_a_price_is_worsened_by_half_a_spread_and_the_root_of_the_share(
    size: str, volume: str, bps: str
) -> None:
    """1 bps + 5 × √(share / 10 %), against either side."""
    for side in Side:
        worse = Costs().worsened(D(10_000), side, D(size), D(volume))
        assert worse == 10_000 + side.sign * D(bps)


def test_a_bar_without_volume_counts_as_taken_whole() -> None:
    """Only a liquidation trades there: a share of 1 costs 1 + 5 × √10 bps."""
    assert Costs().worsened(D(100), Side.BUY, D(1), D(0)) == Costs().worsened(D(100), Side.BUY, D(7), D(7))


def test_nothing_is_worsened_by_more_than_half() -> None:
    """However thin the bar, a sale gets at least half the price."""
    assert Costs().worsened(D(100), Side.SELL, D(10**9), D("0.001")) == 100 * (1 - WORST_BPS / 10_000)


@given(PRICES, SIZES, VOLUMES, st.sampled_from(Side))
def test_a_taker_never_does_better_than_the_tape(
    px: Decimal, size: Decimal, volume: Decimal, side: Side
) -> None:
    """The fill is legal and at or beyond the worsened price; where nothing legal is left, that price to 7 figures."""
    costs = Costs()

    paid = costs.fill_price(px, side, size, volume, BTC)

    worse = costs.worsened(px, side, size, volume)
    assert (paid - px) * side.sign >= 0
    if side is Side.SELL and worse < D("0.1"):
        assert abs(paid - worse) < D("1e-7")
        return
    assert (paid - worse) * side.sign >= 0
    assert paid == paid.to_integral_value() or (figures(paid) <= 5 and paid % D("0.1") == 0)


def figures(px: Decimal) -> int:
    """How many significant figures a price has."""
    return len(px.normalize().as_tuple().digits)


@given(PRICES, SIZES, VOLUMES, st.sampled_from(Side))
def test_without_costs_nothing_moves_the_price(
    px: Decimal, size: Decimal, volume: Decimal, side: Side
) -> None:
    """The tape's own price, and any amount of it."""
    assert FREE_OF_MARKET.fill_price(px, side, size, volume, BTC) == px
    assert FREE_OF_MARKET.budget(volume) is None


@given(SIZES, PRICES, st.sampled_from(Liquidity))
def test_a_fee_is_the_notionals_bps_cut_to_a_millionth(
    size: Decimal, px: Decimal, liquidity: Liquidity
) -> None:
    """4.5 bps for a taker, 1.5 for a maker; never more than the exact amount, less than a millionth below it."""
    fee = Costs().fee(size, px, liquidity)

    exactly = size * px * (D("0.00045") if liquidity is Liquidity.TAKER else D("0.00015"))
    assert 0 <= exactly - fee < D("0.000001")
    assert fee == fee.quantize(D("0.000001"))


def test_a_dying_coin_can_still_be_sold() -> None:
    """Below the smallest legal price there is no legal one to round down to; the price stays as it is."""
    sold = Costs().fill_price(D("0.0000005"), Side.SELL, D(1), D(10), DOGE)

    assert D("0.00000049") < sold < D("0.0000005")
    assert figures(sold) <= 7
    assert Costs().fill_price(D("0.0000005"), Side.BUY, D(1), D(10), DOGE) == D("0.000001")
