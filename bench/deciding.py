"""Our own work on a decision: `python -m bench.deciding HOME TICKS`. Prints JSON.

One paper deployment whose model answers at once: at its first call it orders, at its second it ends the turn. Timed are
a whole tick without its model and its venue (context, record, reservations, validation, risk, committed intent,
snapshot), and the way from a verdict's being asked for to its order at the venue's door.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors.port import RemoteEngine
from actors.ticker import Ticked, Ticker
from agent.gate import Gate
from bench.limits.bare_rows import percentiles_ms
from bench.live import SYMBOL, are_up, asked_for, carried_out
from brokers.paper.kept import KeptVenue
from cli.boot import house
from domain.inference import Reply, Usage
from supervisor.collector import settle

EVERY_MS = 100
WARM_UP_TICKS = 20
SKILL = f"""\
---
name: bench-deciding
description: A model that answers at once
model: anthropic:claude-sonnet-4-6
schedule: 1m
market: {{symbols: [{SYMBOL}], interval: 1m, bars: 100}}
tools: [get_bars, get_portfolio, propose_order]
risk:
  max_leverage: 5
  allow_short: true
  daily_loss_pct: 99
  max_drawdown_pct: 99
  max_orders_per_hour: 10000
  max_orders_per_day: 100000
  max_inference_usd_per_day: 1000
---
Buy, then sell.
"""


class AtOnce:
    """A model that answers at once: it buys and sells in turn."""

    route = "bench"

    def __init__(self) -> None:
        self.ordered = 0
        self.took_s = 0.0

    async def send(self, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """Order at the first call of a tick, then end the turn."""
        begun = time.perf_counter()
        usage = Usage(input=100, output=20)
        if len(body["messages"]) > 1:
            reply = Reply(({"type": "text", "text": "Done: one order was proposed."},), "end_turn", usage)
        else:
            self.ordered += 1
            side = "buy" if self.ordered % 2 else "sell"
            order = {"symbol": SYMBOL, "side": side, "size": "0.01", "why": "the bench"}
            use = {"type": "tool_use", "id": f"toolu_{self.ordered}", "name": "propose_order", "input": order}
            reply = Reply((use,), "tool_use", usage)
        self.took_s += time.perf_counter() - begun
        return reply

    async def close(self) -> None:
        """Nothing is open."""


class Watched:
    """Times the ticks of one deployment, from around what they are made of."""

    def __init__(self, model: AtOnce) -> None:
        self.model = model
        self.own_s: list[float] = []
        self.to_order_s: list[float] = []
        self.others = 0
        self._asked_s = self._venue_s = 0.0
        self._around_venue()

    def ready(self, ticker: Ticker, number: int) -> None:
        """As `bench.live.Ready`."""
        tick = ticker.tick

        async def timed(ts: int) -> Ticked:
            self._venue_s, begun, model_s = 0.0, time.perf_counter(), self.model.took_s
            ticked = await tick(ts)
            took_s = time.perf_counter() - begun
            self.own_s.append(took_s - self._venue_s - (self.model.took_s - model_s))
            self.others += ticked.outcome.name != "ACTED"
            return ticked

        ticker.tick = timed  # type: ignore[method-assign]

    def _around_venue(self) -> None:
        """Note when an engine is asked for a verdict, and how long its venue takes."""
        submit, place = RemoteEngine.submit, KeptVenue.place

        async def asked(port: RemoteEngine, *what: Any, **more: Any) -> Any:
            self._asked_s = time.perf_counter()
            return await submit(port, *what, **more)

        async def placed(venue: Any, order: Any) -> None:
            begun = time.perf_counter()
            self.to_order_s.append(begun - self._asked_s)
            await place(venue, order)
            self._venue_s += time.perf_counter() - begun

        RemoteEngine.submit = asked  # type: ignore[method-assign, assignment]
        KeptVenue.place = placed  # type: ignore[method-assign, assignment]


async def main(folder: str, ticks: int) -> None:
    """Tick until there are enough, and print what it took."""
    os.environ["AGENTIC_HOME"] = folder
    logging.getLogger().setLevel(logging.ERROR)
    model = AtOnce()
    watched = Watched(model)
    async with house() as home:
        plenty = dict.fromkeys(
            ("per_call_usd", "per_tick_usd", "per_user_day_usd", "per_day_usd"), Decimal(100_000)
        )
        allowance = msgspec.structs.replace(home.provider.allowance, **plenty)
        provider = msgspec.structs.replace(
            home.provider, open_door=lambda: model, allowance=allowance, gate=Gate(16)
        )
        ids = await asked_for(home, 1, SKILL)
        async with carried_out(home, ids, EVERY_MS, watched.ready, provider):
            settle()
            while len(watched.own_s) < ticks + WARM_UP_TICKS:
                await asyncio.sleep(0.1)
            await are_up(home, ids, 1)
    print(
        json.dumps(
            {
                "own": percentiles_ms(watched.own_s[WARM_UP_TICKS:]),
                "to_order": percentiles_ms(watched.to_order_s[WARM_UP_TICKS:]),
                "others": watched.others,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
