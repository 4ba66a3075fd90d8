"""The path inside a bar, solved exactly (§2.7)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.paper.path import (
    LEGS,
    Held,
    Leg,
    corners,
    equity_reaches,
    is_past,
    maintenance_reaches,
    reaches,
)
from domain.instruments import Instrument, MarginTier
from tests.unit.brokers.samples import BTC, ETH, tape_of

D, F = Decimal, Fraction

PRICES = st.decimals("1", "200", places=2)
LEGS_OF = st.builds(Leg, PRICES, PRICES)
PLACES = st.fractions(0, 1, max_denominator=50)
STEPS = [F(k, 200) for k in range(201)]


def beyond(leg: Leg, level: Decimal, lam: Fraction, *, falling: bool, through: bool) -> bool:
    """Whether a leg is at (or, with `through`, past) a level at λ: the question itself, asked at one place."""
    now, goal = (leg.exact(lam), F(level)) if falling else (-leg.exact(lam), -F(level))
    return now < goal or (now == goal and not through)


@given(LEGS_OF, PRICES, PLACES, st.booleans(), st.booleans())
def test_a_level_is_reached_where_the_leg_first_meets_it(
    leg: Leg, level: Decimal, since: Fraction, falling: bool, through: bool
) -> None:
    """Never before λ, always right after it, and never at all where it says so."""
    found = reaches(leg, level, since, falling=falling, through=through)

    for lam in (lam for lam in STEPS if lam >= since):
        met = beyond(leg, level, lam, falling=falling, through=through)
        if found is None or lam < found:
            assert not met
        elif lam > found:
            assert met or beyond(leg, level, since, falling=falling, through=through)
    if found is not None:
        assert since <= found <= 1
        assert beyond(leg, level, found, falling=falling, through=False)


@given(LEGS_OF, PRICES, PLACES)
def test_a_level_that_was_just_met_is_not_passed(leg: Leg, level: Decimal, since: Fraction) -> None:
    """Crossing a level puts the price at it exactly; only one that was passed before is beyond it."""
    found = reaches(leg, level, since, falling=True)

    if found is not None and found > since:
        assert leg.exact(found) == F(level)
        assert not is_past(leg, level, found, falling=True)
    assert is_past(leg, level, since, falling=True) is (leg.exact(since) < F(level))


@given(LEGS_OF, PLACES)
def test_a_leg_is_exact_where_a_decimal_can_be(leg: Leg, lam: Fraction) -> None:
    """Both ends to the digit, between them to 28 digits."""
    assert (leg.at(F(0)), leg.at(F(1))) == (leg.start, leg.end)
    assert abs(F(leg.at(lam)) - leg.exact(lam)) <= F(1, 10**24)


def test_the_adverse_extreme_comes_first() -> None:
    """A long goes down first, a short up, who is flat down; then the other extreme, then the close."""
    (track,) = tape_of({"BTC": [(100, 110, 90, 105, 1)]}).tracks

    assert corners(track.trades, 0, short=False) == (100, 90, 110, 105)
    assert corners(track.trades, 0, short=True) == (100, 110, 90, 105)
    assert LEGS == 3


TIERED = Instrument(
    "TIERED", 2, 20, (MarginTier(D(0), 20), MarginTier(D(5_000), 10), MarginTier(D(9_000), 3))
)
HELD = st.lists(
    st.builds(
        Held,
        st.decimals("-100", "100", places=2).filter(bool),
        LEGS_OF,
        st.sampled_from([TIERED, BTC, ETH]),
    ),
    min_size=1,
    max_size=3,
)


def room(raw_usd: Decimal, held: list[Held], lam: Fraction) -> Fraction:
    """Equity less maintenance at λ, from the definitions."""
    total = F(raw_usd)
    for size, leg, instrument in held:
        mark = leg.exact(lam)
        notional = abs(F(size)) * mark
        total += F(size) * mark - F(
            instrument.maintenance_usd(D(notional.numerator) / D(notional.denominator))
        )
    return total


@given(st.decimals("-20000", "20000", places=2), HELD, PLACES)
def test_liquidation_is_where_equity_first_meets_maintenance(
    raw_usd: Decimal, held: list[Held], since: Fraction
) -> None:
    """Across any number of tiers and symbols: above maintenance before λ, at it there."""
    found = maintenance_reaches(raw_usd, held, since)
    hair = F(1, 10**15)

    before = [lam for lam in STEPS if since <= lam and (found is None or lam < found)]
    assert all(room(raw_usd, held, lam) > -hair for lam in before)
    if found is not None:
        assert since <= found <= 1
        at = room(raw_usd, held, found)
        assert at <= hair
        assert found == since or at >= -hair


@given(st.decimals("-20000", "20000", places=2), HELD, st.decimals("-5000", "5000", places=2), PLACES)
def test_an_alarm_is_where_equity_first_meets_its_level(
    raw_usd: Decimal, held: list[Held], floor: Decimal, since: Fraction
) -> None:
    """Equity of all positions together, which is one straight line on a leg."""
    found = equity_reaches(raw_usd, held, floor, since)

    def equity(lam: Fraction) -> Fraction:
        return F(raw_usd) + sum(F(one.size) * one.leg.exact(lam) for one in held)

    for lam in (lam for lam in STEPS if lam >= since and (found is None or lam < found)):
        assert equity(lam) > F(floor)
    if found is not None:
        assert equity(found) <= F(floor)
        assert found == since or equity(found) == F(floor)


@pytest.mark.parametrize("held", [[], [Held(D(1), Leg(D(100), D(100)), BTC)]])
def test_what_does_not_move_is_never_liquidated_by_moving(held: list[Held]) -> None:
    """Nothing held, or a price that stands still above maintenance."""
    assert maintenance_reaches(D(0), held, F(0)) is None
