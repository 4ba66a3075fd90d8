"""Many paper deployments in one process: `python -m bench.fleet HOME COUNT EVERY_S MEASURED_S [as-it-comes]`.

Prints JSON; with *as-it-comes* Python's collector is left as it is.

The real fleet under the real supervisor, on the made-up market, each deployment with its engine and an account of its
own. Two things are the bench's: a schedule of seconds, with the ticks of all spread evenly over it, and the trader,
who looks at its account each tick, and in one deployment of `TRADING` buys or closes, so that verdicts are given.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from actors.fleet import FleetActor
from actors.kernel import Ref, Time, WallTime
from actors.leases import Leases
from actors.office import Office, Records
from actors.plan import Plan
from actors.stage import Hooks
from actors.staging import Replays, Staging
from actors.ticker import Ticked, Ticker
from agent.tick import Tick
from bench.limits.bare_rows import percentiles_ms
from cli.boot import House, house
from cli.groups.deployments import SupervisedChildren, SupervisedFeeds
from db.accounts import create_account
from db.agent_state import load_states
from db.deployments import create_deployment
from db.skills import save_version
from domain.actions import ClosePosition, ProposeOrder
from domain.feeds import parse_feed
from domain.ids import uuid7
from domain.notices import NoNotices
from domain.orders import Side
from market.feeds.registry import Feeds, maker
from simulator.spec import RunSpec, to_config
from skills import skill_md
from skills.schedule import Schedule
from supervisor.children import ActorChild
from supervisor.collector import settle
from supervisor.supervisor import Identity, Supervisor

SYMBOL, FEED = "BTC", "synthetic@7"
SKILL = f"""\
---
name: bench-fleet
description: One of many
model: baseline:random
model_params: {{size: 0.01}}
schedule: 1m
market: {{symbols: [{SYMBOL}], interval: 1m, bars: 20}}
tools: [get_bars, get_portfolio, propose_order]
risk:
  max_leverage: 5
  daily_loss_pct: 99
  max_drawdown_pct: 99
  max_orders_per_hour: 10000
  max_orders_per_day: 100000
---
Trade.
"""
TRADING = 50
"""One in so many acts at each tick; the others look at their accounts, and hold."""


class EverySome(Schedule, frozen=True):
    """A tick every `every_ms`, `offset_ms` after the grid."""

    every_ms: int = 1_000
    offset_ms: int = 0

    def next_after(self, ts: int) -> int:
        return ts + self.every_ms - (ts - self.offset_ms) % self.every_ms


class InAndOut:
    """Buys, and at the next tick closes what it bought."""

    async def decide(self, tick: Tick) -> None:
        """Act once."""
        if tick.held(SYMBOL):
            await tick.act(ClosePosition(SYMBOL, "the bench"))
        else:
            await tick.act(ProposeOrder(SYMBOL, Side.BUY, Decimal("0.01"), why="the bench"))


class Looks:
    """Looks at its account, and holds."""

    async def decide(self, tick: Tick) -> None:
        """Nothing to do."""
        _ = tick.account


class Times:
    """What the ticks took: seconds after their instants at which they began, and at which they were decided."""

    def __init__(self) -> None:
        self.late_s: list[float] = []
        self.held_s: list[float] = []
        self.acted_s: list[float] = []
        self.others: Counter[str] = Counter()

    def clear(self) -> None:
        """Measure from here."""
        for taken in (self.late_s, self.held_s, self.acted_s):
            taken.clear()
        self.others.clear()


class TimedTicker(Ticker):
    """A ticker that is timed."""

    times: Times

    async def tick(self, ts: int) -> Ticked:
        self.times.late_s.append(time.time() - ts / 1000)
        ticked = await super().tick(ts)
        taken_s = time.time() - ts / 1000
        match ticked.outcome.name:
            case "HOLD":
                self.times.held_s.append(taken_s)
            case "ACTED":
                self.times.acted_s.append(taken_s)
            case other:
                self.times.others[ticked.problem or other] += 1
        return ticked


class BenchStaging(Staging):
    """Staging with the bench's schedule and traders."""

    every_ms: int
    count: int
    times: Times
    numbers: dict[UUID, int]

    async def _ticker(self, plan: Plan, *more: Any) -> Ticker:
        ticker = await super()._ticker(plan, *more)
        number = self.numbers[plan.row.id]
        trader = Looks() if number % TRADING else InAndOut()
        ticker.agent = msgspec.structs.replace(ticker.agent, trader=trader)
        ticker.__class__ = TimedTicker
        assert isinstance(ticker, TimedTicker)
        ticker.times = self.times
        return ticker

    def _go_live(self, feed: Any, plan: Plan, engine: Ref[Any], ticker: Ticker, hooks: Hooks) -> Any:
        live = super()._go_live(feed, plan, engine, ticker, hooks)
        offset_ms = (2 * self.numbers[plan.row.id] + 1) * self.every_ms // (2 * self.count)
        live._schedule = EverySome("bench", (0,), every_ms=self.every_ms, offset_ms=offset_ms)
        return live


