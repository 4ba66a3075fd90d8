"""Where the rules coincide, a live account and one on a tape come to the same, event by event.

They do in a market that moves once an hour, without a spread and with more on offer than anybody wants.
"""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from brokers.paper.costs import Costs
from domain.events import FundingPaid
from domain.orders import OrderKind, Side, Tif
from domain.time import HOUR_MS
from tests.unit.brokers.live_samples import Stand
from tests.unit.brokers.samples import Desk, Hand, encoded, flat, tape_of

D = Decimal
HOURS = 300
PLENTY = 1e9
TOUCH = Costs(half_spread_bps=D(0), impact_bps_at_10pct=D(0), participation=D(1))
RICH = 10**9


def act(dice: Random, px: Decimal, *hands: Hand) -> None:
    """Do one and the same thing in each account."""

    def near(low: int, high: int) -> Decimal:
        return (px * (10_000 + dice.randint(low, high)) / 10_000).quantize(D("0.1"))

    side, size = dice.choice(list(Side)), D(dice.randint(1, 500)) / 100
    more: dict[str, Any] = {"reduce_only": dice.random() < 0.2}
    what = dice.choice(["market", "market", "limit", "limit", "protect", "cancel"])
    if what == "limit":
        more |= {"limit_px": near(-150, 150), "tif": dice.choice(list(Tif))}
    if dice.random() < 0.4:
        away = (-500, -300) if side is Side.BUY else (300, 500)
        more |= {"stop_px": near(*away), "take_profit_px": near(-away[1], -away[0])}
    trigger, kind = near(-300, 300), dice.choice([OrderKind.STOP, OrderKind.TAKE_PROFIT])
    for hand in hands:
        if what == "cancel":
            hand.cancel(min(hand.venue.state.orders, default=0))
        elif what == "protect":
            held = hand.size()
            closing = Side.SELL if held > 0 else Side.BUY
            falls = (kind is OrderKind.STOP) is (closing is Side.SELL)
            if (trigger < px) is falls:
                hand.protect(kind, closing, str(trigger))
        else:
            hand.place(hand.order(side, size, **more))


@pytest.mark.parametrize("seed", range(5))
def test_live_and_on_a_tape_the_same_happens(seed: int) -> None:
    """Orders of all kinds, protections, funding; every order and fill, to the last digit and the millisecond."""
    dice = Random(seed)
    prices = [60_000.0]
    for _ in range(HOURS):
        prices.append(round(prices[-1] * (1 + dice.gauss(0, 0.006)), 1))
    rates = {hour: dice.randint(-200, 200) / 1e6 for hour in range(1, HOURS) if dice.random() < 0.9}
    desk = Desk(
        tape_of({"BTC": [flat(px, PLENTY) for px in prices]}, rates={"BTC": rates}),
        cash=RICH,
        costs=TOUCH,
    )
    live = Stand(cash=RICH, costs=TOUCH, stale_after_ms=2 * HOUR_MS)
    desk.step()
    live.mark(D(str(prices[0])))
    live.wait(HOUR_MS)

    for hour in range(1, HOURS):
        px = D(str(prices[hour]))
        if hour in rates:
            live.fund(D(str(rates[hour])), D(str(prices[hour - 1])))
        for _ in range(dice.randint(0, 2)):
            act(dice, D(str(prices[hour - 1])), desk, live)
        desk.step()
        live.mark(px)
        live.quote(px, px, D(PLENTY))
        live.wait(HOUR_MS)
    if HOURS in rates:
        live.fund(D(str(rates[HOURS])), D(str(prices[HOURS - 1])))

    assert encoded(live.events) == encoded(desk.events)
    assert len(desk.fills) > 120
    assert {fill.cause for fill in desk.fills} == {"market", "limit", "stop", "take_profit"}
    assert sum(isinstance(event, FundingPaid) for event in desk.events) > 150
