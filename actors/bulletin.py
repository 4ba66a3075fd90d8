"""What a deployment shows of itself and writes into its log; its `teller` tells its person.

One for a deployment over all its lives in this process, so that what is counted outlives a crash.
"""

from collections import Counter
from typing import Any

from actors.messages import Standing
from actors.office import Office
from actors.plan import Plan
from actors.telling import Teller
from actors.ticker import Ticked
from db.agent_state import StateRow
from db.commands import CommandRow
from db.fleet import Wanted
from domain.deployments import CommandState, Status, Step
from domain.time import iso
from market.feeds.due import Due
from market.feeds.freshness import Silence

OF_LATENESS = 0.1
"""What the newest tick counts for in the lateness that is shown."""


class Bulletin:
    """What is counted and shown here is written down now and then; notices leave at once."""

    def __init__(self, office: Office, row: Wanted) -> None:
        self._office = office
        self._row = row
        self.teller = Teller(office.notices, row, office.owner)
        self._plan: Plan | None = None
        self._standing: Standing | None = None
        self._counts: Counter[str] = Counter()
        self._last_tick: int | None = None
        self._lateness_ms: float | None = None
        self._problem: str | None = None
        self._stale: dict[str, int | None] = {}
        self._restarts = 0

    def begin(self, plan: Plan) -> None:
        """A life of the deployment begins, or it goes on by another plan."""
        self._plan = plan
        self._stale = {}

    @property
    def now(self) -> int:
        """The instant it is in its market."""
        return self._office.clock.now_ms() if self._standing is None else self._standing.ts

    @property
    def holding(self) -> tuple[str, ...]:
        """The symbols that its account has positions in, as far as is known."""
        return () if self._standing is None else tuple(sorted(self._standing.positions))

    def restarted(self, part: str, error: str) -> None:
        """Its engine or its deployment, as `part` is called in `agentic ps`, crashed and is started again."""
        self._restarts += 1
        self.log("warning", "started again", part=part, why=error)
        self.teller.restarted(part, error, self._restarts, self._office.clock.now_ms())
        if self._standing is not None:
            self.show()

    def obeyed(self, command: CommandRow, state: CommandState, result: str) -> None:
        """A command came to its end."""
        self.teller.obeyed(command, state, result, self.now)

    # Shown.

    @property
    def is_blank(self) -> bool:
        """Whether nothing was shown yet in this process."""
        return self._standing is None

    def recall(self, last: StateRow) -> None:
        """Go on from what another process showed of a deployment that is over."""
        self._counts = Counter(last.counts)
        self._last_tick, self._lateness_ms, self._problem = (
            last.last_tick_ts,
            last.lateness_ms,
            last.last_error,
        )

    def stands(self, standing: Standing) -> None:
        """Its account stands here now."""
        self._standing = standing
        self.show()

    def show(self) -> None:
        """Have what has changed written down for whoever looks."""
        self._office.records.state(self._row.id, self._state)

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
        for used in ticked.used:
            self.teller.spent(used, self._office.clock.now_ms())

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
        row, standing, plan = self._row, self._standing, self._plan
        held = {} if standing is None else standing.positions
        return StateRow(
            deployment_id=row.id,
            user_id=row.user_id,
            owner=self._office.owner,
            beat_ts=self._office.clock.now_ms(),
            last_tick_ts=self._last_tick,
            next_tick_ts=None if standing is None or plan is None else plan.schedule.next_after(standing.ts),
            feed_ts=None if standing is None else standing.ts,
            equity=None if standing is None else standing.equity,
            positions={symbol: str(size) for symbol, size in held.items()},
            counts=dict(self._counts),
            lateness_ms=self._lateness_ms,
            restarts=self._restarts,
            last_error=self._problem,
            stale=sorted(self._stale),
        )

    def silence(self, silence: Silence) -> None:
        """The prices of a symbol stopped coming, or come again."""
        if silence.is_over:
            self._stale.pop(silence.symbol, None)
        else:
            self._stale[silence.symbol] = silence.since
        what = "prices come again" if silence.is_over else "prices stopped coming"
        self.log("info" if silence.is_over else "warning", what, symbol=silence.symbol)
        self.teller.silence(silence, self.now)
        self.show()

    # Logged.

    def log(self, level: str, event: str, **body: Any) -> None:
        """Write a line into its log."""
        row = self._row
        self._office.records.log(row.user_id, row.id, level, event, body)

    def moved(self, status: Status, step: Step) -> None:
        """Its status is another."""
        self.log("info", f"is {status}", step=step.value, market=iso(self.now))
