"""How a model is asked, whoever asks: from the record where it can be, within every budget, again where it may help.

Nothing that happens on the way changes what is asked: a request is bytes, and its key is their digest. What comes of
it is kept under the key, failures that belong to the result among them, so that asking again gives the same.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agent.allowance import Allowance, Patience
from agent.gate import Gate
from agent.keys import Body, asked_of, canonical, digest, parts_of
from agent.models import Door, ModelFailure
from config.models import Price, cost_usd, worst_case_usd
from domain.inference import (
    Budget,
    BudgetReached,
    CallLedger,
    CallRecord,
    Failure,
    Outcome,
    Parts,
    Recorded,
)
from domain.money import ZERO, plain
from domain.time import Clock

MOST_ATTEMPTS = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
MOST_FAILED = 10
"""So many requests in a row that come to nothing are an outage, and no weather that a result should contain."""


class Stop(Exception):
    """Nothing more can be decided until a person does something about it. One line that says what.

    `is_final`: there is nothing by which the same run could go on. `kind` is what is missing, in a word of `CUT_SHORT`.
    """

    kind = "model"
    budget: Budget | None = None
    """Which budget is used up, where it is that."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        self.is_final = is_final
        super().__init__(message)


class OutOfBudget(Stop):
    """A budget of the run, the day or the deployment does not allow another call."""

    kind = "budget"

    def __init__(self, reached: BudgetReached, *, is_final: bool) -> None:
        self.budget = reached.budget
        super().__init__(str(reached), is_final=is_final)


class NotRecorded(Stop):
    """A replay asked something that is not in the record."""


