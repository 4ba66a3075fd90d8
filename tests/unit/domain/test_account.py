"""Positions and cash: exact sums, cost by subtraction, flips (docs/trading-rules.md §2.11)."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.account import FLAT, Account, Position

D, F = Decimal, Fraction

SIZES = st.decimals("-1000", "1000", places=5).filter(bool)
PRICES = st.one_of(
    st.decimals("0.00001", "1", places=5),
    st.decimals("1", "200000", places=2),
    st.decimals("0.000000001", "100", places=9),
)
FILLS = st.lists(st.tuples(SIZES, PRICES), min_size=1, max_size=25)


def led(fills: list[tuple[Decimal, Decimal]]) -> tuple[Position, Decimal]:
    """A position and the PnL realized on the way to it."""
    position, total = FLAT, D(0)
    for size, px in fills:
        position, realized = position.after(size, px)
        total += realized
    return position, total


@pytest.mark.parametrize(
    ("before", "fill", "after", "realized"),
    [
        ((0, 0), ("2", "100"), ("2", "200"), "0"),
        ((2, 200), ("1", "130"), ("3", "330"), "0"),
        ((-2, -200), ("-1", "130"), ("-3", "-330"), "0"),
        ((3, 330), ("-1", "120"), ("2", "220"), "10"),
        ((-3, -330), ("1", "120"), ("-2", "-220"), "-10"),
        ((2, 200), ("-2", "90"), ("0", "0"), "-20"),
        ((2, 200), ("-5", "110"), ("-3", "-330"), "20"),
        ((-2, -200), ("5", "110"), ("3", "330"), "-20"),
    ],
)
def test_a_fill_adds_reduces_closes_or_turns(
    before: tuple[int, int], fill: tuple[str, str], after: tuple[str, str], realized: str
) -> None:
    """By hand: what is added costs its price, what is closed realizes against the average, a flip does both."""
    size, px = map(D, fill)

    assert Position(*map(D, before)).after(size, px) == (Position(*map(D, after)), D(realized))


def test_a_third_is_released_by_subtraction() -> None:
    """Three at a cost of 100, sold one by one: what rounding takes from one comes back with the next."""
    position, parts = Position(D(3), D(100)), []
    for _ in range(3):
        position, realized = position.after(D(-1), D(40))
        parts.append(realized)

    assert parts == [D("6.66666667"), D("6.66666666"), D("6.66666667")]
    assert sum(parts) == 20
    assert position == FLAT


@given(FILLS)
def test_a_position_is_the_sum_of_its_fills(fills: list[tuple[Decimal, Decimal]]) -> None:
    """Size to the digit; and nothing is left of the cost when it is flat."""
    position, _ = led(fills)

    assert position.size == sum(size for size, _ in fills)
    if not position.size:
        assert position == FLAT


@given(FILLS)
def test_no_money_appears_or_disappears(fills: list[tuple[Decimal, Decimal]]) -> None:
    """What was paid for all fills is what the position still costs less what was realized, exactly."""
    position, realized = led(fills)

    paid = sum((F(size) * F(px) for size, px in fills), F(0))
    assert F(position.cost) - F(realized) == paid


@given(FILLS, PRICES)
def test_equity_does_not_depend_on_how_cost_was_split(
    fills: list[tuple[Decimal, Decimal]], mark: Decimal
) -> None:
    """Realized + unrealized is the value at the mark less what was paid."""
    position, realized = led(fills)

    paid = sum((F(size) * F(px) for size, px in fills), F(0))
    assert F(realized) + F(position.unrealized(mark)) == F(position.size) * F(mark) - paid


@given(FILLS)
def test_a_cost_has_the_sign_of_its_size_and_an_average_within_what_was_paid(
    fills: list[tuple[Decimal, Decimal]],
) -> None:
    """Up to the rounding of what was released."""
    position, _ = led(fills)

    if position.entry_px is None:
        assert not position.size
        return
    slack = D("0.00000001") * len(fills) / abs(position.size)
    assert min(px for _, px in fills) - slack <= position.entry_px <= max(px for _, px in fills) + slack


@given(FILLS)
def test_twenty_eight_digits_are_enough(fills: list[tuple[Decimal, Decimal]]) -> None:
    """With twice the digits the books come out the same."""
    usual = led(fills)

    with localcontext() as context:
        context.prec = 60
        assert led(fills) == usual


@given(PRICES, PRICES, st.decimals("0.00001", "1000", places=5), st.decimals("0.00001", "1000", places=5))
def test_a_flip_is_a_close_and_an_opening_at_one_price(
    px: Decimal, exit_px: Decimal, held: Decimal, more: Decimal
) -> None:
    """One fill through zero books what two fills would."""
    long = Position(held, held * px)

    flipped, realized = long.after(-held - more, exit_px)

    closed, same = long.after(-held, exit_px)
    assert closed == FLAT
    assert (flipped, realized) == (FLAT.after(-more, exit_px)[0], same)


def test_cash_is_the_sum_of_its_parts() -> None:
    """start + realized + funding − fees + transfers + adjustments."""
    account = Account(D(1000), realized=D(1), funding=D(-2), fees=D(4), transfers=D(8), adjustments=D(16))

    assert account.cash == 1000 + 1 - 2 - 4 + 8 + 16


def test_a_flat_position_has_no_entry() -> None:
    """None, not zero."""
    assert FLAT.entry_px is None
    assert FLAT.unrealized(D(5)) == 0
