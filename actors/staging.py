"""From a deployment's row to the parts that carry it out: its market, its account, who decides, and what drives it."""

import asyncio
from collections.abc import Callable
from functools import partial
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec

from actors.account import OpenAccount, open_account
from actors.deployment import Hooks, Stage
from actors.engine import EngineActor
from actors.kernel import Ref, Time
from actors.leases import Leases
from actors.office import Office
from actors.plan import Plan, load_plan
from actors.port import RemoteEngine
from actors.rehearsal import Rehearsal
from actors.ticker import Ticker
from agent.provider import Provider
from agent.run import MOST_MEMOS, Agent, memos_of
from brokers.paper.replay import Place, ReplayVenue
from brokers.paper.venue import VenueState
from db.decisions import newest_decisions
from db.journal import has_intent
from db.pool import Database
from domain.inference import Memo
from domain.snapshots import DecisionSnapshot
from market.feeds.pace import Pace
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
        self, office: Office, leases: Leases, provider: Provider, replays: Replays, time: Time
    ) -> None:
        self.office = office
        self._leases = leases
        self._provider = provider
        self._replays = replays
        self._time = time

    # The engine's side.

    async def open_account(self, deployment_id: UUID) -> OpenAccount:
        """Open the account that a deployment trades in, on the market that it sees."""
        plan = await load_plan(self.office.database, deployment_id)
        loaded = await self._replays.of(plan)
        return await open_account(
            self.office.database,
            self._leases,
            plan.row.account_id,
            partial(_on_tape, loaded, plan),
            plan.skill.market.symbols,
            plan.caps,
            plan.spec.from_ts,
            plan.point_ms,
        )

    async def has_intent(self, account_id: UUID, decision: str) -> bool:
        """Whether anything was ever intended under this decision's name."""
        async with self.office.database.as_worker() as connection:
            return await has_intent(connection, account_id, decision)

    # The deployment's side.

    async def stage(self, deployment_id: UUID, engine: Ref[EngineActor]) -> Stage:
        """Make a deployment ready to run. Raises SimulationError or NoPlan when it can't."""
        plan = await load_plan(self.office.database, deployment_id)
        loaded = await self._replays.of(plan)
        market, row = loaded.market, plan.row
        trader, _ = await trader_of(
            self.office.database,
            row.user_id,
            plan.skill,
            plan.spec,
            plan.caps,
            for_deployment(self._provider, plan),
            None,
            is_replayed_history=plan.feed.is_replay,
        )
        port = RemoteEngine(engine)
        agent = Agent(
            plan.skill,
            trader,
            market.history,
            port,
            str(row.account_id),
            market.digest,
            await self._memos(plan),
        )
        ticker = Ticker(self.office.database, row.user_id, row.account_id, agent, port)
        return Stage(plan, ticker, partial(self._rehearse, loaded, plan, engine, ticker))

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
            hooks.tick,
            hooks.heard,
            ticker.start_again,
        )

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


def _on_tape(loaded: Loaded, plan: Plan, state: VenueState, place: Place | None) -> ReplayVenue:
    market = loaded.market
    return ReplayVenue.at(place or Place(), market.tape, state, market.instruments, plan.spec.cost_model)
