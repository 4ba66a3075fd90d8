"""The worked example of docs/trading-rules.md §3, row by row and to the last digit."""

from decimal import Decimal
from typing import Any

import pytest

from brokers.paper.costs import Costs
from domain.events import Liquidated, VenueEvent
from domain.orders import Fill
from tests.unit.brokers.samples import Desk, tape_of

BARS: list[Any] = [
    (60000.4, 60400, 59800, 60300.6, 100),  # A
    (60310, 61050, 59400, 59900, 250),  # B
    (59200, 59300, 58990, 59100, 1),  # C
    (58500, 58900, 58400, 58800, 100),  # D
    (58700, 58750, 54000, 54500, 800),  # E
]
RATES = {1: 0.0000125, 3: -0.00005}

D = Decimal


@pytest.fixture
def desk() -> Desk:
    """The example's account, before bar A."""
    return Desk(tape_of({"BTC": BARS}, rates={"BTC": RATES}), cash="1000", leverage=20, costs=Costs())


def fill(events: list[VenueEvent]) -> Fill:
    """The one fill among the events."""
    (only,) = [event for event in events if isinstance(event, Fill)]
    return only


def stands(desk: Desk, *, cash: str, position: str, equity: str) -> None:
    """Compare a row's last three columns."""
    assert (desk.cash, desk.size(), desk.equity) == (D(cash), D(position), D(equity))


def test_the_worked_example_holds_to_the_last_digit(desk: Desk) -> None:
    """Eight events on one account: market orders, funding, a flip, protections, a rationed limit, a liquidation."""
    # A: share 0.1 / 100 = 0.1 %, impact 5 × √0.01 = 0.5 bps, with the half-spread 1.5 bps.
    # 60000.4 × 1.00015 = 60009.40006, upwards to five figures 60010. Fee 6001 × 0.00045 = 2.70045.
    # Equity at the open: 997.29955 − 0.1 × 9.6.
    desk.buy("0.1")
    bought = fill(desk.open())
    assert (bought.px, bought.fee, bought.realized) == (60010, D("2.700450"), 0)
    stands(desk, cash="997.299550", position="0.1", equity="996.339550")

    # 0.1 × 60300.6 × 0.0000125 = 0.07537575, cut to 0.075375. Equity: cash + 0.1 × (60300.6 − 60010).
    desk.close()
    desk.settle()
    stands(desk, cash="997.224175", position="0.1", equity="1026.284175")

    # B: share 0.25 / 250 = 0.1 % again. 60310 × 0.99985 = 60300.9535, downwards 60300. 0.1 × (60300 − 60010) = 29.
    # Fee on the whole 0.25: 15075 × 0.00045 = 6.78375. Equity at 60310: −0.15 × 10 below cash.
    desk.sell("0.25", stop_px="61000", take_profit_px="59500")
    sold = fill(desk.open())
    assert (sold.px, sold.fee, sold.realized) == (60300, D("6.783750"), 29)
    stands(desk, cash="1019.440425", position="-0.15", equity="1017.940425")

    # A short: the high comes first, so the stop is met before the take-profit. Share 0.15 / 250 = 0.06 %,
    # 5 × √0.006 = 0.38730, with the half-spread 1.38730 bps: 61000 × 1.00013873 = 61008.46, upwards 61009.
    # Realized −0.15 × (61009 − 60300) = −106.35. Fee 9151.35 × 0.00045 = 4.1181075, cut.
    stopped = fill(desk.close())
    assert (stopped.px, stopped.fee, stopped.realized, stopped.cause) == (
        61009,
        D("4.118107"),
        D("-106.35"),
        "stop",
    )
    desk.settle()
    stands(desk, cash="908.972318", position="0", equity="908.972318")
    assert not desk.venue.state.orders

    # C: ten per cent of a volume of 1 is 0.1. Maker: 5900 × 0.00015 = 0.885. Marked at the close, 59100.
    desk.buy("0.2", limit_px="59000")
    assert desk.open()
    bid = fill(desk.close())
    assert (bid.size, bid.px, bid.fee) == (D("0.1"), 59000, D("0.885000"))
    stands(desk, cash="908.087318", position="0.1", equity="918.087318")

    # 0.1 × 59100 × −0.00005 = −0.2955: the long receives.
    desk.settle()
    stands(desk, cash="908.382818", position="0.1", equity="918.382818")

    # D opens at 58500, through the bid: what is left of it fills at its own price.
    rest = fill(desk.open())
    assert (rest.size, rest.px, rest.fee) == (D("0.1"), 59000, D("0.885000"))
    stands(desk, cash="907.497818", position="0.2", equity="807.497818")
    desk.close()
    desk.settle()

    # E: maintenance is notional / 80. 907.497818 + 0.2 × (m − 59000) = 0.2 × m / 80
    # → 0.1975 m = 10892.502182 → m = 55151.9097822…. Share 0.2 / 800 = 0.025 %, 5 × √0.0025 = 0.25, with the
    # half-spread 1.25 bps: 55151.909782 × 0.999875 = 55145.01…, downwards 55145.
    # Realized 0.2 × (55145 − 59000) = −771. Fee 11029 × 0.00045 = 4.96305.
    assert desk.open() == []
    events = desk.close()
    (liquidation,) = [event for event in events if isinstance(event, Liquidated)]
    sold = fill(events)
    assert liquidation.marks == {"BTC": D("55151.909782")}
    assert not liquidation.backstop
    assert (sold.px, sold.fee, sold.realized, sold.reference_px) == (
        55145,
        D("4.963050"),
        -771,
        D("55151.909782"),
    )
    stands(desk, cash="131.534768", position="0", equity="131.534768")
