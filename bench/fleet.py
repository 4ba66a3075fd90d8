"""Many paper deployments in one process: `python -m bench.fleet HOME COUNT EVERY_S MEASURED_S [as-it-comes]`.

Each has its engine and an account of its own, and looks at its account each tick; one of `TRADING` buys or closes, so
that verdicts are given. Prints JSON; with *as-it-comes* Python's collector is left as it is.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from actors.ticker import Ticked, Ticker
from agent.tick import Tick
from bench.limits.bare_rows import percentiles_ms
from bench.live import SYMBOL, are_up, asked_for, carried_out
from cli.boot import house
from domain.actions import ClosePosition, ProposeOrder
from domain.orders import Side
from supervisor.collector import settle

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


class Fleet:
    """Has each ticker timed, and gives it the bench's trader."""

    def __init__(self) -> None:
        self.times = Times()

    def ready(self, ticker: Ticker, number: int) -> None:
        """As `bench.live.Ready`."""
        trader = Looks() if number % TRADING else InAndOut()
        ticker.agent = msgspec.structs.replace(ticker.agent, trader=trader)
        ticker.__class__ = TimedTicker
        assert isinstance(ticker, TimedTicker)
        ticker.times = self.times


async def main(folder: str, count: int, every_s: int, measured_s: float, collector: str) -> None:
    """Start them, let them settle, and measure."""
    os.environ["AGENTIC_HOME"] = folder
    logging.getLogger().setLevel(logging.ERROR)
    async with house() as home:
        [first] = await asked_for(home, 1, SKILL)
        async with carried_out(home, [first], 1_000, Fleet().ready):
            await are_up(home, [first], 2)
            one_kb = resident_kb()
        ids = [first, *await asked_for(home, count - 1, SKILL)]
        begun = time.perf_counter()
        fleet = Fleet()
        async with carried_out(home, ids, every_s * 1_000, fleet.ready):
            await are_up(home, ids, 1)
            up_s = time.perf_counter() - begun
            if collector == "settled":
                settle()
            said = await measured(fleet.times, count, every_s, measured_s)
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
        "late": _percentiles_ms(times.late_s),
        "held": _percentiles_ms(times.held_s),
        "acted": _percentiles_ms(times.acted_s),
        "cpu_share": (time.process_time() - cpu) / lasted_s,
        "ticked": len(times.late_s) / (count * lasted_s / every_s),
        "others": times.others,
        "longest_pause_ms": max(pauses.took_s, default=0.0) * 1e3,
        "paused_share": sum(pauses.took_s) / lasted_s,
    }


def _percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    return percentiles_ms(seconds) if len(seconds) > 1 else {}


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
