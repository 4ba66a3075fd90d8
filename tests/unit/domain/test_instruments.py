"""Legal prices and sizes, and maintenance by the venue's tiers (Hyperliquid docs: tick-and-lot-size, margin-tiers)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.instruments import Instrument, MarginTier, Toward

D = Decimal

BTC = Instrument("BTC", 5, 40, (MarginTier(D(0), 40), MarginTier(D(150_000_000), 20)))
SOL = Instrument("SOL", 2, 20, (MarginTier(D(0), 20), MarginTier(D(70_000_000), 10)))
DOGE = Instrument("DOGE", 0, 10)
INSTRUMENTS = st.builds(Instrument, st.just("X"), st.integers(0, 6), st.just(10))
PRICES = st.decimals("0.000001", "999999", places=9).filter(lambda px: px > 0)


@pytest.mark.parametrize(
    ("of", "price", "down", "up"),
    [
        (BTC, "60009.40006", "60009", "60010"),  # five figures
        (BTC, "1234.5", "1234.5", "1234.5"),
        (BTC, "1234.56", "1234.5", "1234.6"),  # the venue's own: 1234.56 has six figures
        (BTC, "33.2667", "33.2", "33.3"),  # 6 − 5 decimals
        (BTC, "123456.7", "123456", "123457"),  # integers have any number of figures
        (BTC, "123456", "123456", "123456"),  # the venue's own
        (BTC, "99999.5", "99999", "100000"),
        (SOL, "9999.95", "9999.9", "10000"),
        (DOGE, "0.001234", "0.001234", "0.001234"),  # the venue's own, with szDecimals 0
        (DOGE, "0.0012345", "0.001234", "0.001235"),
        (Instrument("X", 1, 10), "0.01234", "0.01234", "0.01234"),  # the venue's own, szDecimals 1
        (Instrument("X", 1, 10), "0.012345", "0.01234", "0.01235"),
    ],
)
def test_a_price_is_made_legal_in_either_direction(of: Instrument, price: str, down: str, up: str) -> None:
    """Five significant figures, 6 − szDecimals decimals, integers always."""
    assert of.legal_price(D(price), Toward.DOWN) == D(down)
    assert of.legal_price(D(price), Toward.UP) == D(up)


def test_a_whole_price_is_written_without_decimals() -> None:
    """However it was computed, equal prices have equal text in the ledger."""
    assert str(BTC.legal_price(D("88.000000"), Toward.DOWN)) == "88"
    assert str(BTC.legal_price(D("60009.4"), Toward.UP)) == "60010"


def is_legal(px: Decimal, sz_decimals: int) -> bool:
    """The rule itself, from the text of a price."""
    if px == px.to_integral_value():
        return True
    _, digits, exponent = px.normalize().as_tuple()
    assert isinstance(exponent, int)
    return len(digits) <= 5 and -exponent <= 6 - sz_decimals


@given(INSTRUMENTS, PRICES)
def test_a_legal_price_is_legal_and_the_nearest(of: Instrument, price: Decimal) -> None:
    """At or beyond the price in its direction; no legal price lies between; a legal one stays."""
    assume(price >= of.smallest_price)
    down, up = of.legal_price(price, Toward.DOWN), of.legal_price(price, Toward.UP)

    assert down <= price <= up
    assert is_legal(down, of.sz_decimals)
    assert is_legal(up, of.sz_decimals)
    assert (down == up) is is_legal(price, of.sz_decimals)
    assert of.legal_price(down, Toward.UP) == down
    assert of.legal_price(up, Toward.DOWN) == up
    if down != up:
        middle = (down + up) / 2
        assert of.legal_price(middle, Toward.DOWN) == down
        assert of.legal_price(middle, Toward.UP) == up


@given(INSTRUMENTS)
def test_the_smallest_price_is_legal_and_nothing_below_it_is(of: Instrument) -> None:
    """Downwards from below it there is nothing; upwards there is it."""
    smallest = of.smallest_price

    assert of.legal_price(smallest, Toward.DOWN) == smallest
    assert of.legal_price(smallest / 2, Toward.UP) == smallest
    with pytest.raises(ValueError, match="is below the smallest legal price of X"):
        of.legal_price(smallest * D("0.999"), Toward.DOWN)


@pytest.mark.parametrize("price", ["0", "-1"])
def test_a_price_must_be_positive(price: str) -> None:
    """Refused with the value."""
    with pytest.raises(ValueError, match=f"a price must be positive, was {price}"):
        BTC.legal_price(D(price), Toward.UP)


@given(st.integers(0, 6), st.decimals("0", "100000", places=9))
def test_a_size_is_cut_to_whole_lots(sz_decimals: int, size: Decimal) -> None:
    """Downwards, by less than a lot."""
    of = Instrument("X", sz_decimals, 10)

    legal = of.legal_size(size)

    assert 0 <= size - legal < of.lot
    assert legal % of.lot == 0


def test_maintenance_of_the_venues_own_formula() -> None:
    """200 M of BTC: 2.5 % less a deduction of 1,875,000, since 150 M × (2.5 % − 1.25 %)."""
    assert BTC.maintenance_terms(D(200_000_000)) == (D("0.025"), D(1_875_000))
    assert BTC.maintenance_usd(D(200_000_000)) == 3_125_000


def test_maintenance_of_an_account_that_was_seen_on_the_venue() -> None:
    """Two longs of 14,157.9994 USD at a maximum of 50 ×: the venue showed 141.579994."""
    assert Instrument("X", 2, 50).maintenance_usd(D("14157.9994")) == D("141.579994")


def test_the_venues_liquidation_price_is_where_its_equity_meets_our_maintenance() -> None:
    """0.13 at 80.114, 3.459702 of margin, at most 3 ×: the venue showed 64.2010892308."""
    of, size, mark, margin = Instrument("X", 2, 3), D("0.13"), D("80.114"), D("3.459702")

    shown = D("64.2010892308")

    equity = margin + size * (shown - mark)
    assert abs(equity - of.maintenance_usd(size * shown)) < D("1e-9")


def test_a_tier_holds_from_its_bound_on() -> None:
    """At the bound itself both give the same, as the deduction makes it."""
    bound = D(150_000_000)

    assert BTC.maintenance_terms(bound - 1)[0] == D("0.0125")
    assert BTC.maintenance_terms(bound)[0] == D("0.025")
    assert BTC.maintenance_usd(bound) == bound * D("0.0125")


TIERS = st.lists(
    st.tuples(st.integers(1, 10**9), st.integers(1, 50)), max_size=4, unique_by=lambda tier: tier[0]
).map(
    lambda rest: tuple(
        MarginTier(D(bound), leverage)
        for bound, leverage in zip(
            [0, *sorted(bound for bound, _ in rest)],
            [50, *sorted((lev for _, lev in rest), reverse=True)],
            strict=True,
        )
    )
)


@given(TIERS, st.integers(0, 2 * 10**9), st.integers(0, 10**9))
def test_maintenance_grows_without_a_jump(tiers: tuple[MarginTier, ...], notional: int, more: int) -> None:
    """Never less for more, never steeper than the strictest tier, and the same as summing the tiers one by one."""
    of = Instrument("X", 2, 50, tiers)

    def summed(usd: int) -> Fraction:
        bounds = [int(tier.lower_bound_usd) for tier in tiers] + [10**12]
        total = Fraction(0)
        for tier, bound, end in zip(tiers, bounds, bounds[1:], strict=False):
            total += Fraction(max(0, min(usd, end) - bound), 2 * tier.max_leverage)
        return total

    assert abs(Fraction(of.maintenance_usd(D(notional))) - summed(notional)) < Fraction(1, 10**12)
    grown = of.maintenance_usd(D(notional + more)) - of.maintenance_usd(D(notional))
    assert D("-1e-12") <= grown <= D(more) / (2 * tiers[-1].max_leverage) + D("1e-12")


@given(TIERS, st.integers(1, 2 * 10**9))
def test_maintenance_never_takes_more_than_its_largest_rate(
    tiers: tuple[MarginTier, ...], notional: int
) -> None:
    """Which a look ahead may rely on."""
    of = Instrument("X", 2, 50, tiers)

    assert of.maintenance_usd(D(notional)) <= notional * of.largest_maintenance_rate


def test_without_tiers_the_maximum_leverage_is_the_only_one() -> None:
    """Half of the initial margin at the maximum."""
    assert DOGE.maintenance_usd(D(1000)) == 50