async def asked_for(home: House, count: int) -> list[UUID]:
    """Keep so many deployments of one Skill, in one transaction."""
    skill = skill_md.read(SKILL, where="bench")
    digest = str(hash(SKILL))
    config = to_config(RunSpec(from_ts=parse_feed(FEED).from_ts, to_ts=parse_feed(FEED).to_ts))
    async with home.database.as_user(home.user_id) as connection:
        version, _ = await save_version(
            connection,
            home.user_id,
            name=skill.name,
            digest=digest,
            body=SKILL,
            spec={"name": skill.name, "model": skill.model},
        )
        ids = []
        for _ in range(count):
            account_id = uuid7()
            await create_account(connection, home.user_id, account_id, "paper", Decimal(10_000))
            ids.append(
                await create_deployment(
                    connection,
                    home.user_id,
                    skill_version_id=version.id,
                    account_id=account_id,
                    mode="paper",
                    feed=FEED,
                    config=config,
                )
            )
    return ids


@asynccontextmanager
async def carried_out(home: House, ids: list[UUID], every_ms: int) -> AsyncIterator[Times]:
    """Run these deployments under a supervisor."""
    time_: Time = WallTime()
    owner = f"bench:{os.getpid()}"
    identity = Identity(owner=owner, host="bench", pid=os.getpid(), groups=["deployments"], started_ts=0)
    supervisor = Supervisor(identity, time_, Random(1).random)
    database, clock = home.database, home.clock
    office = Office(database, clock, owner, NoNotices(), Records(database, clock))
    leases = Leases(database, owner, time.monotonic)
    feeds = Feeds(maker(database.as_worker, time_), SupervisedFeeds(supervisor))
    staging = BenchStaging(office, leases, home.provider, Replays(database), feeds, time_)
    staging.every_ms, staging.count, staging.times = every_ms, len(ids), Times()
    staging.numbers = {one: number for number, one in enumerate(ids)}
    make = partial(FleetActor, office, leases, staging, SupervisedChildren(supervisor), ids)
    stop = asyncio.Event()
    async with supervisor.keeping([ActorChild(name="fleet", group="deployments", make=make)], stop):
        yield staging.times


async def are_up(home: House, ids: list[UUID], ticks: int) -> None:
    """Wait until each has ticked so often."""
    while True:
        async with home.database.as_worker() as connection:
            states = await load_states(connection, ids)
        if sum(sum(one.counts.values()) >= ticks for one in states.values()) == len(ids):
            return
        await asyncio.sleep(1)


async def main(folder: str, count: int, every_s: int, measured_s: float, collector: str) -> None:
    """Start them, let them settle, and measure."""
    os.environ["AGENTIC_HOME"] = folder
    logging.getLogger().setLevel(logging.ERROR)
    async with house() as home:
        [first] = await asked_for(home, 1)
        async with carried_out(home, [first], 1_000):
            await are_up(home, [first], 2)
            one_kb = resident_kb()
        ids = [first, *await asked_for(home, count - 1)]
        begun = time.perf_counter()
        async with carried_out(home, ids, every_s * 1_000) as times:
            await are_up(home, ids, 1)
            up_s = time.perf_counter() - begun
            if collector == "settled":
                settle()
            said = await measured(times, count, every_s, measured_s)
            said |= {"up_s": up_s, "each_kb": (resident_kb() - one_kb) / max(1, count - 1)}
            print(json.dumps(said), flush=True)
            os._exit(0)  # what it takes to stop them all is no part of this


async def measured(times: Times, count: int, every_s: int, measured_s: float) -> dict[str, Any]:
    """Measure for a while."""
    times.clear()
    pauses = Pauses()
    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.sleep(measured_s)
    lasted_s = time.perf_counter() - begun
    return {
        "late": percentiles_ms(times.late_s),
        "held": percentiles_ms(times.held_s),
        "acted": percentiles_ms(times.acted_s),
        "cpu_share": (time.process_time() - cpu) / lasted_s,
        "ticked": len(times.late_s) / (count * lasted_s / every_s),
        "others": times.others,
        "longest_pause_ms": max(pauses.took_s, default=0.0) * 1e3,
        "paused_share": sum(pauses.took_s) / lasted_s,
    }


class Pauses:
    """How long the collector has stopped the process, each time, in seconds of its processor."""

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self._begun = 0.0
        gc.callbacks.append(self._told)

    def _told(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.thread_time()
        else:
            self.took_s.append(time.thread_time() - self._begun)


def resident_kb() -> float:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


if __name__ == "__main__":
    where, many, every, seconds, *how = sys.argv[1:]
    asyncio.run(main(where, int(many), int(every), float(seconds), *(how or ["settled"])))
