"""What the person of one deployment is told: each notice, and the key under which it is told once."""

from collections.abc import Iterator
from uuid import UUID

from actors.messages import Happened
from actors.plan import Plan
from actors.spending import Used
from db.commands import CommandRow
from db.fleet import Wanted
from domain.deployments import CommandState
from domain.feeds import parse_feed
from domain.journal import HaltCause, HaltChanged, HaltPhase
from domain.notices import (
    OF_THE_MARKET,
    BudgetUsed,
    CommandEnded,
    FeedStale,
    Filled,
    Flattened,
    GaveUp,
    Halted,
    HaltLatched,
    Notice,
    Notices,
    Restarted,
    Started,
    Stopped,
)
from domain.orders import Fill
from domain.time import HOUR_MS
from market.feeds.freshness import Silence

UNPACED = "a replay @max: what happens in its market is to be read here, and is not sent"


class Teller:
    """One for a deployment and a process, whose name is `owner`. What happens in a market is told by its time."""

    def __init__(self, notices: Notices, row: Wanted, owner: str) -> None:
        self._notices = notices
        self._row = row
        self._owner = owner
        self._is_unpaced = parse_feed(row.feed).is_unpaced

    @property
    def name(self) -> str:
        """How its person knows it."""
        return f"{self._row.skill_name} {str(self._row.id)[-8:]}"

    def started(self, plan: Plan, ts: int) -> None:
        """It runs: for the first time, or again in this process."""
        row = plan.row
        notice = Started(
            ts=ts,
            deployment=self.name,
            skill=row.skill_name,
            version=row.skill_number,
            mode=row.mode,
            feed=row.feed,
        )
        self._tell(notice, f"started:{row.id}:{self._owner}")

    def ended(self, reason: str, holding: tuple[str, ...], ts: int) -> None:
        """It ended in order, and keeps positions in these symbols."""
        notice = Stopped(ts=ts, deployment=self.name, reason=reason, holding=holding)
        self._tell(notice, f"stopped:{self._row.id}")

    def failed(self, reason: str, holding: tuple[str, ...], ts: int) -> None:
        """It was given up, and still has positions in these symbols."""
        notice = GaveUp(ts=ts, deployment=self.name, reason=reason, holding=holding)
        self._tell(notice, f"failed:{self._row.id}")

    def restarted(self, part: str, error: str, restarts: int, ts: int) -> None:
        """A part crashed and is started again. Told once an hour; what goes on crashing is given up, which is told."""
        notice = Restarted(ts=ts, deployment=self.name, part=part, error=error, restarts=restarts)
        self._tell(notice, f"restart:{self._row.id}:{part}:{ts // HOUR_MS}")

    def obeyed(self, command: CommandRow, state: CommandState, result: str, ts: int) -> None:
        """A command came to its end."""
        notice = CommandEnded(ts=ts, deployment=self.name, command=command.kind, state=state, result=result)
        self._tell(notice, f"command:{command.id}")

    def silence(self, silence: Silence, ts: int) -> None:
        """The prices of a symbol stopped coming, or come again."""
        notice = FeedStale(
            ts=ts,
            deployment=self.name,
            symbols=(silence.symbol,),
            last_ts=silence.since,
            is_fresh_again=silence.is_over,
        )
        state = "fresh" if silence.is_over else "stale"
        self._tell(notice, f"feed:{self._row.id}:{silence.symbol}:{silence.since}:{state}")

    def spent(self, used: Used, ts: int) -> None:
        """A budget for thinking is nearly used up, or is. Once for each budget, which is one day's."""
        budget = used.budget
        notice = BudgetUsed(
            ts=ts,
            deployment=self.name,
            budget=f"the budget of {budget.what}",
            spent_usd=used.spent_usd,
            limit_usd=budget.limit_usd,
            is_used_up=used.is_used_up,
        )
        self._tell(notice, f"budget:{budget.scope}:{'used up' if notice.is_reached else 'nearly'}")

    def happened(self, happened: Happened) -> None:
        """Something is new in its account: fills, steps of a halt."""
        for key, notice in notices_of(happened, self._row.account_id, self.name):
            self._tell(notice, key)

    def _tell(self, notice: Notice, key: str) -> None:
        is_only_read = self._is_unpaced and notice.kind in OF_THE_MARKET
        unsent = UNPACED if is_only_read else ""
        self._notices.tell(self._row.user_id, self._row.id, notice, key=key, unsent=unsent)


def notices_of(happened: Happened, account_id: UUID, deployment: str) -> Iterator[tuple[str, Notice]]:
    """Each notice of what is new in an account, with its key. Fills that came together are one. Pure."""
    fills = [(seq, entry) for seq, entry in happened.noted if isinstance(entry, Fill)]
    if fills:
        told = tuple(fill for _, fill in fills)
        yield f"fill:{account_id}:{fills[0][0]}", Filled(ts=told[-1].ts, deployment=deployment, fills=told)
    for seq, entry in happened.noted:
        if isinstance(entry, HaltChanged):
            notice = _of_halt(entry, happened.lifts, deployment)
            if notice is not None:
                yield f"halt:{account_id}:{seq}", notice


def _of_halt(halt: HaltChanged, lifts: str, deployment: str) -> Notice | None:
    if halt.cause is HaltCause.BY_HAND:
        is_flat = halt.phase is HaltPhase.ACTIVE
        return Flattened(ts=halt.ts, deployment=deployment, equity=halt.equity) if is_flat else None
    if halt.phase is HaltPhase.FLATTENING:
        return HaltLatched(
            ts=halt.ts, deployment=deployment, cause=halt.cause, equity=halt.equity, level=halt.level
        )
    if halt.phase is HaltPhase.HALTED:
        return Halted(ts=halt.ts, deployment=deployment, cause=halt.cause, equity=halt.equity, lifts=lifts)
    return None
