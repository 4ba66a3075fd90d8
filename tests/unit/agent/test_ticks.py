"""Ticks and the traders that ship: what they see, what they do, and what is kept of it."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.baselines import Trader, baseline
from agent.run import HELD, Agent, baseline_for, run_skill
from agent.tick import Tick
from db.market import BAR
from domain.actions import ProposeOrder
from domain.orders import Side
from domain.snapshots import DecisionSnapshot, TickOutcome
from domain.time import HOUR_MS
from market.history import History, Series
from skills import skill_md
from skills.skill import Skill
from tests.unit.brokers.samples import START, at_once, flat, tape_of
from tests.unit.engine.samples import House, caps
from tests.unit.skills.samples import SKILL

D = Decimal


def skill(model: str = "sma-cross", params: str = "{fast: 2, slow: 3, size: 0.5}", **own: Any) -> Skill:
    """A Skill for BTC with a baseline, and caps that leave room but for those a test is about."""
    text = SKILL.replace("sma-cross", model).replace("{fast: 20, slow: 50, size: 0.1}", params)
    text = text if params else text.replace("model_params: \n", "")
    return msgspec.structs.replace(skill_md.read(text), caps=caps(**own))


def past(*closes: float, symbol: str = "BTC") -> History:
    """Hours that closed before the account begins."""
    first = START - len(closes) * HOUR_MS
    rows = [
        (ts, ts + HOUR_MS, c, c, c, c, 1e6)
        for ts, c in zip(range(first, START, HOUR_MS), closes, strict=True)
    ]
    return History({symbol: Series(symbol, HOUR_MS, np.array(rows, BAR))}, {})


class Desk:
    """A trader with an engine; `decide` lets it decide now."""

    def __init__(self, of: Skill, history: History, *, seed: int = 0, trader: Trader | None = None) -> None:
        self.house = House(of.caps, tape_of({"BTC": [flat(100)] * 9}), symbols=("BTC",))
        self.agent = Agent(of, trader or baseline(of, seed), history, self.house.engine, "test", "data")

    def decide(self) -> tuple[TickOutcome, DecisionSnapshot | None]:
        decision = at_once(run_skill(self.agent, self.house.ts))
        return decision.outcome, decision.snapshot

    def orders(self) -> list[tuple[str, Decimal, bool]]:
        """Side, size and whether it only reduces, of all that was proposed now."""
        _, snapshot = self.decide()
        actions = snapshot.actions if snapshot else ()
        return [(a.side.value, a.size, a.reduce_only) for a in actions if isinstance(a, ProposeOrder)]


# The crossing averages.


@pytest.mark.parametrize(
    ("closes", "held", "may_short", "expected"),
    [
        ((1, 1), "0", True, []),
        ((1, 1, 2), "0", True, [("buy", D("0.5"), False)]),
        ((2, 2, 1), "0", True, [("sell", D("0.5"), False)]),
        ((2, 2, 1), "0", False, []),
        ((2, 2, 2), "0", True, []),
        ((1, 1, 2), "0.5", True, []),
        ((2, 2, 1), "0.5", True, [("sell", D(1), False)]),
        ((2, 2, 1), "0.5", False, [("sell", D("0.5"), True)]),
        ((2, 2, 2), "0.5", True, []),
        ((0.15, 0.1, 0.2), "0", True, []),
        ((9, 9, 1, 1, 2), "0", True, [("buy", D("0.5"), False)]),
    ],
    ids=[
        "too few bars", "above", "below", "below, long only", "equal", "above, long", "below, long",
        "below, long, long only", "equal, long", "equal in tenths", "only the newest count",
    ],
)  # fmt: skip
def test_sma_cross_trades_the_difference_to_its_target(
    closes: tuple[float, ...], held: str, may_short: bool, expected: list[Any]
) -> None:
    """One market order; nothing before there are enough bars, nor when the averages are equal."""
    desk = Desk(skill(allow_short=may_short), past(*closes))
    if held != "0":
        desk.house.buy(held)
        desk.house.step()
        desk.agent = msgspec.structs.replace(desk.agent, history=past(*closes))
    assert desk.orders() == expected


def test_random_decides_by_seed_and_instant_alone() -> None:
    """The same seed does the same again; other seeds do otherwise; all three things happen."""
    of, history = skill("random", "{size: 0.5}"), past(1)
    tosses: list[list[list[str]]] = []
    for seed in (1, 1, 2):
        desk = Desk(of, history, seed=seed)
        tosses.append([])
        for _ in range(9):
            tosses[-1].append([side for side, _, _ in desk.orders()])
            if desk.house.next < 9:
                desk.house.step()
    assert tosses[0] == tosses[1] != tosses[2]
    assert {tuple(toss) for toss in tosses[0]} == {(), ("buy",), ("sell",)}


def test_buy_and_hold_buys_once() -> None:
    """For what it has, so that even the worst fill and its fee are paid for; then never again."""
    desk = Desk(skill("buy-and-hold", "", max_slippage_bps=D(50)), past(100))
    ((side, size, _),) = desk.orders()
    assert side == "buy"
    assert D("0.99") * 100 < size < D(10_000) / 100 / D("1.0055") + D("0.001")
    assert desk.orders() == []
    desk.house.step()
    assert desk.house.size() > 0
    assert desk.orders() == []
    desk.house.close()
    desk.house.step()
    assert desk.orders() == []


def test_buy_and_hold_waits_for_a_bar() -> None:
    """Without a close there is nothing to size an order by."""
    assert Desk(skill("buy-and-hold", ""), past()).orders() == []


def test_hold_holds() -> None:
    """And leaves nothing but its outcome."""
    desk = Desk(skill("hold", ""), past(1, 2, 3))
    assert at_once(run_skill(desk.agent, desk.house.ts)) is HELD
    assert not desk.house.journal.take()


# What is kept.


class Twice:
    """Proposes the same order twice."""

    async def decide(self, tick: Tick) -> None:
        for _ in range(2):
            await tick.act(ProposeOrder("BTC", Side.BUY, D(1)))


@pytest.mark.parametrize(
    ("most_usd", "outcome", "approved"),
    [
        (250, TickOutcome.ACTED, [True, True]),
        (150, TickOutcome.ACTED, [True, False]),
        (50, TickOutcome.REFUSED, [False, False]),
    ],
)
def test_a_tick_that_did_something_is_kept(most_usd: int, outcome: TickOutcome, approved: list[bool]) -> None:
    """Actions and verdicts in order, the account as it was before; the second of two actions sees the first."""
    desk = Desk(skill(max_position_usd=D(most_usd)), past(1), trader=Twice())
    found, snapshot = desk.decide()
    assert snapshot is not None
    assert (found, snapshot.outcome) == (outcome, outcome)
    assert [verdict.approved for verdict in snapshot.verdicts] == approved
    assert len(snapshot.actions) == 2
    assert (snapshot.tick_ts, snapshot.account.ts) == (START, START)
    assert (snapshot.account.cash, snapshot.account.positions) == (D(10_000), {})


def test_a_decision_is_named_by_its_account_and_its_instant() -> None:
    """The same again has the same name; another account or instant another. Its context has the data's name."""
    one, again = (Desk(skill(), past(1), trader=Twice()) for _ in range(2))
    first, second = one.decide()[1], again.decide()[1]
    assert first == second
    again.house.step()
    later = again.decide()[1]
    elsewhere = Desk(skill(), past(1), trader=Twice())
    elsewhere.agent = msgspec.structs.replace(elsewhere.agent, account="another", data_digest="other")
    other = elsewhere.decide()[1]

    assert first is not None
    assert later is not None
    assert other is not None
    assert len({first.id, later.id, other.id}) == 3
    assert len({first.context_digest, later.context_digest, other.context_digest}) == 3


def test_the_account_has_no_trailing_zeros() -> None:
    """They would tell how finely prices are kept that come later."""
    desk = Desk(skill(), past(1), trader=Twice())
    desk.house.buy("1.00000")
    desk.house.step()
    _, snapshot = desk.decide()
    assert snapshot is not None
    assert (str(snapshot.account.positions["BTC"]), str(snapshot.account.cash)) == ("1", "10000")


def test_a_model_has_no_plain_code() -> None:
    """What decides for it is a language model, which the caller brings."""
    model = msgspec.structs.replace(skill(), model="anthropic:claude-sonnet-4-6")
    assert baseline_for(model, 0) is None
