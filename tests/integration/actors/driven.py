"""A deployment on a market that a test drives: every price, every second and every order is the test's own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

from actors.engine import EngineActor
from actors.kernel import ManualTime, Ref
from actors.messages import Standing, Submit, Where
from db.commands import CommandRow, load_command, send_command
from db.connection import Connection
from db.journal import load_entries
from db.pool import Database
from domain.actions import Action, ProposeOrder
from domain.caps import LOOSEST, tightest
from domain.deployments import CommandKind, Status
from domain.feeds import FeedSpec
from domain.journal import HaltChanged, HaltPhase
from domain.orders import Fill, Side
from domain.time import HOUR_MS, MINUTE_MS, SECOND_MS
from domain.verdicts import Verdict
from skills import skill_md
from tests.audit.account import audit_account
from tests.integration.actors.driven_feed import DrivenFeed
from tests.integration.actors.fleet import Process, deploy, row_of, until
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import T0, skill_text

LATE = T0 + 24 * HOUR_MS - 10 * MINUTE_MS
"""Ten minutes before midnight: a day's end is near where a test wants one."""
RISK = "{max_leverage: 10, allow_short: true, daily_loss_pct: 90, max_drawdown_pct: 95}"


def quiet_skill(symbols: Sequence[str] = ("BTC",), risk: str = RISK) -> str:
    """A Skill that ticks at midnight alone, and then has no bar to decide on: what is ordered the test orders."""
    market = f"{{symbols: [{', '.join(symbols)}], interval: 1h, bars: 20}}"
    return skill_text(schedule="1d", market=market, risk=risk)


class Driven:
    """One deployment whose market and time a test moves, and in whose account it trades."""

    def __init__(self, database: Database, owner: UUID, deployment: UUID, text: str, **more: Any) -> None:
        self.database, self.owner, self.deployment, self.text = database, owner, deployment, text
        self.time = ManualTime(LATE)
        self._more = more
        self._decisions = 0
        self.feeds: list[DrivenFeed] = []
        self.process = self.another()

    def another(self) -> Process:
        """Another process, beside or after those before it, whose feed is the one that is driven from now on."""

        async def make(spec: FeedSpec, symbols: tuple[str, ...], interval_ms: int) -> DrivenFeed:
            self.feeds.append(DrivenFeed(spec, symbols, interval_ms, self.time))
            return self.feeds[-1]

        return Process(self.database, live_by=self.time, make_feed=make, **self._more)

    # The market.

    @property
    def feed(self) -> DrivenFeed:
        """The feed of the process that runs now."""
        return self.feeds[-1]

    async def price(self, px: str, symbol: str = "BTC", **more: Any) -> None:
        """A second later this is the price."""
        await self.prices({symbol: px}, **more)

    async def prices(self, prices: dict[str, str], seconds: int = 1, **more: Any) -> None:
        """Let seconds pass, at each of which these are the prices; each is worked through before the next."""
        for _ in range(seconds):
            await self.time.advance(SECOND_MS)
            for symbol, px in prices.items():
                self.feed.price(px, symbol, **more)
            await self.standing()

    async def silence(self, seconds: int) -> None:
        """Let seconds pass in which nothing is told."""
        await self.prices({}, seconds)

    # The account.

    def engine(self) -> Ref[EngineActor] | None:
        """Its engine, where there is one."""
        names = [one.name for one in self.process.system.stats() if one.name.startswith("engine:")]
        return self.process.system.find(names[0]) if names else None

    async def standing(self) -> Standing:
        """Where the account stands, once all that was told is worked through."""
        engine = self.engine()
        assert engine is not None
        return await engine.ask(Where(), timeout_s=30)

    async def submit(self, action: Action, *, ts: int | None = None) -> Verdict:
        """Have an action carried out, as a tick would."""
        engine = self.engine()
        assert engine is not None
        self._decisions += 1
        at = self.time.now_ms() if ts is None else ts
        submitted = await engine.ask(Submit(action, at, f"test-{self._decisions}", 0), timeout_s=30)
        return submitted.verdict

    async def buy(self, size: str, symbol: str = "BTC", **more: Any) -> Verdict:
        return await self.submit(ProposeOrder(symbol, Side.BUY, Decimal(size), **more))

    async def held(self, symbol: str = "BTC") -> Decimal:
        return (await self.standing()).positions.get(symbol, Decimal(0))

    # Its life.

    async def begun(self) -> None:
        """Wait until it runs, and has its engine."""
        self.process.look()
        await until(lambda: self.is_(Status.RUNNING))
        await until(self.is_watched)

    async def is_watched(self) -> bool:
        """Whether there is an engine that listens."""
        return self.engine() is not None and (await self.standing()) is not None

    async def is_(self, *statuses: Status) -> bool:
        return (await row_of(self.database, self.deployment)).status in statuses

    async def tell(self, kind: CommandKind, **args: Any) -> CommandRow:
        """Send a command, and wake whoever carries it out."""
        async with self.database.as_user(self.owner) as connection:
            sent = await send_command(connection, self.owner, self.deployment, kind, args)
        self.process.look()
        await self.process.system.quiet()
        return sent

    async def result(self, command: CommandRow) -> CommandRow:
        """What became of a command by now."""
        async with self.database.as_worker() as connection:
            found = await load_command(connection, command.id)
        assert found is not None
        return found

    async def told(self, kind: CommandKind, prices: dict[str, str], **args: Any) -> CommandRow:
        """Send a command, and have these be the prices until it is over."""
        sent = await self.tell(kind, **args)

        async def is_over() -> bool:
            await self.time.advance(SECOND_MS)
            for symbol, px in prices.items():
                self.feed.price(px, symbol)
            return (await self.result(sent)).is_over

        await until(is_over)
        return await self.result(sent)

    async def until_over(self, command: CommandRow) -> CommandRow:
        """Wait for the end of a command while no time passes."""

        async def is_over() -> bool:
            return (await self.result(command)).is_over

        await until(is_over)
        return await self.result(command)

    async def again(self, *, after_ms: int = 0) -> None:
        """End this process in order, and start another after a while, or (below 0) with its clock set back."""
        await self.process.stop()
        self.time = ManualTime(self.time.now_ms() + after_ms)
        self.process = self.another()
        self.process.look()
        await until(self.is_watched)

    # What was written down.

    async def journal(self) -> list[Any]:
        account = (await row_of(self.database, self.deployment)).account_id
        async with self.database.as_worker() as connection:
            return list(await load_entries(connection, account))

    async def fills(self) -> list[Fill]:
        return [entry for entry in await self.journal() if isinstance(entry, Fill)]

    async def phases(self) -> list[HaltPhase]:
        """The steps of all halts."""
        return [entry.phase for entry in await self.journal() if isinstance(entry, HaltChanged)]

    async def faults(self, admin: Connection, symbols: Sequence[str] = ("BTC",)) -> list[str]:
        """What is wrong with the account, by an auditor that shares no code with the engine."""
        caps = tightest(skill_md.read(self.text, where="here").caps, LOOSEST)
        account = (await row_of(self.database, self.deployment)).account_id
        return await audit_account(admin, account, caps, symbols, at_rest=False)


@asynccontextmanager
async def driven(
    database: Database, owner: UUID, text: str | None = None, **more: Any
) -> AsyncIterator[Driven]:
    """A deployment that runs, on a market that waits for its first price."""
    skill = text or quiet_skill()
    version = await version_of(database, owner, skill)
    deployment = await deploy(database, owner, version, "synthetic@7")
    stage = Driven(database, owner, deployment, skill, **more)
    await stage.begun()
    try:
        yield stage
    finally:
        await stage.process.stop()
