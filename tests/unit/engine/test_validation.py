"""What a caller gives becomes a legal order, rounded in the cautious direction, or is refused; nothing raises."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.actions import ClosePosition, ProposeOrder, SetProtection
from domain.journal import Entry
from domain.orders import Order, OrderKind, Side, Tif
from tests.unit.brokers.samples import flat, tape_of
from tests.unit.engine.samples import House, calm, caps, passes, proposal, reasons

D = Decimal
BTC_AT = 60_001.5
HOSTILE = [
    "NaN",
    "-NaN",
    "sNaN",
    "NaN123",
    "Infinity",
    "-Infinity",
    "1E+999999999",
    "-1E+999999999",
    "1E-999999999",
    "1E-1999999997",
    "0",
    "-0",
    "0E+999",
    "-1",
    "1000000000001",
    "9" * 40,
    "0." + "0" * 39 + "1",
    "1." + "3" * 40,
    "60000." + "9" * 5000,
    "0.0000001" + "1" * 5000,
    "1000000000001." + "7" * 5000,
]


def expensive(**own: object) -> House:
    """BTC at 60,001.5, whose prices have one decimal and five figures."""
    return House(caps(**own), tape_of({"BTC": calm(BTC_AT)}), cash="1000000")


# Rounding.


@pytest.mark.parametrize(("side", "legal"), [(Side.BUY, "59123"), (Side.SELL, "59124")])
def test_limits_are_rounded_passively(side: Side, legal: str) -> None:
    """A bid goes down, an offer up: nobody pays more than they said."""
    house = expensive()
    passes(house.do(proposal(side, "0.1", limit_px="59123.4")))
    assert house.orders[0].limit_px == D(legal)


@pytest.mark.parametrize(
    ("side", "stop", "profit", "legal"),
    [
        (Side.BUY, "59000.7", "61000.2", ["59000", "61001"]),
        (Side.SELL, "61000.2", "59000.7", ["61001", "59000"]),
    ],
)
def test_triggers_are_moved_away_from_firing(side: Side, stop: str, profit: str, legal: list[str]) -> None:
    """A level below the market goes down, one above it up; attached or set later."""
    house = expensive()
    passes(house.do(proposal(side, "0.1", stop_px=stop, take_profit_px=profit)))
    assert [house.orders[0].stop_px, house.orders[0].take_profit_px] == [D(px) for px in legal]
    house.step()
    assert [order.trigger_px for order in house.orders] == [D(px) for px in legal]
    passes(house.protect(stop=stop, profit=profit))
    assert [order.trigger_px for order in house.orders] == [D(px) for px in legal]


def test_sizes_are_rounded_down_and_a_close_is_exact() -> None:
    """A size of less than a lot is refused with the lot."""
    house = expensive()
    passes(house.buy("0.123459"))
    assert house.orders[0].size == D("0.12345")
    house.step()
    assert reasons(house.buy("0.000009")) == {"size": ("0.00001", "0.000009")}
    passes(house.close())
    assert house.orders[0].size == D("0.12345")
    house.step()
    assert house.size() == 0


def test_a_price_that_rounds_to_nothing_is_refused() -> None:
    """Below the smallest price there is no passive bid."""
    assert set(reasons(expensive().buy("1", limit_px="0.04"))) == {"price"}


# The smallest order.


def test_an_order_is_worth_ten_dollars() -> None:
    """At its limit, else at the mark; a cent less is refused."""
    house = House()
    assert passes(house.buy("0.1"))
    assert reasons(house.buy("0.09999")) == {"min_notional": ("10", "9.999")}
    assert passes(house.buy("0.2", limit_px="50"))
    assert reasons(house.buy("0.19", limit_px="50")) == {"min_notional": ("10", "9.5")}


def dust() -> House:
    """0.05 BTC held at 100: five dollars."""
    house = House()
    house.buy("0.15")
    house.step()
    house.sell("0.1")
    house.step()
    assert house.size() == D("0.05")
    return house


def test_dust_is_closed_in_full_and_in_no_other_way() -> None:
    """Five dollars may be closed whole, by either action; a part of it is refused."""
    assert passes(dust().close())
    assert passes(dust().sell("0.05", reduce_only=True))
    assert reasons(dust().sell("0.04", reduce_only=True)) == {"min_notional": ("10", "4")}


# Reduce-only.


def test_a_reducing_order_is_no_larger_than_the_position() -> None:
    """And it goes against it."""
    house = House()
    assert reasons(house.sell("1", reduce_only=True)) == {"reduce_only": ("0", "1")}
    house.buy("2")
    house.step()
    assert reasons(house.sell("2.00001", reduce_only=True)) == {"reduce_only": ("2", "2.00001")}
    assert reasons(house.buy("1", reduce_only=True)) == {"reduce_only": ("0", "1")}
    assert passes(house.sell("2", reduce_only=True))


def test_a_reducing_order_brings_no_protections() -> None:
    """They belong to the position and are set for it."""
    house = House()
    house.buy("2")
    house.step()
    assert set(reasons(house.sell("1", reduce_only=True, stop_px="110"))) == {"reduce_only"}


def test_a_resting_offer_does_not_keep_a_position_from_being_closed() -> None:
    """It may never fill; when the position is gone, it goes too."""
    house = House()
    house.buy("2")
    house.step()
    passes(house.sell("2", limit_px="120", reduce_only=True))
    house.step()
    passes(house.sell("2", limit_px="130", reduce_only=True))  # and one that is about to rest
    assert passes(house.close())
    house.step()
    assert (house.size(), house.orders) == (0, [])


def test_closing_twice_closes_once() -> None:
    """Two actions of one tick see each other: the second has what the first left."""
    house = House()
    house.buy("2")
    house.step()
    assert passes(house.sell("1.5", reduce_only=True))
    assert passes(house.close())
    assert [order.size for order in house.orders] == [D("1.5"), D("0.5")]
    assert set(reasons(house.close())) == {"position"}
    assert set(reasons(house.close("ETH"))) == {"position"}


# What isn't known.


def test_without_a_fresh_price_nothing_is_done() -> None:
    """A missing bar leaves the mark stale: no order, no close, no protection; the next bar brings it back."""
    house = House(tape=tape_of({"BTC": [flat(100), None, *calm()]}))
    house.buy("1")
    house.step(2)
    for verdict in (house.buy("1"), house.close(), house.protect(stop="90")):
        assert set(reasons(verdict)) == {"fresh_price"}
    house.step()
    assert passes(house.close())


def test_the_venues_own_refusal_comes_back_as_one() -> None:
    """Margin is the venue's to judge: the verdict has its word for it, and the order is not live."""
    house = House(caps(max_leverage=D(50)))
    verdict = house.buy("4500")
    assert reasons(verdict) == {"venue": ("an order it takes", "perpMargin")}
    assert (verdict.approved, house.orders) == (False, [])


