"""Parity: every planted divergence is found, put down to its cause, and all of them add up to the whole."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.baselines import RandomTrader, Trader, baseline
from agent.tick import Tick
from brokers.paper.costs import Costs
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.caps import Caps
from domain.orders import Side
from simulator.parity.account import AccountRecord
from simulator.parity.causes import Cause
from simulator.parity.compare import compare
from simulator.parity.report import Parity
from tests.unit.simulator.parity.planted import DUE, SKILL, Faults, around, lead, total

D = Decimal
TREND = baseline(SKILL, 0)
SIM = lead("sim", TREND)
"""The sample Skill's simulation: nothing befalls it."""


def beside_it(faults: Faults, trader: Trader = TREND, sim: AccountRecord = SIM) -> Parity:
    """The comparison of a deployment that something befalls with the simulation."""
    found = compare(lead("a deployment", trader, faults), sim, around(missed=faults.missed))
    assert total([part.usd for part in found.parts]) == found.divergence_usd
    return found


def causes(found: Parity) -> set[Cause]:
    return {part.cause for part in found.parts}


def test_the_same_market_gives_the_same_account() -> None:
    """Whatever an account is called: not a cent, not a tick, not a fill differs."""
    found = beside_it(Faults())

    assert found.is_exact
    assert found.parts == found.differences == ()
    assert (found.ticks.same, found.ticks.due) == (len(DUE), len(DUE))
    assert found.fills.both == len(SIM.executed) > 10
    assert (found.fills.bps, found.divergence_usd, found.widest_usd) == (0.0, D(0), D(0))
    assert found.deployment == found.simulation


def test_worse_prices_are_told_in_dollars_and_basis_points() -> None:
    """A wider spread costs what its parts say, and the fees that go with the price."""
    found = beside_it(Faults(costs=Costs(half_spread_bps=D(4))))

    assert causes(found) == {Cause.FILL_PRICE, Cause.FEES}
    assert found.divergence_usd < 0
    assert found.fills.bps == pytest.approx(3, abs=0.2)
    assert found.ticks.same == len(DUE)


def test_other_fees_are_fees_alone() -> None:
    """The prices are the same, and so is all else."""
    found = beside_it(Faults(costs=Costs(taker_bps=D(10))))

    assert causes(found) == {Cause.FEES}
    assert found.divergence_usd == SIM_FEES - found.deployment.fees


SIM_FEES = total([fill.fee for fill in SIM.fills])
FIRST = (SIM.decisions[0].tick_ts - DUE[0]) // (DUE[1] - DUE[0])
"""The hour of the first decision that did something."""


def test_a_missed_tick_explains_what_it_led_to() -> None:
    """The order that was not sent, the later one in its place, and the funding in between: all are its doing."""
    found = beside_it(Faults(missed=frozenset({FIRST})))

    assert causes(found) == {Cause.MISSED_TICK}
    assert found.ticks.missing == 1
    listed = next(one for one in found.ticks.listed if one.tick_ts == DUE[FIRST])
    assert listed.why == "paused"
    assert "buy" in listed.simulation or "sell" in listed.simulation


def test_a_tick_that_nobody_knows_to_be_missing_is_found_all_the_same() -> None:
    """With the same position in the same market it would have done the same."""
    live = lead("a deployment", TREND, Faults(missed=frozenset({FIRST})))

    found = compare(live, SIM, around())

    assert causes(found) == {Cause.MISSED_TICK}


def test_what_is_done_by_hand_is_told_apart() -> None:
    """Closing a position, and the tick that opens it again, are put down to the hand."""
    found = beside_it(Faults(by_hand={FIRST + 1: ClosePosition("BTC")}))

    assert causes(found) == {Cause.BY_HAND}
    assert found.fills.only_deployment >= 1


def test_a_flattening_by_hand_is_by_hand() -> None:
    """And so is what the next tick does to get back."""
    found = beside_it(Faults(flattened=frozenset({FIRST + 1})))

    assert causes(found) == {Cause.BY_HAND}


def test_a_tick_that_was_cut_short_is_told_as_such() -> None:
    """Its order was sent, so nothing differs in dollars; that it is not known whether it was whole is told."""
    found = beside_it(Faults(cut=frozenset({FIRST})))

    assert found.parts == ()
    assert not found.is_exact
    assert [one.why for one in found.ticks.listed] == ["interrupted"]


def test_other_funding_is_funding() -> None:
    """A settlement that the tape does not have, for the same position."""
    held = next(n for n, ts in enumerate(DUE) if ts > SIM.decisions[0].tick_ts)
    found = beside_it(Faults(extra_funding={held + 2: D("0.001")}))

    assert causes(found) == {Cause.FUNDING}


def test_a_halt_on_one_side_is_a_halt() -> None:
    """Tighter caps of the deployment: what its halt closed, and did not do afterwards, is the halt's."""
    tight = msgspec.structs.replace(
        SKILL, caps=msgspec.structs.replace(SKILL.caps, max_drawdown_pct=D("0.8"), halt_lifts="by_hand")
    )
    found = beside_it(Faults(skill=tight))

    assert Cause.HALT in causes(found)
    assert causes(found) <= {Cause.HALT, Cause.FUNDING}
    assert found.ticks.missing > 0


def test_an_order_refused_on_one_side_is_a_refusal() -> None:
    """The same action, taken by the one and refused by the other."""
    tight = msgspec.structs.replace(
        SKILL, caps=msgspec.structs.replace(SKILL.caps, max_position_usd=D(1_000))
    )
    found = beside_it(Faults(skill=tight))

    assert Cause.REFUSAL in causes(found)
    assert found.ticks.refused_otherwise > 0
    assert found.deployment.refused > found.simulation.refused == 0


