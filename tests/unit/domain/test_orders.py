"""The table of order states: every legal step, and that an illegal one raises and changes nothing."""

from decimal import Decimal
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.orders import NEXT, IllegalStep, Order, OrderEvent, OrderKind, OrderState, Side

S, E = OrderState, OrderEvent

LEGAL = {
    (S.RECORDED, E.SENT): S.IN_FLIGHT,
    (S.RECORDED, E.CANCELLED): S.CANCELLED,
    (S.IN_FLIGHT, E.LOST): S.UNKNOWN,
    **{
        (state, event): after
        for state in (S.IN_FLIGHT, S.UNKNOWN)
        for event, after in (
            (E.RESTED, S.RESTING),
            (E.PART_FILLED, S.RESTING),
            (E.FILLED, S.FILLED),
            (E.CANCELLED, S.CANCELLED),
            (E.REJECTED, S.REJECTED),
            (E.EXPIRED, S.EXPIRED),
        )
    },
    (S.RESTING, E.PART_FILLED): S.RESTING,
    (S.RESTING, E.FILLED): S.FILLED,
    (S.RESTING, E.CANCELLED): S.CANCELLED,
    (S.RESTING, E.EXPIRED): S.EXPIRED,
}
"""Written down a second time: a change of the table has to be meant."""

FINAL = {S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED}


def order(state: OrderState = S.RECORDED, *, filled: str = "0") -> Order:
    """A bid for 2 that has come to this state."""
    return Order(
        7, "0x7", "BTC", Side.BUY, OrderKind.LIMIT, Decimal(2), 5, state=state, filled=Decimal(filled)
    )


def fills(event: OrderEvent) -> Decimal:
    """What an event has to fill of an order that has 2 left."""
    return {E.FILLED: Decimal(2), E.PART_FILLED: Decimal(1)}.get(event, Decimal(0))


@pytest.mark.parametrize(("state", "event"), LEGAL)
def test_a_legal_step_leads_where_the_table_says(state: OrderState, event: OrderEvent) -> None:
    """A final state is stamped with its time; the order that was is untouched."""
    before = order(state)

    after = before.after(event, ts=9, filled=fills(event), reason="why")

    assert after.state is LEGAL[state, event]
    assert after.closed_ts == (9 if after.state in FINAL else None)
    assert (after.filled, after.reason) == (fills(event), "why")
    assert before == order(state)


@pytest.mark.parametrize(("state", "event"), sorted(set(product(S, E)) - set(LEGAL), key=str))
def test_an_illegal_step_raises_and_changes_nothing(state: OrderState, event: OrderEvent) -> None:
    """The message says what the order is and what it can't be."""
    before = order(state)

    with pytest.raises(IllegalStep, match=f"order 7 is {state}; it can't be {event.value}"):
        before.after(event, ts=9, filled=fills(event))

    assert before == order(state)


def test_the_table_covers_every_state_and_only_final_ones_end() -> None:
    """An order is live exactly while something can still happen to it."""
    assert set(NEXT) == set(S)
    assert {state for state in S if not order(state).is_live} == FINAL


@pytest.mark.parametrize(
    ("event", "filled"),
    [
        (E.FILLED, "0"),
        (E.FILLED, "1.5"),
        (E.FILLED, "2.5"),
        (E.PART_FILLED, "0"),
        (E.PART_FILLED, "2"),
        (E.PART_FILLED, "3"),
        (E.PART_FILLED, "-1"),
        (E.CANCELLED, "1"),
        (E.RESTED, "1"),
    ],
)
def test_a_step_fills_what_its_name_says(event: OrderEvent, filled: str) -> None:
    """All that is left, part of it, or nothing; anything else raises and changes nothing."""
    before = order(S.IN_FLIGHT)

    with pytest.raises(
        IllegalStep, match=f"order 7 has 2 left; it can't be {event.value} by filling {filled}"
    ):
        before.after(event, ts=9, filled=Decimal(filled))

    assert before == order(S.IN_FLIGHT)


@given(st.lists(st.decimals("0.001", "5", places=3), min_size=1, max_size=8))
def test_an_order_never_fills_beyond_its_size(parts: list[Decimal]) -> None:
    """Part by part, whatever is tried: the sum stays within the size and the state follows it."""
    now = order(S.RESTING)
    for part in parts:
        event = E.FILLED if part >= now.remaining else E.PART_FILLED
        before = now
        try:
            now = now.after(event, ts=1, filled=part)
        except IllegalStep:
            assert part > before.remaining or not before.is_live
        assert now.filled + now.remaining == now.size
        assert now.remaining >= 0
        assert (now.state is S.FILLED) is (now.remaining == 0)


def test_a_reason_stays_until_another_is_given() -> None:
    """The last word is kept."""
    rested = order(S.IN_FLIGHT).after(E.RESTED, ts=1, reason="thin book")

    assert rested.after(E.CANCELLED, ts=2).reason == "thin book"
    assert rested.after(E.CANCELLED, ts=2, reason="cancelled").reason == "cancelled"


def test_sides_and_kinds_know_themselves() -> None:
    """Signs, opposites, and which kinds protect."""
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)
    assert {kind for kind in OrderKind if kind.is_protection} == {OrderKind.STOP, OrderKind.TAKE_PROFIT}


def test_an_order_survives_encoding_to_the_last_digit() -> None:
    """As checkpoints and journals keep it."""
    before = msgspec.structs.replace(order(S.RESTING, filled="0.50"), limit_px=Decimal("60000.10"))

    after = msgspec.json.decode(msgspec.json.encode(before), type=Order)

    assert after == before
    assert str(after.limit_px) == "60000.10"
