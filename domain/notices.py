"""What people are told of their deployments while they look elsewhere. Instants are UTC ms, amounts USD."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

import msgspec

from domain.deployments import CommandKind, CommandState
from domain.journal import HaltCause
from domain.orders import Fill


class Severity(StrEnum):
    """How grave it is: good to know, worth a look today, or somebody should look now."""

    INFO = "info"
    WARNING = "warning"
    URGENT = "urgent"


class NoticeKind(StrEnum):
    """What a notice is about. Messages are rationed, and folded into one, by kind; each has its template."""

    STARTED = "started"
    STOPPED = "stopped"
    FILL = "fill"
    HALT = "halt"
    HALTED = "halted"
    FLATTENED = "flattened"
    STALE_FEED = "stale_feed"
    COMMAND = "command"
    BUDGET = "budget"
    RESTART = "restart"
    FAILURE = "failure"


OF_THE_MARKET = frozenset({NoticeKind.FILL, NoticeKind.HALT, NoticeKind.HALTED, NoticeKind.STALE_FEED})
"""What happens in a deployment's market. The rest happens to the deployment itself."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. `deployment` is the name by which its person knows it.

    Texts may come from anywhere, a venue's answer or a model's words: they are cleaned and cut when they are written.
    """

    kind: ClassVar[NoticeKind]

    ts: int
    deployment: str

    @property
    def severity(self) -> Severity:
        return Severity.INFO


class Started(Notice, frozen=True, kw_only=True):
    """A deployment runs: for the first time, or again after `agentic up`. `feed` is as a person would write it."""

    kind = NoticeKind.STARTED

    skill: str
    version: int
    mode: str
    feed: str


class Stopped(Notice, frozen=True, kw_only=True):
    """A deployment ended in order. `holding` names the symbols that it keeps a position in."""

    kind = NoticeKind.STOPPED

    reason: str
    holding: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.holding else Severity.INFO


class Filled(Notice, frozen=True, kw_only=True):
    """Fills that came together, at least one."""

    kind = NoticeKind.FILL

    fills: tuple[Fill, ...]

    @property
    def severity(self) -> Severity:
        return Severity.URGENT if self.is_forced else Severity.INFO

    @property
    def is_forced(self) -> bool:
        """Whether the venue took a position away."""
        return any(fill.cause in ("liquidation", "backstop") for fill in self.fills)


class HaltLatched(Notice, frozen=True, kw_only=True):
    """A loss cap was met: `equity` came down to `level`. Nothing may raise any more, and positions are being closed."""

    kind = NoticeKind.HALT

    cause: HaltCause
    equity: Decimal
    level: Decimal

    @property
    def severity(self) -> Severity:
        return Severity.URGENT


class Halted(Notice, frozen=True, kw_only=True):
    """A halt's flattening is done: the account is flat. `lifts` says when the halt is over."""

    kind = NoticeKind.HALTED

    cause: HaltCause
    equity: Decimal
    lifts: str

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class Flattened(Notice, frozen=True, kw_only=True):
    """A flattening that a person asked for is done."""

    kind = NoticeKind.FLATTENED

    equity: Decimal


class FeedStale(Notice, frozen=True, kw_only=True):
    """Prices stopped coming, or came again. `last_ts` is the instant of the newest one, None before the first."""

    kind = NoticeKind.STALE_FEED

    symbols: tuple[str, ...]
    last_ts: int | None
    is_fresh_again: bool = False

    @property
    def severity(self) -> Severity:
        return Severity.INFO if self.is_fresh_again else Severity.WARNING


class CommandEnded(Notice, frozen=True, kw_only=True):
    """What became of a command: done, failed or expired. `result` is its line for people."""

    kind = NoticeKind.COMMAND

    command: CommandKind
    state: CommandState
    result: str = ""

    @property
    def severity(self) -> Severity:
        return Severity.INFO if self.state is CommandState.DONE else Severity.WARNING


class BudgetUsed(Notice, frozen=True, kw_only=True):
    """A budget for thinking is nearly used up, or is. `budget` names it for people, such as "the day's budget".

    `is_used_up` also where something is left, but not enough for another call.
    """

    kind = NoticeKind.BUDGET

    budget: str
    spent_usd: Decimal
    limit_usd: Decimal
    is_used_up: bool = False

    @property
    def severity(self) -> Severity:
        return Severity.URGENT if self.is_reached else Severity.WARNING

    @property
    def is_reached(self) -> bool:
        return self.is_used_up or self.spent_usd >= self.limit_usd


class Restarted(Notice, frozen=True, kw_only=True):
    """Something of a deployment crashed and was started again. `part` is its name in `agentic ps`."""

    kind = NoticeKind.RESTART

    part: str
    error: str
    restarts: int

    @property
    def severity(self) -> Severity:
        return Severity.WARNING


class GaveUp(Notice, frozen=True, kw_only=True):
    """A deployment failed for good. `holding` names the symbols it still has, which its engine goes on watching."""

    kind = NoticeKind.FAILURE

    reason: str
    holding: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        return Severity.URGENT


class Notices(Protocol):
    """Where notices go. Nobody waits for one to be kept, or to be sent."""

    def tell(
        self, user_id: UUID, deployment_id: UUID | None, notice: Notice, *, key: str, unsent: str = ""
    ) -> None:
        """Have a notice kept for its person, once for each `key` of theirs: whoever tells it again changes nothing.

        A key names what happened and not when it was told, such as "fill:DEPLOYMENT:SEQ" or "halt:ACCOUNT:SEQ". With
        `unsent`, a reason, it is kept to be read and not sent. Never raises. What the database can't take yet waits for
        it in memory, and what is grave for longer than the rest.
        """


class NoNotices:
    """Tells nobody: for rehearsals that nobody waits for, and for tests."""

    def tell(
        self, user_id: UUID, deployment_id: UUID | None, notice: Notice, *, key: str, unsent: str = ""
    ) -> None:
        return None