# Protections and cancels.


def test_protections_lie_on_their_side_of_the_price() -> None:
    """A stop at or above the mark of a long would fire at once, and so would a take-profit at or below it."""
    house = House()
    house.buy("1")
    house.step()
    assert reasons(house.protect(stop="100")) == {"stop": ("below 100", "100")}
    assert reasons(house.protect(profit="100")) == {"take_profit": ("above 100", "100")}
    assert passes(house.protect(stop="99.9", profit="100.1"))


def test_an_entrys_protections_lie_on_their_side_of_its_price() -> None:
    """Of a bid at 90, the stop lies below 90."""
    house = House()
    assert reasons(house.buy("1", limit_px="90", stop_px="95")) == {"stop": ("below 90", "95")}
    assert reasons(house.sell("1", take_profit_px="101")) == {"take_profit": ("below 100", "101")}
    assert passes(house.buy("1", limit_px="90", stop_px="89", take_profit_px="95"))


def test_protecting_replaces_both() -> None:
    """What is given replaces its kind, what is left out goes; each protection is an order of its own."""
    house = House()
    assert set(reasons(house.protect(stop="90"))) == {"position"}
    house.buy("1", stop_px="90", take_profit_px="120")
    house.step()
    assert passes(house.protect(stop="95"))
    assert [(order.kind, order.trigger_px) for order in house.orders] == [(OrderKind.STOP, D(95))]
    assert passes(house.protect(profit="110"))
    assert [(order.kind, order.trigger_px) for order in house.orders] == [(OrderKind.TAKE_PROFIT, D(110))]
    assert passes(house.protect())
    assert house.orders == []


