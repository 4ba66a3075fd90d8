"""How soon a deployment in another process obeys: `python -m bench.obeying HOME COUNT`. Prints JSON.

The program is up as anybody would start it, with one paper deployment. It is told to pause and to go on in turn, each
when the last is done; timed is the way from the command's sending to its sender's knowing that it is done, which is
after the deployment's status has changed. Every answer is checked against the status.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from uuid import UUID

from bench.limits.bare_rows import GAP_S, percentiles_ms
from bench.live import asked_for
from bench.product import AGENTIC
from cli.boot import House, house
from db.commands import RESULTS, load_command, send_command
from db.deployments import load_deployment
from db.pool import Database
from domain.deployments import CommandKind, CommandState, Status

WARM_UP = 20
LIMIT_S = 60.0
SKILL = """\
---
name: bench-obeying
description: Waits to be told
model: baseline:hold
schedule: 1d
market: {symbols: [BTC], interval: 1h, bars: 20}
tools: []
---
Hold.
"""


async def main(folder: str, count: int) -> None:
    """Start the program, tell its deployment, and print what it took."""
    os.environ["AGENTIC_HOME"] = folder
    async with house() as home:
        [deployment_id] = await asked_for(home, 1, SKILL)
        with subprocess.Popen(
            [AGENTIC, "up", "--group", "deployments"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as program:
            try:
                async with asyncio.timeout(LIMIT_S):
                    while await _status(home.database, deployment_id) is not Status.RUNNING:
                        await asyncio.sleep(0.1)
                took = await told(home, deployment_id, count + WARM_UP)
            finally:
                with suppress(ProcessLookupError):
                    program.send_signal(signal.SIGINT)
    print(json.dumps({"effect": percentiles_ms(took[WARM_UP:])}))


async def told(home: House, deployment_id: UUID, count: int) -> list[float]:
    """Have it pause and go on; give the seconds until each was known to be done."""
    took, done = [], asyncio.Event()
    home.listener.on(RESULTS, lambda payload: done.set() if payload else None)
    listening = asyncio.create_task(home.listener.run())
    await asyncio.sleep(1.0)
    for number in range(count):
        kind, status = (
            (CommandKind.RESUME, Status.RUNNING) if number % 2 else (CommandKind.PAUSE, Status.PAUSED)
        )
        done.clear()
        begun = time.perf_counter()
        async with home.database.as_user(home.user_id) as connection:
            command = await send_command(connection, home.user_id, deployment_id, kind, {})
        async with asyncio.timeout(LIMIT_S):
            await done.wait()
        took.append(time.perf_counter() - begun)
        async with home.database.as_worker() as connection:
            kept = await load_command(connection, command.id)
        assert kept is not None
        assert kept.state is CommandState.DONE, kept
        assert await _status(home.database, deployment_id) is status
        await asyncio.sleep(GAP_S)
    listening.cancel()
    return took


async def _status(database: Database, deployment_id: UUID) -> Status:
    async with database.as_worker() as connection:
        row = await load_deployment(connection, deployment_id)
    assert row is not None
    return row.status


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
