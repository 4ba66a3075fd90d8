"""From a deployment's row to the parts that carry it out: its market, its account, who decides, and what drives it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec

from actors.account import OpenAccount, VenueOf, open_account
from actors.engine import EngineActor
from actors.kernel import Ref, Time
from actors.leases import Leases
from actors.live import Live
from actors.office import Office
from actors.plan import Plan, load_plan
from actors.port import RemoteEngine
from actors.rehearsal import Rehearsal
from actors.stage import Hooks, Stage
from actors.ticker import Ticker
from agent.provider import Provider
from agent.run import MOST_MEMOS, Agent, memos_of
from brokers.paper.quotes import QuoteVenue
from brokers.paper.replay import Place, ReplayVenue
from brokers.paper.venue import VenueState
from db.decisions import newest_decisions
from db.journal import Tried, tried_before
from db.pool import Database
from domain.inference import Memo
from domain.snapshots import DecisionSnapshot
from domain.time import parse_interval
from engine.recovery import NEVER_SENT
from market.feeds.base import Feed
from market.feeds.due import Due, wait_for_due
from market.feeds.pace import Pace
from market.feeds.registry import Feeds, OpenFeed
from market.history import History
from market.news import StoredNews
from simulator.data import MarketData
from simulator.mask import load_world
from simulator.traders import trader_of


class Loaded:
    """A replay's market, shared by all who see the same."""

    def __init__(self, market: MarketData) -> None:
        self.market = market


class Replays:
    """The history that this process's deployments replay. What is the same is loaded once, while it is used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaded: WeakValueDictionary[bytes, Loaded] = WeakValueDictionary()
        self._turn = asyncio.Lock()

    async def of(self, plan: Plan) -> Loaded:
        """Load what a deployment replays. Raises SimulationError for data that is not there, or can't be used."""
        spec = plan.spec
        what = (plan.skill.market, spec.from_ts, spec.to_ts, spec.funding, spec.execution_interval)
        key = msgspec.json.encode(what)
        async with self._turn:
            found = self._loaded.get(key)
            if found is None:
                async with self._database.as_worker() as connection:
                    world = await load_world(
                        connection, plan.skill, spec, StoredNews(self._database.as_worker)
                    )
                found = self._loaded[key] = Loaded(world.market)
        return found


