"""What a deployment shows of itself, writes into its log, and tells its person.

One for a deployment over all its lives in this process, so that what is counted outlives a crash.
"""

from collections import Counter
from typing import Any

from actors.messages import Standing
from actors.office import Office
from actors.plan import Plan
from actors.ticker import Ticked
from db.agent_state import StateRow
from db.commands import CommandRow
from domain.deployments import CommandState, Status, Step
from domain.notices import CommandEnded, FeedStale, Notice, Started
from domain.notices import Stopped as StoppedNotice
from domain.time import iso
from market.feeds.due import Due
from market.feeds.freshness import Silence

OF_LATENESS = 0.1
"""What the newest tick counts for in the lateness that is shown."""


class Bulletin:
    """What is counted and shown here is written down now and then; notices leave at once."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._plan: Plan | None = None
        self._standing: Standing | None = None
        self._counts: Counter[str] = Counter()
        self._last_tick: int | None = None
        self._lateness_ms: float | None = None
        self._problem: str | None = None
        self._stale: dict[str, int | None] = {}
        self.lives = 0

    def begin(self, plan: Plan) -> None:
        """A life of the deployment begins, or it goes on by another plan."""
        self._plan = plan
        self._stale = {}

    @property
    def plan(self) -> Plan:
        assert self._plan is not None, "it begins first"
        return self._plan

    @property
    def name(self) -> str:
        """How its person knows it."""
        row = self.plan.row
        return f"{row.skill_name} {str(row.id)[-6:]}"

    @property
    def now(self) -> int:
        """The instant it is in its market."""
        return self._office.clock.now_ms() if self._standing is None else self._standing.ts

    # Shown.

    def stands(self, standing: Standing) -> None:
        """Its account stands here now."""
        self._standing = standing
        self.show()

    def show(self) -> None:
        """Have what has changed written down for whoever looks."""
        self._office.records.state(self.plan.row.id, self._state)

    def ticked(self, ticked: Ticked | None) -> None:
        """A tick was taken; None: it was abandoned."""
        if ticked is None:
            self._counts["abandoned"] += 1
            return
        self._counts[ticked.outcome.name.lower()] += 1
        self._last_tick = ticked.ts
        self._problem = ticked.problem or None
        if ticked.problem:
            self.log("warning", "a tick went wrong", tick=iso(ticked.ts), why=ticked.problem)

    def skipped(self) -> None:
        """A tick that was due was not taken, as nothing may be done now."""
        self._counts["skipped"] += 1

    def missed(self, count: int) -> None:
        """Ticks were passed over: another one ran, the clock was set forward, or the engine did not answer."""
        self._counts["missed"] += count
        self.log("warning", "ticks were passed over", count=count)

    def late(self, ms: int, due: Due) -> None:
        """A tick began so late, and without what had not come yet."""
        before = ms if self._lateness_ms is None else self._lateness_ms
        self._lateness_ms = before + OF_LATENESS * (ms - before)
        if not due.is_complete:
            self._counts["without_data"] += 1
            self.log("warning", "data had not come in time", bars=list(due.bars), funding=list(due.funding))

    def _state(self) -> StateRow:
        row, standing = self.plan.row, self._standing
        held = {} if standing is None else standing.positions
        return StateRow(
            deployment_id=row.id,
            user_id=row.user_id,
            owner=self._office.owner,
            beat_ts=self._office.clock.now_ms(),
            last_tick_ts=self._last_tick,
            next_tick_ts=None if standing is None else self.plan.schedule.next_after(standing.ts),
            feed_ts=None if standing is None else standing.ts,
            equity=None if standing is None else standing.equity,
            positions={symbol: str(size) for symbol, size in held.items()},
            counts=dict(self._counts),
            lateness_ms=self._lateness_ms,
            restarts=max(0, self.lives - 1),
            last_error=self._problem,
            stale=sorted(self._stale),
        )

    # Logged.

    def log(self, level: str, event: str, **body: Any) -> None:
        """Write a line into its log."""
        row = self.plan.row
        self._office.records.log(row.user_id, row.id, level, event, body)

    def moved(self, status: Status, step: Step) -> None:
        """Its status is another."""
        self.log("info", f"is {status}", step=step.value, market=iso(self.now))

    # Told.

    async def silence(self, silence: Silence) -> None:
        """The prices of a symbol stopped coming, or come again."""
        if silence.is_over:
            self._stale.pop(silence.symbol, None)
        else:
            self._stale[silence.symbol] = silence.since
        what = "prices come again" if silence.is_over else "prices stopped coming"
        self.log("info" if silence.is_over else "warning", what, symbol=silence.symbol)
        self.show()
        notice = FeedStale(
            ts=self.now,
            deployment=self.name,
            symbols=(silence.symbol,),
            last_ts=silence.since,
            is_fresh_again=silence.is_over,
        )
        state = "fresh" if silence.is_over else "stale"
        await self._tell(notice, f"feed:{self.plan.row.id}:{silence.symbol}:{silence.since}:{state}")

    async def started(self) -> None:
        """It runs for the first time."""
        row = self.plan.row
        notice = Started(
            ts=self.now,
            deployment=self.name,
            skill=row.skill_name,
            version=row.skill_number,
            mode=row.mode,
            feed=row.feed,
        )
        await self._tell(notice, f"started:{row.id}")

    async def ended(self, reason: str, holding: tuple[str, ...]) -> None:
        """It ended in order, and keeps positions in these symbols."""
        notice = StoppedNotice(ts=self.now, deployment=self.name, reason=reason, holding=holding)
        await self._tell(notice, f"stopped:{self.plan.row.id}")

    async def obeyed(self, command: CommandRow, state: CommandState, result: str) -> None:
        """A command came to its end."""
        notice = CommandEnded(
            ts=self.now, deployment=self.name, command=command.kind, state=state, result=result
        )
        await self._tell(notice, f"command:{command.id}")

    async def _tell(self, notice: Notice, key: str) -> None:
        row = self.plan.row
        self._office.notices.tell(row.user_id, row.id, notice, key=key)
