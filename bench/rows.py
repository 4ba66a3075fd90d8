"""What a store takes with the product: `python -m bench.rows DSN commands|decisions COUNT`. Prints JSON.

Commands are sent as a person's by one process and taken by another, which says that it has each, and that it is done;
decisions are kept one by one as a deployment does, then in batches as a simulation does.
"""

import asyncio
import json
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from bench.limits.bare_rows import BATCH, GAP_S, ONE_BY_ONE_TO_A_BATCH, READY, decision, percentiles_ms
from db.accounts import create_account
from db.commands import CHANNEL, RESULTS, acknowledge, finish, open_commands, send_command
from db.connection import to_json
from db.deployments import create_deployment
from db.listen import Listener
from db.login import APP_ROLE
from db.pool import Database
from db.records import DecisionRow, write_rows
from db.skills import save_version
from domain.deployments import CommandKind
from domain.ids import uuid7


async def main(dsn: str, what: str, count: int) -> None:
    """Do one of the jobs, and print what it took."""
    database = await Database.open(dsn, user=APP_ROLE)
    try:
        if what == "take":
            return await take(dsn, database, count)
        user_id = await _anybody(dsn)
        said = await (send if what == "commands" else keep)(dsn, database, user_id, count)
        print(json.dumps(said))
    finally:
        await database.close()


async def send(dsn: str, database: Database, user_id: UUID, count: int) -> dict[str, Any]:
    """Send commands to another process, one when the last is done, and say how long each was on its way."""
    deployment_id = await _deployment(database, user_id)
    taker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.rows", dsn, "take", str(count), stdout=subprocess.PIPE
    )
    assert taker.stdout
    assert (await taker.stdout.readline()).decode().strip() == READY
    sent, known = [], []
    listens, done = asyncio.Event(), asyncio.Event()
    async with Listener(dsn, user=APP_ROLE, poll_s=3600) as listener:
        listener.on(RESULTS, lambda payload: (done if payload else listens).set())
        await listens.wait()
        for _ in range(count):
            done.clear()
            sent.append(time.monotonic_ns())
            async with database.as_user(user_id) as connection:
                await send_command(connection, user_id, deployment_id, CommandKind.PAUSE, {"flat": True})
            await done.wait()
            known.append(time.monotonic_ns())
            await asyncio.sleep(GAP_S)
    handled, taken = json.loads(await taker.stdout.readline())
    await taker.wait()
    return {
        name: percentiles_ms([(at - begun) / 1e9 for at, begun in zip(ends, sent, strict=True)])
        for name, ends in (("handler", handled), ("taken", taken), ("known", known))
    }


async def take(dsn: str, database: Database, count: int) -> None:
    """Take commands as they come, and print when each was heard of and when it was taken."""
    handled: list[int] = []
    taken: list[int] = []
    waiting: asyncio.Queue[UUID] = asyncio.Queue()

    def heard(payload: str | None) -> None:
        if payload:
            handled.append(time.monotonic_ns())
            waiting.put_nowait(UUID(payload))
        else:
            print(READY, flush=True)

    async with Listener(dsn, user=APP_ROLE, poll_s=3600) as listener:
        listener.on(CHANNEL, heard)
        while len(taken) < count:
            deployment_id = await waiting.get()
            async with database.as_worker() as connection:
                [command] = await open_commands(connection, deployment_id)
                await acknowledge(connection, command.id)
            taken.append(time.monotonic_ns())
            async with database.as_worker() as connection:
                await finish(connection, command.id, {})
    print(json.dumps([handled, taken]))


async def keep(dsn: str, database: Database, user_id: UUID, count: int) -> dict[str, Any]:
    """Keep decisions of 2 KB, each on the disk before the next one, then many at once; JSON is made of each."""
    account_id = uuid7()
    bodies = [decision(n) for n in range(BATCH)]
    took = []
    for n in range(count):
        begun = time.perf_counter()
        row = DecisionRow(f"one {n}", n, "acted", to_json(bodies[n % BATCH]))
        async with database.as_worker_once() as connection:
            await write_rows(connection, user_id, account_id, [row])
        took.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    for number in range(batches := max(1, count // ONE_BY_ONE_TO_A_BATCH)):
        rows = [DecisionRow(f"{number} {n}", n, "acted", to_json(body)) for n, body in enumerate(bodies)]
        async with database.as_worker() as connection:
            await write_rows(connection, user_id, account_id, rows)
    rows_per_s = BATCH * batches / (time.perf_counter() - begun)
    return {"one": percentiles_ms(took), "rows_per_s": rows_per_s}


async def _anybody(dsn: str) -> UUID:
    admin = await asyncpg.connect(dsn)
    try:
        found: UUID = UUID(str(await admin.fetchval("select id from auth.users limit 1")))
    finally:
        await admin.close()
    return found


async def _deployment(database: Database, user_id: UUID) -> UUID:
    account_id = uuid7()
    async with database.as_user(user_id) as connection:
        await create_account(connection, user_id, account_id, "paper", Decimal(1))
        spec = {"name": "bench-rows", "model": "baseline:hold"}
        version, _ = await save_version(
            connection, user_id, name="bench-rows", digest="d", body="-", spec=spec
        )
        return await create_deployment(
            connection,
            user_id,
            skill_version_id=version.id,
            account_id=account_id,
            mode="paper",
            feed="synthetic",
            config={},
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
