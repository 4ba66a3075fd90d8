"""How often a call is tried again: never for more money or time than one call, and its tick, may take."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from agent.allowance import Allowance, Patience
from agent.asking import MOST_ATTEMPTS, Asker
from agent.gate import Gate
from agent.models import AnthropicDoor
from config.models import Price, load_models
from domain.inference import Failure, Recorded, Reply
from domain.money import ZERO
from domain.time import DAY_MS, ManualClock
from tests.integration.agent.desk import KEY, MemoryLedger
from tests.standins.messages_api import Answers, stand_in
from tests.standins.provider import NOW
from tests.standins.steps import Step, say

D = Decimal
BODY: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "What now?"}],
}
MUCH = D(9)
WORST = D("0.0091")
"""A little more than what an attempt at it can cost."""


def price(ts: int = NOW) -> Price | None:
    """What a call costs."""
    facts = load_models().find("claude-sonnet-4-6")
    return facts and facts.price_at(NOW)


class Asked:
    """One request asked once, without waiting between attempts, and what came of it."""

    def __init__(self, *, call: Decimal = MUCH, tick: Decimal = MUCH, **how: Any) -> None:
        self.ledger, self.patience, self.clock = MemoryLedger(), Patience(120), ManualClock(NOW)
        self.attempts = 0
        self._allowance = Allowance(call, tick, D(90), D(90))
        self._price_at: Callable[[int], Price | None] = how.get("price_at", price)

    async def ask(self, answers: Answers, tick_usd: Decimal = ZERO) -> Recorded:
        async with stand_in(answers) as api:
            door = AnthropicDoor(KEY, base_url=api.url)
            asker = Asker(
                self.ledger,
                Gate(1),
                self._allowance,
                self._price_at,
                self.clock,
                open_door=lambda: door,
                sleep=_at_once,
            )
            _, found = await asker.ask(BODY, self.patience, tick_usd)
            await door.close()
            self.attempts = api.calls
            return found

    @property
    def spent(self) -> Decimal:
        """What is booked for the day."""
        return max(self.ledger.spent.values(), default=ZERO)


async def _at_once(seconds: float) -> None:
    pass


def cut(body: Any, number: int) -> Step:
    """Begin an answer, and break it off."""
    return say("HOLD", fault="cut")


@pytest.mark.parametrize(
    ("limits", "kind"), [({"call": 3 * WORST}, "call_budget"), ({"tick": 3 * WORST}, "tick_budget")]
)
async def test_attempts_that_were_lost_count_in_the_budgets_of_call_and_tick(
    limits: dict[str, Decimal], kind: str
) -> None:
    """Each is booked at its worst case; a fourth that would pass the limit is not made, and that is the outcome."""
    asked = Asked(**limits)
    found = await asked.ask(cut)

    assert isinstance(found.outcome, Failure)
    assert (found.outcome.kind, asked.attempts) == (kind, 3)
    assert found.cost_usd == asked.spent <= 3 * WORST
    assert asked.spent + found.cost_usd / 3 > 3 * WORST  # type: ignore[operator]


async def test_what_the_tick_has_cost_before_leaves_fewer_attempts() -> None:
    """Two of three are spent already."""
    asked = Asked(tick=3 * WORST)
    await asked.ask(cut, 2 * WORST)
    assert asked.attempts == 1


async def test_an_answer_after_lost_attempts_costs_all_of_them() -> None:
    """The record says what it took to get it."""
    asked = Asked()
    found = await asked.ask([cut({}, 0), cut({}, 1), say("HOLD")])
    assert isinstance(found.outcome, Reply)
    assert found.cost_usd == asked.spent > D("0.015")
    assert asked.patience.lost_usd == 0


async def test_what_another_run_recorded_meanwhile_takes_nothing_from_what_was_paid() -> None:
    """Its cheaper answer is gone on from; the tick still counts what it has paid for its own."""
    asked = Asked()

    class Elsewhere(MemoryLedger):
        async def settle(self, *settled: Any) -> Recorded:  # type: ignore[override]
            await super().settle(*settled)
            return Recorded(Reply((), "end_turn"), D("0.000001"))

    asked.ledger = Elsewhere()
    found = await asked.ask([say("HOLD")])
    assert found.cost_usd == D("0.000001")
    assert asked.patience.lost_usd == asked.spent - D("0.000001")


async def test_a_tick_whose_time_is_up_asks_nothing_more() -> None:
    """Nothing is set aside or sent for an answer that could not come in time."""
    asked = Asked()
    asked.patience.spend(120)
    found = await asked.ask(cut)
    assert isinstance(found.outcome, Failure)
    assert (found.outcome.kind, found.cost_usd, asked.attempts, asked.spent) == ("deadline", ZERO, 0, ZERO)


async def test_a_price_that_rises_during_a_call_is_not_that_calls() -> None:
    """It costs what it was set aside at: the price of the instant at which it was made."""
    now = price()
    assert now
    dearer = Price(
        valid_from=now.valid_from,
        **{name: 100 * getattr(now, name) for name in ("input", "output", "cache_read")},
        cache_write_5m=D(0),
        cache_write_1h=D(0),
    )
    asked = Asked(price_at=lambda ts: now if ts == NOW else dearer)

    def answer(body: Any, number: int) -> Step:
        asked.clock.move_to(NOW + DAY_MS)
        return say("HOLD", usage={"input_tokens": 100, "output_tokens": 100})

    found = await asked.ask(answer)
    assert found.cost_usd == asked.spent == (100 * now.input + 100 * now.output) / 1_000_000


async def test_a_model_without_a_price_is_tried_again_as_often() -> None:
    """No budget in USD can hold it, and none is said to."""
    asked = Asked(call=D("0.000001"), price_at=lambda ts: None)
    found = await asked.ask(cut)
    assert isinstance(found.outcome, Failure)
    assert (found.outcome.kind, found.cost_usd, asked.attempts) == ("truncated", None, MOST_ATTEMPTS)
