"""The limit of a store: bare statements on bare tables. `bare_rows.py DSN commands|decisions COUNT`. Prints JSON.

A command is an INSERT that notifies another process, a decision an INSERT of 2 KB that is on the disk, many are a COPY.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from random import Random
from statistics import quantiles
from typing import Any

import asyncpg

GAP_S = 0.003
BATCH, ONE_BY_ONE_TO_A_BATCH = 1_000, 50
READY = "ready"

TABLES = """
create table public.bench_commands (id bigserial primary key, body jsonb not null);
create table public.bench_decisions (
  id bigserial primary key, at timestamptz not null default now(), body jsonb not null)
"""
_SEND_SQL = """
with sent as (insert into public.bench_commands (body) values ($1) returning id)
select pg_notify('bench_commands', id::text) from sent
"""
_KEEP_SQL = "insert into public.bench_decisions (body) values ($1)"


def decision(number: int) -> dict[str, Any]:
    """About 2 KB of what a tick knew and said."""
    dice = Random(number)
    words = ("trend", "volume", "range", "break", "support", "funding", "risk", "momentum")
    return {
        "number": number,
        "closes": [f"{dice.uniform(100, 200):.3f}" for _ in range(60)],
        "indicators": {f"ema_{n}": round(dice.uniform(100, 200), 5) for n in range(12)},
        "positions": [
            {"symbol": name, "size": "-1.25", "entry": "150.125"} for name in ("BTC", "ETH", "SOL")
        ],
        "reason": " ".join(dice.choice(words) for _ in range(100)),
    }


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th and the 99th percentile of some times, in ms."""
    hundredths = quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": hundredths[49] * 1e3, "p99_ms": hundredths[98] * 1e3}


async def main(dsn: str, what: str, count: int) -> None:
    """Do one of the jobs, and print what it took."""
    connection = await asyncpg.connect(dsn)
    try:
        await (take if what == "take" else _on_tables_of_its_own(what))(connection, dsn, count)
    finally:
        await connection.close()


def _on_tables_of_its_own(what: str) -> Any:
    async def do(connection: Any, dsn: str, count: int) -> None:
        await connection.execute(TABLES)
        try:
            print(json.dumps(await (send if what == "commands" else keep)(connection, dsn, count)))
        finally:
            await connection.execute("drop table public.bench_commands, public.bench_decisions")

    return do


async def send(connection: Any, dsn: str, count: int) -> dict[str, Any]:
    """Send commands to another process, a little apart, and say how long each was on its way."""
    taker = await asyncio.create_subprocess_exec(
        sys.executable, __file__, dsn, "take", str(count), stdout=subprocess.PIPE
    )
    assert taker.stdout
    assert (await taker.stdout.readline()).decode().strip() == READY
    statement, sent = await connection.prepare(_SEND_SQL), []
    for _ in range(count):
        sent.append(time.monotonic_ns())
        await statement.fetchval('{"flat": true}')
        await asyncio.sleep(GAP_S)
    handled = json.loads(await taker.stdout.readline())
    await taker.wait()
    return {"handler": percentiles_ms([(at - begun) / 1e9 for at, begun in zip(handled, sent, strict=True)])}


async def take(connection: Any, dsn: str, count: int) -> None:
    """Hear of commands, and print when each was heard of."""
    handled: list[int] = []
    enough = asyncio.Event()

    def heard(*_: object) -> None:
        handled.append(time.monotonic_ns())
        if len(handled) == count:
            enough.set()

    await connection.add_listener("bench_commands", heard)
    print(READY, flush=True)
    await enough.wait()
    print(json.dumps(handled))


async def keep(connection: Any, dsn: str, count: int) -> dict[str, Any]:
    """Keep decisions one by one, then many at once, which are JSON already."""
    bodies = [json.dumps(decision(n)) for n in range(BATCH)]
    statement, took = await connection.prepare(_KEEP_SQL), []
    for n in range(count):
        begun = time.perf_counter()
        await statement.fetch(bodies[n % BATCH])
        took.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    for _ in range(batches := max(1, count // ONE_BY_ONE_TO_A_BATCH)):
        await connection.copy_records_to_table(
            "bench_decisions", schema_name="public", records=[(body,) for body in bodies], columns=["body"]
        )
    rows_per_s = BATCH * batches / (time.perf_counter() - begun)
    return {"one": percentiles_ms(took), "rows_per_s": rows_per_s}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