class Asker:
    """Asks one model for one run or deployment.

    `price_at` gives the price of an instant, or None where it is not known: then a cost is not known either and no
    budget in USD can hold. `sample` tells runs apart that ask the same. `door` is None where there is no key;
    `missing` then says what to set.
    """

    def __init__(
        self,
        ledger: CallLedger,
        gate: Gate,
        allowance: Allowance,
        price_at: Callable[[int], Price | None],
        clock: Clock,
        *,
        open_door: Callable[[], Door] | None,
        missing: str = "",
        mode: str = "record",
        sample: int = 0,
        timeout_s: float = 60.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._gate = gate
        self._allowance = allowance
        self._price_at = price_at
        self._clock = clock
        self._open_door = open_door
        self._missing = missing
        self._mode = mode
        self._sample = sample
        self._timeout_s = timeout_s
        self._now = now
        self._sleep = sleep
        self._failed = 0
        self._was_reached = False

    async def ask(self, body: Body, patience: Patience, tick_usd: Decimal) -> tuple[str, Recorded]:
        """Give the outcome of a request, and the key it is kept under. `tick_usd` is what the tick has cost so far.

        Raises Stop when there is no use in asking anything more: no key, a key that is refused, a budget that is
        reached, or a replay that misses. A failure that may pass is an outcome.
        """
        asked = asked_of(body, self._sample)
        content = canonical(asked)
        key = hashlib.sha256(content).hexdigest()
        if self._mode != "live":
            found = await self._ledger.find(key)
            if found is not None and (self._mode == "replay" or not isinstance(found.outcome, Failure)):
                return key, found
        parts = parts_of(asked)
        if self._mode == "replay":
            raise NotRecorded(await self._difference(key, parts))
        if self._open_door is None:
            raise Stop(self._missing)
        record = CallRecord(key, parts, body["model"], Failure("", ""), None, self._sample)
        return key, await self._insist(body, record, len(content), patience, tick_usd)

    @contextmanager
    def counted(self, patience: Patience) -> Iterator[None]:
        """Take the time that something else takes, an outside tool's answer say, from what a tick may spend."""
        began = self._now()
        try:
            yield
        finally:
            patience.spend(self._now() - began)

    async def _insist(
        self, body: Body, record: CallRecord, size: int, patience: Patience, tick_usd: Decimal
    ) -> Recorded:
        """Ask until there is an outcome: an answer, or a failure that is not worth another attempt."""
        lost = ZERO
        for attempt in range(MOST_ATTEMPTS):
            async with self._gate.passed():
                made = await self._attempt(body, size, patience, tick_usd + patience.lost_usd, lost)
                pause_s = self._pause(record.key, made.failure, attempt, patience)
                stops = made.failure is not None and _stops(made.failure, body)
                is_final = pause_s is None and not stops
                total = None if made.cost_usd is None else made.cost_usd + lost
                kept = replace(record, outcome=made.outcome, cost_usd=total, latency_ms=made.latency_ms)
                found = await self._keep(made, kept, is_final)
            if made.failure is not None and stops:
                raise Stop(made.failure.message)
            if pause_s is None:
                self._see(made.failure)
                patience.lost_usd += max(ZERO, (total or ZERO) - (found.cost_usd or ZERO))
                return found
            lost += made.cost_usd or ZERO
            patience.spend(pause_s)
            await self._sleep(pause_s)
        raise AssertionError("the last attempt is final")

    def _see(self, failure: ModelFailure | None) -> None:
        """Count requests in a row that came to nothing. Raises Stop when there are so many that it is an outage.

        Where nobody was ever reached, one is enough: the address is wrong, or there is no network.
        """
        self._failed = 0 if failure is None else self._failed + 1
        self._was_reached = self._was_reached or failure is None or failure.kind != "connection"
        if failure is None:
            return
        if not self._was_reached:
            raise Stop(failure.message)
        if self._failed >= MOST_FAILED:
            self._failed = 0
            raise Stop(f"{MOST_FAILED} requests in a row came to nothing, the last because {failure.message}")

    async def _attempt(
        self, body: Body, size: int, patience: Patience, tick_usd: Decimal, lost: Decimal
    ) -> "_Attempt":
        """Reserve the worst case, send the request once, and say what came of it and what it cost.

        `lost` is what earlier attempts cost. One that the tick can't afford in time or money is not made.
        """
        assert self._open_door is not None
        now_ms = self._clock.now_ms()
        price = self._price_at(now_ms)
        worst = None if price is None else worst_case_usd(price, size, body["max_tokens"])
        if refused := self._too_much(worst, patience, tick_usd, lost):
            return _Attempt(refused, None, ZERO, ZERO, [], 0)
        budgets = [] if worst is None else self._allowance.budgets(now_ms)
        await self._reserve(budgets, worst or ZERO)
        began, failure = self._now(), None
        outcome: Outcome
        try:
            outcome = await self._open_door().send(body, min(self._timeout_s, patience.left_s))
        except ModelFailure as error:
            failure, outcome = error, Failure(error.kind, error.message)
        took_s = self._now() - began
        patience.spend(took_s)
        cost = _cost(outcome, failure, price, worst)
        return _Attempt(outcome, failure, cost, worst or ZERO, budgets, round(took_s * 1000))

    def _too_much(
        self, worst: Decimal | None, patience: Patience, tick_usd: Decimal, lost: Decimal
    ) -> Failure | None:
        """The failure of an attempt for which there is no time, or that would pass what its call or tick may cost."""
        if patience.left_s <= 0:
            return Failure("deadline", "the time of the tick is up")
        if worst is None:
            return None
        allowed = self._allowance
        spent = (
            f"up to {plain(lost)} USD are lost to attempts without an answer, and the next"
            if lost
            else "the call"
        )
        if lost + worst > allowed.per_call_usd:
            limit = plain(allowed.per_call_usd)
            return Failure("call_budget", f"{spent} could cost {plain(worst)} USD; one call may cost {limit}")
        if tick_usd + lost + worst > allowed.per_tick_usd:
            spent, limit = plain(tick_usd + lost), plain(allowed.per_tick_usd)
            message = f"the tick has cost {spent} USD and the next call could cost {plain(worst)}; one may cost {limit}"
            return Failure("tick_budget", message)
        return None

    async def _reserve(self, budgets: list[Budget], worst: Decimal) -> None:
        if budgets:
            try:
                await self._ledger.reserve(budgets, worst)
            except BudgetReached as reached:
                is_final = reached.budget == self._allowance.run
                raise OutOfBudget(reached, is_final=is_final) from reached

    async def _keep(self, made: "_Attempt", record: CallRecord, is_final: bool) -> Recorded:
        """Settle, and keep the call where calls are kept; gives what to go on from, which may be an earlier answer."""
        kept = record if is_final and self._mode == "record" else None
        found = None
        if made.budgets or kept is not None:
            cost = made.cost_usd or ZERO
            found = await self._ledger.settle(made.budgets, made.worst_usd, cost, kept)
        return found or Recorded(record.outcome, record.cost_usd)

    def _pause(
        self, key: str, failure: ModelFailure | None, attempt: int, patience: Patience
    ) -> float | None:
        """How long to wait before the next attempt; None when there is none."""
        if failure is None or not failure.is_transient or attempt + 1 == MOST_ATTEMPTS:
            return None
        pause_s = failure.retry_after_s
        if pause_s is None:
            pause_s = _backed_off(key, attempt)
        if failure.kind == "rate_limit":
            self._gate.close(min(pause_s, patience.left_s))
        return pause_s if pause_s < patience.left_s else None

    async def _difference(self, key: str, parts: Parts) -> str:
        """Say what a replay missed, beside the recorded request that is most like it."""
        nearest = await self._ledger.nearest(parts)
        if nearest is None:
            return (
                f"request {key[:12]} is not recorded, and nothing of this model is; run it with --mode record"
            )
        differing = [name for name in parts if parts[name] != nearest.get(name)]
        differing += [f"{name} (gone)" for name in nearest if name not in parts]
        return (
            f"request {key[:12]} is not recorded; the most similar one differs in {', '.join(differing) or 'nothing'}; "
            "run it with --mode record"
        )


class _Attempt(NamedTuple):
    """One attempt: what came of it, what it cost in the budgets its worst case was reserved in, how long it took."""

    outcome: Outcome
    failure: ModelFailure | None
    cost_usd: Decimal | None
    worst_usd: Decimal
    budgets: list[Budget]
    latency_ms: int


def _stops(failure: ModelFailure, body: Body) -> bool:
    """Whether a failure says that there is no use in asking anything more.

    A request that is refused in the middle of a tick says it of that tick alone: its first request was not.
    """
    is_of_the_tick = failure.kind in ("invalid_request", "too_large") and len(body["messages"]) > 1
    return failure.is_fatal and not is_of_the_tick


def _cost(
    outcome: Outcome, failure: ModelFailure | None, price: Price | None, worst: Decimal | None
) -> Decimal | None:
    """What an attempt cost; its worst case where that can't be told, nothing where it was turned away.

    No prompt has no tokens: a gateway that says so has not counted them, and they are not free.
    """
    if failure is not None:
        return worst if failure.is_billed else ZERO
    assert not isinstance(outcome, Failure)
    if price is None or not outcome.usage.prompt:
        return worst
    return cost_usd(price, outcome.usage)


def _backed_off(key: str, attempt: int) -> float:
    """Seconds before the next attempt: doubled each time, less up to a quarter that differs from request to request."""
    spread = int(digest([key, attempt])[:8], 16) / 0xFFFFFFFF
    return float(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * (1 - spread / 4))
