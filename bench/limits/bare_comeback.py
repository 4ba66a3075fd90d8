"""The limit of a comeback: a new process that stores a durable row for each of some. `bare_comeback.py DSN COUNT`."""

import asyncio
import sys

import asyncpg


async def store(dsn: str, count: int) -> None:
    """Store them one by one, each waited for until it is on the disk."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table bare_comeback (id int primary key, body text)")
    for number in range(count):
        await connection.execute("insert into bare_comeback values ($1, $2)", number, "back")
    await connection.execute("drop table bare_comeback")
    await connection.close()


asyncio.run(store(sys.argv[1], int(sys.argv[2])))
