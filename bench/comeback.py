"""How soon deployments tick again after `kill -9`: `python -m bench.comeback HOME COUNT`. Prints seconds.

`agentic up` carries out so many replays, each an hour a second, and is killed in the middle of it. A new one is started
at once. Measured is from its start until the last of them has ticked in it, as it says of itself once a second: by then
each account was taken over, reconciled with its venue, and asked by its agent.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from bench.measure import clean_environment
from bench.product import AGENTIC
from cli.boot import House, house
from cli.demo import ensure_demo
from control import deployments, skills
from control.deployments import DeployRequest
from db.agent_state import StateRow, load_states
from domain.caps import LOOSEST
from domain.feeds import parse_feed

SKILL = """\
---
name: bench-comeback
description: One of many
model: baseline:random
model_params: {size: 0.01}
schedule: 1h
market: {symbols: [BTC], interval: 1h, bars: 20}
tools: [get_bars, get_portfolio, propose_order]
risk: {max_leverage: 5, daily_loss_pct: 99, max_drawdown_pct: 99}
---
Trade.
"""
FEED = "replay:2024-02-01..2024-12-01@3600x"
PATIENCE_S, LOOK_S = 120.0, 0.02


@contextmanager
def up(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A running `agentic up`, without its page, that is killed in the end."""
    command = [AGENTIC, "up", "--group", "deployments", "--no-demo"]
    environment = clean_environment(AGENTIC_HOME=str(folder), AGENTIC_LOG_LEVEL="error")
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def asked_for(home: House, count: int) -> list[UUID]:
    """Ask for so many deployments of one Skill, on the demo's market."""
    await ensure_demo(home)
    saved = await skills.save(home.database, home.user_id, SKILL)
    version = await skills.find(home.database, home.user_id, f"{saved.name}@{saved.version}")
    return [
        await deployments.deploy(
            home.database,
            home.user_id,
            version,
            DeployRequest(parse_feed(FEED), seed=number),
            LOOSEST,
            home.provider,
        )
        for number in range(count)
    ]


async def states_of(home: House, ids: list[UUID]) -> dict[UUID, StateRow]:
    """What the deployments show of themselves."""
    async with home.database.as_worker() as connection:
        return await load_states(connection, ids)


async def until_all_tick(
    home: House, process: "subprocess.Popen[bytes]", ids: list[UUID], before: dict[UUID, StateRow]
) -> None:
    """Wait until each has ticked in a process that is not the one of `before`, beyond the tick it had come to there."""

    def ticks(state: StateRow) -> bool:
        last = before.get(state.deployment_id)
        if last is None or last.last_tick_ts is None:
            return state.last_tick_ts is not None
        return state.owner != last.owner and (state.last_tick_ts or 0) > last.last_tick_ts

    async with asyncio.timeout(PATIENCE_S):
        while sum(map(ticks, (await states_of(home, ids)).values())) < len(ids):
            if process.poll() is not None:
                sys.exit("`agentic up` ended by itself")
            await asyncio.sleep(LOOK_S)


async def comeback_s(home: House, folder: Path, count: int) -> float:
    """Measure one comeback."""
    ids = await asked_for(home, count)
    with up(folder) as process:
        await until_all_tick(home, process, ids, {})
    killed = await states_of(home, ids)
    begun = time.perf_counter()
    with up(folder) as process:
        await until_all_tick(home, process, ids, killed)
        return time.perf_counter() - begun


async def main(folder: Path, count: int) -> None:
    """Measure in a home of its own, whose database is kept running."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["AGENTIC_HOME"] = str(folder)
    async with house() as home:
        print(await comeback_s(home, folder, count))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
