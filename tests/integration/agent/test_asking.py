"""Asking a model: from the record where it can be, again where it helps, within every budget, and never twice over.

The real client asks the stand-in; time passes only when somebody waits.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from agent.allowance import Allowance, Patience
from agent.asking import MOST_ATTEMPTS, MOST_FAILED, Asker, NotRecorded, Stop
from agent.gate import Gate
from agent.models import AnthropicDoor
from config.models import cost_usd, load_models
from domain.inference import Budget, Failure, Recorded, Reply
from domain.money import ZERO
from domain.time import DAY_MS, ManualClock
from tests.integration.agent.desk import KEY, NOW, MemoryLedger
from tests.standins.messages_api import Answers, StandIn, stand_in
from tests.standins.steps import Step, refuse, say

D = Decimal
FACTS = load_models().find("claude-sonnet-4-6")
RUN = Budget("run:test", D(20), "the run")
PLENTY = Allowance(D(1), D(2), D(40), D(80), RUN)
BODY: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "You trade."}],
    "messages": [{"role": "user", "content": "What now?"}],
}
OVERLOADED = refuse(529, "overloaded_error")


class Time:
    """Seconds that pass when somebody sleeps; each sleep is kept."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Asking:
    """An asker with all it leans on. `but` gives another one on the same record."""

    def __init__(self, api: StandIn, door: AnthropicDoor | None, ledger: MemoryLedger, **how: Any) -> None:
        self.api, self.door, self.ledger = api, door, ledger
        self.time = Time()
        self.clock = ManualClock(NOW)
        allowance = how.pop("allowance", PLENTY)
        is_priced = how.pop("is_priced", True)
        assert FACTS is not None
        self.asker = Asker(
            ledger,
            Gate(2, now=self.time.now, sleep=self.time.sleep),
            allowance,
            FACTS.price_at if is_priced else lambda ts: None,
            self.clock,
            open_door=None if door is None else lambda: door,
            missing="set a key",
            now=self.time.now,
            sleep=self.time.sleep,
            **how,
        )

    def but(self, **how: Any) -> "Asking":
        return Asking(self.api, how.pop("door", self.door), self.ledger, **how)

    async def ask(
        self, body: dict[str, Any] = BODY, *, patience_s: float = 120, tick_usd: Decimal = ZERO
    ) -> Recorded:
        _, found = await self.asker.ask(body, Patience(patience_s), tick_usd)
        return found

    @property
    def spent(self) -> Decimal:
        return self.ledger.spent.get("run:test", ZERO)


@asynccontextmanager
async def asking(answers: Answers, **how: Any) -> AsyncIterator[Asking]:
    async with stand_in(answers, keys={KEY}) as api:
        door = AnthropicDoor(KEY, base_url=api.url)
        yield Asking(api, door, MemoryLedger(), **how)
        await door.close()


def text(found: Recorded) -> str:
    assert isinstance(found.outcome, Reply)
    return str(found.outcome.content[0]["text"])


# The record.


async def test_what_was_asked_once_is_not_asked_again() -> None:
    """The second time it comes from the record, with what it cost the first time, and costs nothing."""
    async with asking([say("HOLD"), say("never asked for")]) as desk:
        first = await desk.ask()
        spent = desk.spent
        again = await desk.but().ask()

    assert (again, desk.api.calls, desk.spent) == (first, 1, spent)
    assert first.cost_usd == spent > ZERO


async def test_a_replay_asks_nobody() -> None:
    """It has no door at all, and what is not in the record stops it; the line says what differs."""
    async with asking([say("HOLD")]) as desk:
        first = await desk.ask()
        replay = desk.but(door=None, mode="replay")
        assert await replay.ask() == first
        with pytest.raises(
            NotRecorded, match=r"is not recorded; the most similar one differs in system; run it"
        ):
            await replay.ask({**BODY, "system": [{"type": "text", "text": "You hold."}]})
        said = [{"role": "user", "content": "Now?"}, {"role": "assistant", "content": "No."}]
        with pytest.raises(NotRecorded, match="differs in message 0, message 1;"):
            await replay.ask({**BODY, "messages": said})
        with pytest.raises(NotRecorded, match="differs in sample;"):
            await desk.but(door=None, mode="replay", sample=1).ask()


async def test_live_reads_and_keeps_nothing() -> None:
    """Each time is a first time, and is paid for."""
    async with asking([say("one"), say("two")], mode="live") as desk:
        assert [text(await desk.ask()), text(await desk.ask())] == ["one", "two"]
        assert (desk.ledger.calls, desk.api.calls) == ({}, 2)
        assert desk.spent > ZERO


