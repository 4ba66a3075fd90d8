"""Money is exact, and is cut only where a rule says so."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import exact, plain, truncate_usd

AMOUNTS = st.decimals("-1e12", "1e12", places=9)


@pytest.mark.parametrize(
    ("amount", "cut"),
    [
        ("0.0753757", "0.075375"),
        ("-0.0753757", "-0.075375"),
        ("0.0000009", "0.000000"),
        ("-0.0000009", "0.000000"),
        ("1", "1.000000"),
    ],
)
def test_an_amount_is_cut_to_a_millionth_towards_zero(amount: str, cut: str) -> None:
    """Paid or received, the digits beyond are dropped."""
    assert truncate_usd(Decimal(amount)) == Decimal(cut)


@given(AMOUNTS)
def test_cutting_never_adds_and_drops_less_than_a_millionth(amount: Decimal) -> None:
    """And cutting again changes nothing."""
    cut = truncate_usd(amount)

    assert abs(cut) <= abs(amount)
    assert abs(amount - cut) < Decimal("0.000001")
    assert truncate_usd(cut) == cut
    assert truncate_usd(-amount) == -cut


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_stands_for_its_shortest_text(value: float) -> None:
    """0.1 is a tenth, not what binary makes of it; and back again nothing is lost."""
    assert float(exact(value)) == value
    assert exact(0.1) == Decimal("0.1")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_amount(value: float) -> None:
    """Refused with the value in the message."""
    with pytest.raises(ValueError, match=f"must be finite, was {value}"):
        exact(value)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1E+3", "1000"),
        ("1.500", "1.5"),
        ("1E-8", "0.00000001"),
        ("0.000000", "0"),
        ("-0.0", "0"),
        ("-0", "0"),
        ("100", "100"),
        ("-2.50", "-2.5"),
    ],
)
def test_an_amount_is_written_plainly(amount: str, text: str) -> None:
    """No exponent, no trailing zeros, no negative zero."""
    assert plain(Decimal(amount)) == text


@given(AMOUNTS, st.integers(0, 6))
def test_equal_amounts_have_equal_text(amount: Decimal, zeros: int) -> None:
    """However many digits they were computed with."""
    longer = amount.quantize(Decimal(1).scaleb(-9 - zeros))

    assert plain(longer) == plain(amount)
    assert Decimal(plain(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1e999999999999", "1E+999999999999"),
        ("-1.50e-999999999999", "-1.5E-999999999999"),
        ("1" + "0" * 2_000, "1E+2000"),
        ("0e999999999999", "0"),
        ("0e-999999999999", "0"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_a_number_that_would_fill_the_memory_is_not_written_out(amount: str, text: str) -> None:
    """Whoever may name a number may name this one: it keeps its exponent, and equal ones have equal text."""
    assert plain(Decimal(amount)) == text
