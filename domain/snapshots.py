"""What a tick leaves behind: enough to show a person why, and to replay it without the model."""

from decimal import Decimal
from enum import IntEnum

import msgspec

from domain.actions import Action
from domain.inference import ModelCall
from domain.verdicts import Verdict


class TickOutcome(IntEnum):
    """How a tick ended. Small numbers, because a run keeps one for every bar as a column."""

    NO_TICK = 0
    HOLD = 1
    ACTED = 2
    REFUSED = 3
    FAILED = 4
    HALTED = 5  # due, and not taken: the account was halted and flat
    INTERRUPTED = 6  # the process ended in it, with an action on its way: it is never decided again


CUT_SHORT = frozenset({"budget", "model", "tool", "engine", "abandoned", "interrupted"})
"""What ends a tick of a deployment before it is decided: a budget is used up, its model or an approved tool is not
there any more, its engine does not answer, its person stops or kills it, the process ends."""


class AccountView(msgspec.Struct, frozen=True):
    """An account at one instant: USD, and signed sizes by symbol."""

    ts: int
    cash: Decimal
    equity: Decimal
    positions: dict[str, Decimal]


class DecisionSnapshot(msgspec.Struct, frozen=True):
    """One tick in which something was done, tried or thought.

    `context` is what a model was shown, `calls` what it said and did about it. `note` is what it said last, or why
    the tick ended as it did; `ended` says in a word what ended it, where that was not the model itself: a limit (calls,
    tool_calls, malformed), what failed (timeout, overloaded, refusal …) or what cut it short.
    """

    id: str
    tick_ts: int
    outcome: TickOutcome
    context_digest: str
    trader: str
    calls: tuple[ModelCall, ...]
    actions: tuple[Action, ...]
    verdicts: tuple[Verdict, ...]
    account: AccountView
    note: str = ""
    context: str = ""
    ended: str = ""

    @property
    def was_cut_short(self) -> bool:
        """Whether it ended before it was decided. A tick that a model failed at was decided: by doing nothing more."""
        return self.ended in CUT_SHORT or self.outcome is TickOutcome.INTERRUPTED

    @property
    def light(self) -> "DecisionSnapshot":
        """The same without what it was shown and what was said: what a whole run can keep in memory."""
        return msgspec.structs.replace(self, context="", calls=())