async def test_runs_that_differ_by_their_sample_are_asked_anew() -> None:
    """The same question of another sample has an answer of its own."""
    async with asking([say("one"), say("two")]) as desk:
        assert text(await desk.ask()) == "one"
        assert text(await desk.but(sample=1).ask()) == "two"
        assert text(await desk.but(sample=0).ask()) == "one"


async def test_without_a_key_nobody_is_asked() -> None:
    """The line is the one that says what to set; what is recorded is there all the same."""
    async with asking([say("HOLD")]) as desk:
        await desk.ask()
        keyless = desk.but(door=None)
        assert text(await keyless.ask()) == "HOLD"
        with pytest.raises(Stop, match=r"^set a key$"):
            await keyless.ask({**BODY, "max_tokens": 200})


async def test_a_recorded_failure_is_replayed_and_asked_again_when_recording() -> None:
    """A replay fails alike; a new run has another chance, and its answer takes the failure's place."""
    async with asking([OVERLOADED] * MOST_ATTEMPTS + [say("HOLD")]) as desk:
        first = await desk.ask()
        assert isinstance(first.outcome, Failure)
        assert await desk.but(door=None, mode="replay").ask() == first
        assert text(await desk.but().ask()) == "HOLD"
        assert text(await desk.but(door=None, mode="replay").ask()) == "HOLD"


# Again, where it helps.


async def test_what_may_pass_is_tried_again_with_longer_pauses() -> None:
    """Each pause is up to twice the last, shortened by at most a quarter, never beyond eight seconds."""
    async with asking([OVERLOADED] * 7 + [say("HOLD")]) as desk:
        assert text(await desk.ask()) == "HOLD"

    longest = [0.5, 1, 2, 4, 8, 8, 8]
    assert len(desk.time.slept) == 7
    for slept, most in zip(desk.time.slept, longest, strict=True):
        assert most * 0.75 <= slept <= most


async def test_a_provider_that_says_how_long_is_believed_within_a_ticks_patience() -> None:
    """Its seconds are waited for; an hour is not."""
    for wait, expected in (("7", [7.0]), ("3600", [])):
        answers = [refuse(429, "rate_limit_error", headers={"retry-after": wait}), say("HOLD")]
        async with asking(answers) as desk:
            found = await desk.ask(patience_s=60)
            assert isinstance(found.outcome, Reply) is bool(expected)
            assert desk.time.slept == expected


async def test_a_limit_of_one_is_a_limit_of_all() -> None:
    """After a 429 nobody else who shares the key passes before its time is over."""
    async with asking([refuse(429, "rate_limit_error", headers={"retry-after": "9"}), say("HOLD")]) as desk:
        await desk.ask()
        async with desk.asker._gate.passed():
            assert desk.time.now_s >= 9


async def test_a_storm_ends_as_a_recorded_failure() -> None:
    """After the last attempt the outcome is the failure, kept under the request's key, at no cost."""
    async with asking([refuse(429, "rate_limit_error")] * 99) as desk:
        found = await desk.ask(patience_s=1000)
        assert found == Recorded(Failure("rate_limit", found.outcome.message), ZERO)  # type: ignore[union-attr]
        assert (desk.api.calls, desk.spent, len(desk.ledger.calls)) == (MOST_ATTEMPTS, ZERO, 1)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (refuse(401, "authentication_error"), "check ANTHROPIC_API_KEY"),
        (refuse(403, "permission_error"), "may not use this model"),
        (refuse(402, "billing_error"), "no credit left"),
        (refuse(404, "not_found_error"), "check the Skill's model"),
        (refuse(400, "invalid_request_error"), "refused the request"),
    ],
)
async def test_what_no_attempt_can_help_stops_at_once(step: Step, says: str) -> None:
    """One attempt, one line that says what to do, nothing kept and nothing spent."""
    async with asking([step, say("HOLD")]) as desk:
        with pytest.raises(Stop, match=says):
            await desk.ask()
        assert (desk.api.calls, desk.spent, desk.ledger.calls) == (1, ZERO, {})
        assert text(await desk.ask()) == "HOLD"  # once it is mended


async def test_an_outage_stops_the_run() -> None:
    """So many requests in a row that come to nothing are no weather: the line says what the last one met."""
    async with asking([refuse(500, "api_error")] * 999) as desk:
        for number in range(MOST_FAILED - 1):
            found = await desk.ask({**BODY, "max_tokens": 100 + number}, patience_s=1)
            assert isinstance(found.outcome, Failure)
        with pytest.raises(Stop, match="10 requests in a row came to nothing, the last because the provider"):
            await desk.ask({**BODY, "max_tokens": 999}, patience_s=1)