def test_a_decision_made_otherwise_is_a_decision() -> None:
    """Unless data was late at its tick: then that is why."""
    live = lead("a deployment", RandomTrader(1, D("0.01")))
    sim = lead("sim", RandomTrader(2, D("0.01")))

    found = compare(live, sim, around())
    late = compare(live, sim, around(late=frozenset(range(len(DUE)))))

    assert Cause.DECISION in causes(found)
    assert found.ticks.different > 0
    assert Cause.LATE_DATA in causes(late)
    assert Cause.DECISION not in causes(late)


def test_a_part_of_an_order_is_a_size() -> None:
    """A thinner market fills less of the same order."""
    live = lead("a deployment", TREND, Faults(costs=Costs(participation=D("0.00001"))))

    found = compare(live, SIM, around())

    assert Cause.SIZE in causes(found)
    assert total([part.usd for part in found.parts]) == found.divergence_usd


def test_marks_at_the_end_are_marks() -> None:
    """What is held may be valued otherwise; that is no fault of a fill."""
    live = lead("a deployment", TREND)
    ts, usd = live.equity[-1]
    other = msgspec.structs.replace(live, equity=[*live.equity[:-1], (ts, usd + 7)])

    found = compare(other, SIM, around())

    assert live.positions
    assert [(part.cause, part.usd) for part in found.parts] == [(Cause.MARKS, D(7))]
    assert found.widest_usd == 7


def test_a_ledger_that_does_not_add_up_is_unexplained() -> None:
    """Where nothing is held, no mark can be the reason."""
    hold = baseline(msgspec.structs.replace(SKILL, model="baseline:hold"), 0)
    live, sim = lead("a deployment", hold), lead("sim", hold)
    ts, usd = live.equity[-1]
    other = msgspec.structs.replace(live, equity=[*live.equity[:-1], (ts, usd + 7)])

    assert causes(compare(other, sim, around())) == {Cause.UNEXPLAINED}


def test_accounts_of_other_size_are_not_compared() -> None:
    """They would differ in everything."""
    with pytest.raises(ValueError, match="began with"):
        compare(msgspec.structs.replace(SIM, start_usd=D(1)), SIM, around())


class Busy:
    """Does something of everything, as its seed has it."""

    def __init__(self, seed: int) -> None:
        self._toss = RandomTrader(seed, D("0.02"))

    async def decide(self, tick: Tick) -> None:
        await self._toss.decide(tick)
        for symbol in tick.skill.market.symbols:
            held, px = tick.held(symbol), tick.bars(symbol).last(1)[0].close
            sign = 1 if held > 0 else -1
            if held and tick.ts % 3 == 0:
                await tick.act(SetProtection(symbol, stop_px=px * (1 - sign * D("0.004"))))
            elif tick.ts % 5 == 0:
                await tick.act(ProposeOrder(symbol, Side.BUY, D("0.02"), limit_px=px * D("0.997")))
            elif tick.orders:
                await tick.act(CancelOrder(next(iter(tick.orders))))


hours = st.frozensets(st.integers(0, len(DUE) - 1), max_size=6)
actions = st.sampled_from(
    [
        ClosePosition("BTC"),
        ProposeOrder("ETH", Side.SELL, D("0.1")),
        ProposeOrder("BTC", Side.BUY, D("0.01")),
    ]
)
caps = st.sampled_from(
    [SKILL.caps, msgspec.structs.replace(SKILL.caps, max_drawdown_pct=D(1), halt_lifts="by_hand")]
)
costs = st.builds(
    Costs,
    half_spread_bps=st.sampled_from([D(0), D(1), D("7.5")]),
    taker_bps=st.sampled_from([D("4.5"), D(2)]),
    participation=st.sampled_from([D("0.1"), D("0.00002")]),
)


@st.composite
def faults(draw: st.DrawFn) -> Faults:
    """Any mixture of what can befall a deployment."""
    by_hand: dict[int, Action] = draw(st.dictionaries(st.integers(0, len(DUE) - 1), actions, max_size=4))
    held_to: Caps = draw(caps)
    return Faults(
        missed=draw(hours),
        cut=draw(hours),
        by_hand=by_hand,
        flattened=draw(st.frozensets(st.integers(0, len(DUE) - 1), max_size=2)),
        costs=draw(costs),
        skill=msgspec.structs.replace(SKILL, caps=held_to),
    )


BUSY = lead("sim", Busy(1))


@settings(max_examples=25)
@given(faults())
def test_the_causes_add_up_to_the_whole(what: Faults) -> None:
    """Whatever befalls a deployment, to the last digit; and nothing is left unexplained."""
    found = compare(lead("a deployment", Busy(1), what), BUSY, around(missed=what.missed))

    assert total([part.usd for part in found.parts]) == found.divergence_usd
    assert not causes(found) & {Cause.UNEXPLAINED, Cause.MARKS}
    assert (
        found.ticks.same + found.ticks.different + found.ticks.missing + found.ticks.refused_otherwise
        == len(DUE)
    )


@settings(max_examples=10)
@given(st.integers(0, 1_000))
def test_no_account_differs_from_itself(seed: int) -> None:
    """Any trader, led twice under two names."""
    found = compare(lead("a", Busy(seed)), lead("b", Busy(seed)), around())

    assert found.is_exact
