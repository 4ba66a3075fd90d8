"""The worked example of docs/trading-rules.md §3 once more, this time ordered through the engine."""

from decimal import Decimal

from brokers.paper.costs import Costs
from domain.caps import Caps
from domain.events import FundingPaid, Liquidated
from tests.unit.brokers.samples import tape_of
from tests.unit.brokers.test_golden_case import BARS, RATES
from tests.unit.engine.samples import House, passes

D = Decimal
SKILL = Caps(max_leverage=D(20), allow_short=True, daily_loss_pct=None, max_drawdown_pct=None)


def test_the_engine_trades_the_worked_example_to_the_last_digit() -> None:
    """A Skill of leverage 20 that sends the example's orders ends with the example's books."""
    tape = tape_of({"BTC": BARS}, rates={"BTC": RATES})
    house = House(SKILL, tape, cash="1000", symbols=("BTC",), costs=Costs())
    passes(house.buy("0.1"))
    house.step()
    assert books(house) == (D("997.224175"), D("0.1"), D("1026.284175"))
    passes(house.sell("0.25", stop_px="61000", take_profit_px="59500"))
    house.step()
    assert books(house) == (D("908.972318"), D(0), D("908.972318"))
    passes(house.buy("0.2", limit_px="59000"))
    house.step()
    assert books(house) == (D("908.382818"), D("0.1"), D("918.382818"))
    house.step()
    assert books(house)[:2] == (D("907.497818"), D("0.2"))
    house.step()
    assert books(house) == (D("131.534768"), D(0), D("131.534768"))

    assert [(fill.px, fill.size, fill.fee) for fill in house.fills] == [
        (60010, D("0.1"), D("2.700450")),
        (60300, D("0.25"), D("6.783750")),
        (61009, D("0.15"), D("4.118107")),
        (59000, D("0.1"), D("0.885000")),
        (59000, D("0.1"), D("0.885000")),
        (55145, D("0.2"), D("4.963050")),
    ]
    assert [each.amount for each in house.entries if isinstance(each, FundingPaid)] == [
        D("-0.075375"),
        D("0.295500"),
    ]
    (liquidated,) = [each for each in house.entries if isinstance(each, Liquidated)]
    assert liquidated.marks == {"BTC": D("55151.909782")}
    assert house.venue.state.leverage == {"BTC": 20}
    assert house.orders == []


def books(house: House) -> tuple[Decimal, Decimal, Decimal]:
    """Cash, position and equity after the hour; the engine's book is the venue's."""
    assert house.engine.book.positions == house.venue.state.positions
    assert house.engine.equity == house.venue.equity()
    return house.venue.state.account.cash, house.size(), house.engine.equity