async def test_where_nobody_is_reached_the_first_request_stops() -> None:
    """After all its attempts, with the line that says what to look at; once somebody answered, it is an outage."""
    async with asking([say("HOLD")]) as desk:
        await desk.api.stop()
        with pytest.raises(Stop, match="could not be reached; check the network and the base URL"):
            await desk.ask()
        assert (desk.spent, len(desk.time.slept)) == (ZERO, MOST_ATTEMPTS - 1)

    async with asking([say("HOLD")]) as desk:
        await desk.ask()
        await desk.api.stop()
        found = await desk.ask({**BODY, "max_tokens": 101})
    assert isinstance(found.outcome, Failure)
    assert found.outcome.kind == "connection"


async def test_an_answer_in_between_is_no_outage() -> None:
    """Failures that are not in a row are counted anew."""
    answers = ([refuse(500, "api_error", headers={"x-should-retry": "false"})] * 7 + [say("HOLD")]) * 4
    async with asking(answers) as desk:
        for number in range(len(answers)):
            await desk.ask({**BODY, "max_tokens": 100 + number})
        assert desk.api.calls == len(answers)


async def test_a_refusal_in_the_middle_of_a_tick_is_of_that_tick() -> None:
    """What was fine at its beginning and is refused later, being too long, say, fails the tick, and the run goes on."""
    later = [
        {"role": "user", "content": "What now?"},
        {"role": "assistant", "content": "Hm."},
        {"role": "user", "content": "Well?"},
    ]
    async with asking([refuse(400, "invalid_request_error", "prompt is too long")]) as desk:
        found = await desk.ask({**BODY, "messages": later})
    assert isinstance(found.outcome, Failure)
    assert (found.outcome.kind, found.cost_usd, desk.api.calls) == ("invalid_request", ZERO, 1)


# Money.


async def test_a_call_costs_its_tokens_at_the_days_price() -> None:
    """What is booked and kept is the price table times the usage that came back, to the last digit."""
    usage = {
        "input_tokens": 1_234,
        "output_tokens": 56,
        "cache_read_input_tokens": 7_000,
        "cache_creation_input_tokens": 890,
        "cache_creation": {"ephemeral_5m_input_tokens": 890, "ephemeral_1h_input_tokens": 0},
    }
    async with asking([say("HOLD", usage=usage)], allowance=_but(per_call_usd=D(50))) as desk:
        found = await desk.ask()
    expected = (1_234 * D(3) + 56 * D(15) + 7_000 * D("0.30") + 890 * D("3.75")) / 1_000_000
    assert found.cost_usd == desk.spent == expected == D("0.0099795")


async def test_the_worst_case_is_set_aside_before_a_word_is_sent() -> None:
    """While the call is under way all its budgets hold the worst case, afterwards what it cost."""
    seen: list[dict[str, Decimal]] = []
    desk: Asking

    def answer(body: Any, number: int) -> Step:
        seen.append(dict(desk.ledger.spent))
        return say("HOLD")

    async with asking(answer) as desk:
        found = await desk.ask()
    (before,) = seen
    assert before.keys() == {"run:test", "day:2026-06-01", "all:2026-06-01"}
    assert min(before.values()) == max(before.values()) > found.cost_usd  # type: ignore[operator]
    assert set(desk.ledger.spent.values()) == {found.cost_usd}


@pytest.mark.parametrize("scope", ["run", "day", "all"])
async def test_a_budget_that_the_worst_case_would_pass_stops_before_asking(scope: str) -> None:
    """Nothing is sent, and the line names the budget, what is spent and what the call could cost."""
    small = {
        "run": {"run": Budget("run:test", D("0.0001"), "the run")},
        "day": {"per_user_day_usd": D("0.0001")},
        "all": {"per_day_usd": D("0.0001")},
    }[scope]
    async with asking([say("HOLD")], allowance=_but(**small)) as desk:
        with pytest.raises(
            Stop, match=r"the budget of .* is 0.0001 USD: 0 are spent, and the next call could cost"
        ):
            await desk.ask()
        assert (desk.api.calls, desk.spent) == (0, ZERO)


