"""On live quotes the venue gives what a second reading of the rules gives, through every slip of a feed."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings

from brokers.paper.costs import Costs
from domain.events import FundingPaid
from domain.orders import OrderKind, Tif
from tests.unit.brokers.live_model import Model
from tests.unit.brokers.live_samples import Stand
from tests.unit.brokers.live_streams import Hear, Order, Step, act, seeded, streams
from tests.unit.brokers.samples import INSTRUMENTS

RICH = 10**15


def asked(model: Model, desk: Stand, order: Order, number: int) -> None:
    """Have the model take the order that the venue is about to take."""
    more = order.more
    prices = {"limit": "limit_px", "trigger": "trigger_px", "stop": "stop_px", "profit": "take_profit_px"}
    terms: dict[str, Any] = {
        name: Fraction(more[key]) for name, key in prices.items() if more.get(key) is not None
    }
    sign, size = order.side.sign, Fraction(order.size)
    if order.what == "protect":
        held = Fraction(desk.size(order.symbol))
        sign, size = (-1 if held > 0 else 1), abs(held)
        terms["kind"] = more["kind"].value
    is_market = more.get("kind") is OrderKind.MARKET
    terms |= {"reduces": more.get("reduce_only", False), "alo": more.get("tif") is Tif.ALO}
    terms["at_once"] = is_market or more.get("tif") is Tif.IOC
    model.place(number, desk.venue._now(), order.symbol, sign, size, **terms)


def step_both(model: Model, desk: Stand, step: Step) -> None:
    desk.wait(step.wait_ms)
    if isinstance(step.what, Hear):
        model.tell(step.what.told, desk.venue._now())
        desk.tell(step.what.told)
        return
    if step.what.what == "cancel":
        model.orders.pop(min(model.orders, default=0), None)
    elif step.what.what != "alarm":
        asked(model, desk, step.what, desk.venue.state.next_number)
    act(desk, step.what)


def agree(model: Model, desk: Stand) -> None:
    """Fills, funding, positions and what is still alive are the same."""
    fills = [
        (f.order, f.symbol, f.side.sign, Fraction(f.size), Fraction(f.px), f.liquidity.value)
        for f in desk.fills
    ]
    paid = [
        (e.symbol, Fraction(e.position), Fraction(e.amount))
        for e in desk.events
        if isinstance(e, FundingPaid)
    ]
    state = desk.venue.state
    assert fills == model.fills
    assert paid == model.funding
    assert {symbol: Fraction(held.size) for symbol, held in state.positions.items()} == {
        symbol: size for symbol, size in model.held.items() if size
    }
    assert {number: Fraction(order.filled) for number, order in state.orders.items()} == {
        number: order["filled"] for number, order in model.orders.items()
    }


def led(steps: list[Step]) -> Stand:
    """Lead the venue and the model through a stream; they agree after every step."""
    desk, model = Stand(cash=RICH, costs=Costs(), leverage=40), Model(INSTRUMENTS)
    for step in steps:
        step_both(model, desk, step)
        agree(model, desk)
    return desk


@settings(max_examples=100)
@given(streams())
def test_the_venue_and_the_model_agree_after_every_step(steps: list[Step]) -> None:
    """Whatever the market does and the feed tells."""
    led(steps)


@pytest.mark.parametrize("seed", range(4))
def test_long_streams_come_to_something_and_agree(seed: int) -> None:
    """Hundreds of steps in which much is filled, fired, expired, charged and left aside."""
    desk = led(seeded(seed, 700))

    ends = {
        (order.state.value, order.reason)
        for e in desk.events
        if (order := getattr(e, "order", None)) and not isinstance(order, int)
    }
    causes = {(fill.cause, fill.liquidity.value) for fill in desk.fills}
    assert len(desk.fills) > 60
    assert len(desk.venue.unfit) >= 6
    assert causes >= {("market", "taker"), ("limit", "taker"), ("limit", "maker"), ("stop", "taker")}
    assert {reason for _, reason in ends} >= {"iocCancel", "no quote came in time", "noMark", "badAloPx"}
    assert any(isinstance(e, FundingPaid) for e in desk.events)