def test_only_live_orders_are_cancelled() -> None:
    """Any other number is answered with what there is to do."""
    house = House()
    house.buy("1", limit_px="90")
    (order,) = house.orders
    assert reasons(house.cancel(order.number + 1)) == {"order": ("a live order", str(order.number + 1))}
    assert passes(house.cancel(order.number))
    assert set(reasons(house.cancel(order.number))) == {"order"}
    assert set(reasons(house.cancel(-(2**70)))) == {"order"}


def test_every_order_has_a_name_of_its_own_and_its_decision() -> None:
    """A client order id is told by account, decision, action and attempt: the same again, and else never."""
    names = []
    for _ in range(2):
        house = House()
        house.do(proposal(Side.BUY, "1"), index=0)
        house.do(proposal(Side.BUY, "1"), index=1)
        house.step()
        house.do(SetProtection("BTC", D(90), D(120)), index=0)
        house.do(ClosePosition("BTC"), index=1)
        names.append([order.client_id for intent in house.intents for order in intent.orders])
        assert all(o.decision_id == i.decision_id for i in house.intents for o in i.orders)
    assert names[0] == names[1]
    assert len(set(names[0])) == 5


# Hostile numbers.


@pytest.mark.parametrize("number", HOSTILE)
@pytest.mark.parametrize("field", ["size", "limit_px", "stop_px", "take_profit_px"])
@pytest.mark.parametrize("is_held", [False, True])
def test_no_number_makes_the_engine_raise(number: str, field: str, *, is_held: bool) -> None:
    """Whatever is written, it is a verdict that comes back, and the entry can be written down and read again."""
    house = expensive(require_stop=False)
    if is_held:
        house.buy("1")
        house.step()
    for side in Side:
        for reduce_only in (False, True):
            action = msgspec.structs.replace(
                proposal(side, "0.1", limit_px="60000", reduce_only=reduce_only), **{field: D(number)}
            )
            judged(house, action)
    if field.endswith("px") and field != "limit_px":
        judged(house, msgspec.structs.replace(SetProtection("BTC"), **{field: D(number)}))
    house.step()


NUMBERS = st.one_of(
    st.decimals(),
    st.decimals("0.00001", "100000", places=5),
    st.sampled_from([D(each) for each in HOSTILE]),
)


@given(
    size=NUMBERS,
    limit=st.none() | NUMBERS,
    stop=st.none() | NUMBERS,
    profit=st.none() | NUMBERS,
    side=st.sampled_from(Side),
    tif=st.sampled_from(Tif),
)
def test_what_is_sent_is_legal(
    size: Decimal, limit: Decimal | None, stop: Decimal | None, profit: Decimal | None, side: Side, tif: Tif
) -> None:
    """Whatever numbers come in, prices and sizes that go out are the venue's, within what was asked for."""
    house = expensive()
    judged(house, ProposeOrder("BTC", side, size, limit, tif, stop_px=stop, take_profit_px=profit))
    for intent in house.intents:
        for order in intent.orders:
            legal(order)
            assert order.size <= size
            if limit is not None and order.limit_px is not None:
                assert (limit - order.limit_px) * side.sign >= 0
    house.step()


def judged(house: House, action: object) -> None:
    """The engine answers, and what it wrote down can be read again."""
    before = len(house.entries)
    verdict = house.do(action)  # type: ignore[arg-type]
    assert verdict.approved is not bool(verdict.refusals)
    assert all(len(str(refusal)) < 1000 for refusal in verdict.refusals)
    for entry in house.entries[before:]:
        written = msgspec.json.encode(entry)
        assert msgspec.json.encode(msgspec.json.decode(written, type=Entry)) == written


def legal(order: Order) -> None:
    """Five figures and one decimal, or whole; sizes of five decimals, at least one lot."""
    assert order.size == order.size.quantize(D("0.00001")) > 0
    for px in (order.limit_px, order.stop_px, order.take_profit_px, order.trigger_px):
        if px is not None and px != px.to_integral_value():
            assert px == px.quantize(D("0.1")) > 0
            assert len(px.normalize().as_tuple().digits) <= 5