@pytest.mark.parametrize(
    ("allowed", "kind"),
    [({"per_call_usd": D("0.001")}, "call_budget"), ({"per_tick_usd": D("0.01")}, "tick_budget")],
)
async def test_a_call_that_its_tick_can_not_afford_is_a_recorded_failure(
    allowed: dict[str, Any], kind: str
) -> None:
    """It is not sent; the tick ends, the run goes on, and a replay ends the tick alike."""
    async with asking([say("HOLD")], allowance=_but(**allowed)) as desk:
        found = await desk.ask(tick_usd=D("0.009"))
        assert isinstance(found.outcome, Failure)
        assert (found.outcome.kind, found.cost_usd, desk.api.calls) == (kind, ZERO, 0)
        assert await desk.but(door=None, mode="replay").ask(tick_usd=D("0.009")) == found


async def test_an_answer_that_broke_off_is_paid_at_its_worst_case() -> None:
    """Nobody can tell what it cost, so the most it can have cost is booked, and the next attempt's beside it."""
    async with asking([say("HOLD" * 50, fault="cut"), say("HOLD")]) as desk:
        found = await desk.ask()
        assert desk.api.calls == 2
    assert isinstance(found.outcome, Reply)
    assert FACTS is not None
    price = FACTS.price_at(NOW)
    assert price is not None
    answer = cost_usd(price, found.outcome.usage)
    assert found.cost_usd == desk.spent
    assert desk.spent > 10 * answer


async def test_tokens_that_nobody_counted_are_not_free() -> None:
    """Some gateways count nothing: the most that the call can have cost is booked, so that budgets still hold."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    async with asking([say("HOLD", usage=dict.fromkeys(names, 0))]) as desk:
        found = await desk.ask()
        assert set(desk.ledger.spent.values()) == {found.cost_usd}
    assert found.cost_usd is not None
    assert found.cost_usd >= D(BODY["max_tokens"] * 15) / 1_000_000


async def test_a_model_without_a_price_costs_an_unknown_amount() -> None:
    """Never 0: the cost is None, and no budget in USD can hold it."""
    async with asking([say("HOLD")], is_priced=False) as desk:
        found = await desk.ask()
        assert (found.cost_usd, desk.ledger.spent, text(found)) == (None, {}, "HOLD")


async def test_a_deployment_has_a_budget_for_each_day() -> None:
    """What its own day can't hold is not asked, however much its person's day could; tomorrow it is."""
    own = _but(run=None, deployment="d1", per_deployment_day_usd=D("0.01"))
    async with asking([say("one"), say("two")], allowance=own) as desk:
        await desk.ask()
        with pytest.raises(Stop, match=r"the budget of the deployment's day is 0\.01 USD"):
            await desk.ask({**BODY, "max_tokens": 700})
        desk.clock.move_to(NOW + DAY_MS)
        await desk.ask({**BODY, "max_tokens": 101})
        assert {"deployment:d1:2026-06-01", "deployment:d1:2026-06-02"} < desk.ledger.spent.keys()


async def test_a_day_ends_at_midnight_utc() -> None:
    """The next day has a budget of its own."""
    async with asking([say("one"), say("two")]) as desk:
        await desk.ask()
        desk.clock.move_to(NOW + DAY_MS)
        await desk.ask({**BODY, "max_tokens": 101})
        assert {scope for scope in desk.ledger.spent if scope.startswith("day:")} == {
            "day:2026-06-01",
            "day:2026-06-02",
        }


def _but(**changes: Any) -> Allowance:
    return msgspec.structs.replace(PLENTY, **changes)


# Keys.


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"max_tokens": 101},
        lambda body: body | {"temperature": 0.5},
        lambda body: body | {"model": "claude-sonnet-5-5"},
        lambda body: body | {"messages": [{"role": "user", "content": "What now? "}]},
    ],
)
async def test_one_byte_more_is_another_request(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Whatever the model would see differently has a key of its own."""
    async with asking([say("HOLD")]) as desk:
        await desk.ask()
        with pytest.raises(NotRecorded):
            await desk.but(door=None, mode="replay").ask(change(BODY))


async def test_the_order_in_which_a_request_was_put_together_does_not_matter() -> None:
    """The key is of the canonical form."""
    async with asking([say("HOLD")]) as desk:
        first = await desk.ask()
        assert await desk.but(door=None, mode="replay").ask(dict(reversed(BODY.items()))) == first


async def test_a_key_stays_what_it_is() -> None:
    """Recorded runs are found under their keys for as long as this holds; a change here makes all of them miss."""
    async with asking([say("HOLD")]) as desk:
        key, _ = await desk.asker.ask(BODY, Patience(9), ZERO)
    assert key == "8cc73f29a076280ebcbc88f90d3602cfb7458a7834c52e59aba63a09b96b8132"