class Staging:
    """Makes ready what a deployment's two actors need. One for a process."""

    def __init__(
        self,
        office: Office,
        leases: Leases,
        provider: Provider,
        replays: Replays,
        feeds: Feeds,
        time: Time,
    ) -> None:
        self.office = office
        self._leases = leases
        self._provider = provider
        self._replays = replays
        self._feeds = feeds
        self._time = time

    def look(self) -> None:
        """See whether the prices of all feeds still come. To be called each second."""
        self._feeds.look()

    # The engine's side.

    async def open_account(self, deployment_id: UUID) -> OpenAccount:
        """Open the account that a deployment trades in, on the market that it sees."""
        plan = await load_plan(self.office.database, deployment_id)
        if plan.feed.is_replay:
            loaded = await self._replays.of(plan)
            return await self._open(plan, partial(_on_tape, loaded, plan), plan.spec.from_ts, None)
        shared = await self._feed_of(plan)
        try:
            venue_of = partial(_on_quotes, shared.feed, plan, self._time)
            return await self._open(plan, venue_of, self._time.now_ms(), shared)
        except BaseException:
            await shared.close()
            raise

    async def _open(
        self, plan: Plan, venue_of: VenueOf, start_ts: int, shared: OpenFeed | None
    ) -> OpenAccount:
        opened = await open_account(
            self.office.database,
            self._leases,
            plan.row.account_id,
            venue_of,
            plan.skill.market.symbols,
            plan.caps,
            start_ts,
            plan.point_ms,
            shared,
        )
        if plan.row.status.is_over:  # nobody decides any more about what would be opened
            await opened.engine.cancel_raising(start_ts, plan.row.id.hex)
        return opened

    async def _feed_of(self, plan: Plan) -> OpenFeed:
        """The feed that a deployment and its engine share."""
        market = plan.skill.market
        return await self._feeds.open(plan.feed, market.symbols, parse_interval(market.interval))

    async def tried(self, account_id: UUID, decision: str) -> Tried:
        """How often anything was intended under this decision's name, and whether it was sent."""
        async with self.office.database.as_worker() as connection:
            return await tried_before(connection, account_id, decision, never_sent=NEVER_SENT)

    # The deployment's side.

    async def stage(self, deployment_id: UUID, engine: Ref[EngineActor]) -> Stage:
        """Make a deployment ready to run. Raises SimulationError or NoPlan when it can't."""
        plan = await load_plan(self.office.database, deployment_id)
        if plan.feed.is_replay:
            loaded = await self._replays.of(plan)
            market = loaded.market
            ticker = await self._ticker(plan, engine, market.history, market.digest)
            return Stage(plan, ticker, partial(self._rehearse, loaded, plan, engine, ticker))
        shared = await self._feed_of(plan)
        try:
            ticker = await self._ticker(plan, engine, self._seen(plan, shared), shared.feed.data_digest)
        except BaseException:
            await shared.close()
            raise
        return Stage(plan, ticker, partial(self._go_live, shared.feed, plan, engine, ticker), shared)

    async def _ticker(self, plan: Plan, engine: Ref[EngineActor], history: History, digest: str) -> Ticker:
        row, database = plan.row, self.office.database
        provider = for_deployment(self._provider, plan)
        trader, _ = await trader_of(
            database,
            row.user_id,
            plan.skill,
            plan.spec,
            plan.caps,
            provider,
            None,
            is_replayed_history=plan.feed.is_replay,
        )
        port = RemoteEngine(engine)
        memos = await self._memos(plan)
        agent = Agent(plan.skill, trader, history, port, str(row.account_id), digest, memos)
        return Ticker(
            database,
            row.user_id,
            row.account_id,
            agent,
            port,
            lambda: provider.allowance.budgets(provider.clock.now_ms()),
        )

    def _seen(self, plan: Plan, shared: OpenFeed) -> History:
        """What a Skill may look at of its feed."""
        market = plan.skill.market
        news = StoredNews(self.office.database.as_worker)
        return shared.feed.history.seen_by(market.bars, funding=market.funding, news=news)

    def _rehearse(
        self, loaded: Loaded, plan: Plan, engine: Ref[EngineActor], ticker: Ticker, hooks: Hooks
    ) -> Rehearsal:
        tape = loaded.market.tape
        return Rehearsal(
            engine,
            tape.start_ts,
            tape.interval_ms,
            plan.schedule,
            self._pace_of(plan),
            hooks,
            ticker.start_again,
        )

    def _go_live(
        self, feed: Feed, plan: Plan, engine: Ref[EngineActor], ticker: Ticker, hooks: Hooks
    ) -> Live:
        def due_data(ts: int) -> Awaitable[Due]:
            return wait_for_due(feed.history, plan.skill.market.symbols, ts, self._time)

        return Live(engine, plan.schedule, self._time, due_data, hooks, ticker.start_again)

    def _pace_of(self, plan: Plan) -> Callable[[int], Pace]:
        return lambda from_ts: Pace(from_ts, plan.feed.speed, self._time)

    async def _memos(self, plan: Plan) -> list[Memo]:
        """What a model remembers of the ticks before."""
        if plan.skill.baseline is not None:
            return []
        async with self.office.database.as_worker() as connection:
            rows = await newest_decisions(connection, plan.row.account_id, limit=MOST_MEMOS)
        return memos_of([msgspec.convert(row.body, DecisionSnapshot) for row in reversed(rows)])


def for_deployment(provider: Provider, plan: Plan) -> Provider:
    """The provider with a deployment's own budget for each day among its budgets."""
    allowance = msgspec.structs.replace(
        provider.allowance,
        deployment=str(plan.row.id),
        per_deployment_day_usd=plan.caps.max_inference_usd_per_day,
    )
    return msgspec.structs.replace(provider, allowance=allowance)


def _on_quotes(feed: Feed, plan: Plan, time: Time, state: VenueState, place: Place | None) -> QuoteVenue:
    return QuoteVenue(state, dict(feed.instruments), plan.spec.cost_model, time)


def _on_tape(loaded: Loaded, plan: Plan, state: VenueState, place: Place | None) -> ReplayVenue:
    market = loaded.market
    return ReplayVenue.at(place or Place(), market.tape, state, market.instruments, plan.spec.cost_model)
