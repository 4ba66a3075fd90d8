"""What thinking costs and leaves behind: tokens, replies and failures, budgets, and the ledger that holds them.

Money is USD. A cost of None is one that is not known, which is not 0: a model without a price still costs something.
"""

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from domain.money import ZERO, plain

Parts = Mapping[str, str]
"""A request taken apart: the name of each part ("model", "system", "message 0") → the sha256 of its canonical JSON."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one call or of many. `input` are those neither read from the cache nor written to it."""

    input: int = 0
    output: int = 0  # thinking among them
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    @property
    def prompt(self) -> int:
        """The tokens of the whole prompt."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    def plus(self, other: "Usage") -> "Usage":
        """The sum of both."""
        return Usage(*(getattr(self, name) + getattr(other, name) for name in Usage.__struct_fields__))


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """What a model answered. `content` are the API's blocks, to be sent back exactly as they are."""

    content: tuple[dict[str, Any], ...]
    stop: str  # end_turn, tool_use, max_tokens, refusal …
    usage: Usage = Usage()
    model: str = ""  # as the provider calls it
    request_id: str = ""


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Why there is no answer. The message names no id, host or key, so that the same failure reads the same."""

    kind: str  # overloaded, rate_limit, timeout, connection, truncated, call_budget …
    message: str


Outcome = Reply | Failure


def digest_of(outcome: Outcome) -> str:
    """The sha256 of an outcome, without the provider's number of it."""
    if isinstance(outcome, Reply):
        outcome = msgspec.structs.replace(outcome, request_id="")
    return hashlib.sha256(msgspec.json.encode(outcome, order="deterministic")).hexdigest()


class ToolUse(msgspec.Struct, frozen=True):
    """One tool call of a model and its answer. `problem` says in a word what was malformed about it, or nothing."""

    name: str
    arguments: Any
    answer: str
    is_error: bool = False
    problem: str = ""


class ModelCall(msgspec.Struct, frozen=True):
    """One call of a tick: what was said, what was done about it, what it cost. `key` finds the whole reply.

    `answer` is the digest of the outcome, which tells it from other answers to the same request; `failure` says why
    there was no reply, and `stop` is then its kind.
    """

    key: str
    model: str
    stop: str
    text: str
    usage: Usage
    cost_usd: Decimal | None
    tools: tuple[ToolUse, ...] = ()
    problem: str = ""  # what was malformed about the reply as a whole
    answer: str = ""
    failure: str = ""


class Inference(msgspec.Struct):
    """The thinking of a whole run, added up. `cost_usd` becomes None for good with the first call of unknown price.

    `malformed` counts malformed replies and tool calls by kind, `ended` the ticks that did not end by themselves.
    """

    calls: int = 0
    usage: Usage = Usage()
    cost_usd: Decimal | None = ZERO
    malformed: dict[str, int] = {}
    ended: dict[str, int] = {}

    def take(self, calls: Sequence[ModelCall], ended: str) -> None:
        """Count a tick in: its calls, and what ended it, where that was not the model itself."""
        for call in calls:
            self._add(call)
        if ended:
            self.ended[ended] = self.ended.get(ended, 0) + 1

    def _add(self, call: ModelCall) -> None:
        self.calls += 1
        self.usage = self.usage.plus(call.usage)
        known = self.cost_usd is not None and call.cost_usd is not None
        self.cost_usd = self.cost_usd + call.cost_usd if known else None  # type: ignore[operator]
        for problem in (call.problem, *(use.problem for use in call.tools)):
            if problem:
                self.malformed[problem] = self.malformed.get(problem, 0) + 1


class Memo(msgspec.Struct, frozen=True):
    """One earlier decision as the next ticks are told of it."""

    ts: int
    text: str


# Budgets.


class Budget(msgspec.Struct, frozen=True):
    """A sum of money that is never passed. `scope` names what it is for, `what` says it to people: "the run".

    `remedy` says what a person can do once it is reached.
    """

    scope: str
    limit_usd: Decimal
    what: str
    remedy: str = ""


class BudgetReached(Exception):
    """A call was not made, because its worst case would have passed a budget."""

    def __init__(self, budget: Budget, spent_usd: Decimal, worst_usd: Decimal) -> None:
        self.budget = budget
        self.spent_usd = spent_usd
        super().__init__(
            f"the budget of {budget.what} is {plain(budget.limit_usd)} USD: {plain(spent_usd)} are spent, "
            f"and the next call could cost {plain(worst_usd)}"
            + (f"; {budget.remedy}" if budget.remedy else "")
        )


class CallRecord(msgspec.Struct, frozen=True):
    """One call as it is kept: enough to replay it, and to say what a later request that misses it did differently."""

    key: str
    parts: Parts
    model: str
    outcome: Outcome
    cost_usd: Decimal | None
    sample: int = 0
    latency_ms: int = 0


class Recorded(msgspec.Struct, frozen=True):
    """A call found in the record."""

    outcome: Outcome
    cost_usd: Decimal | None


class CallLedger(Protocol):
    """Where the calls of one run or deployment are kept and paid. A reservation is on the disk when `reserve` returns.

    What else is done is there for everybody at once, and on the disk before anything that is done after it.
    """

    async def find(self, key: str) -> Recorded | None:
        """The recorded outcome of a request."""

    async def nearest(self, parts: Parts) -> Parts | None:
        """The recorded request that has most parts in common with one that is not there."""

    async def reserve(self, budgets: Sequence[Budget], worst_usd: Decimal) -> None:
        """Set the worst case of a call aside in all budgets or in none. Raises BudgetReached."""

    async def settle(
        self, budgets: Sequence[Budget], worst_usd: Decimal, cost_usd: Decimal, call: CallRecord | None
    ) -> Recorded | None:
        """Put what a call did cost in the place of its worst case, and keep the call, both or neither.

        Gives what is kept under the call's key now: where another run was first, its outcome and not this one. Whoever
        goes on from it can be replayed.
        """

    async def find_tool(self, key: str) -> ToolUse | None:
        """The recorded answer of a tool that lives outside."""

    async def keep_tool(self, key: str, use: ToolUse) -> ToolUse:
        """Keep the answer of a tool that lives outside. Gives what is kept now: another run's, where that was first."""
