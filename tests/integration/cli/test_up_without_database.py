"""The database is killed under a running `agentic up`: it says so, has it back, and deployments go on by themselves."""

import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg

from db.boot import EMBEDDED_DATABASE, prepare
from db.connection import Connection, prepare_connection
from db.postgres_files import files_of
from tests.integration.actors.fleet import until
from tests.integration.cli.many import DAYS, asked_for, entries_in_all, faults_of, statuses
from tests.integration.cli.test_up import get, started
from tests.integration.db.client import server_processes

PACES = ("120000", "180000")


@asynccontextmanager
async def looking_at(home: Path) -> AsyncIterator[Connection]:
    """The administrator's connection to a home's server, which starts nothing by itself."""
    host = quote(str(files_of(home).sockets), safe="/")
    connection = await asyncpg.connect(f"postgresql://postgres@/{EMBEDDED_DATABASE}?host={host}&port=5432")
    try:
        await prepare_connection(connection)
        yield connection
    finally:
        await connection.close(timeout=5)


async def made(home: Path) -> list[UUID]:
    """A home with two deployments that nobody carries out yet, and no server that runs."""
    prepared = await prepare(home, durable=False)
    deployments = await asked_for(prepared.database, prepared.owner_id, [DAYS.format(pace) for pace in PACES])
    await prepared.close()
    return deployments


def kill_server(home: Path) -> None:
    """Kill the server and all its sessions, at once."""
    for pid in server_processes(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def kept_down(home: Path) -> Iterator[None]:
    """Let nobody start the server."""
    lock = os.open(files_of(home).start_lock, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def readiness(url: str) -> tuple[int, Any]:
    """What those are told who watch over the process."""
    answer = get(f"{url}/readyz")
    return answer.status, json.loads(answer.read())["problems"]


async def until_written(home: Path, entries: int) -> None:
    """Wait until the journals have so many entries."""

    async def are_there() -> bool:
        with suppress(OSError, asyncpg.PostgresError):
            async with looking_at(home) as admin:
                return await entries_in_all(admin) >= entries
        return False

    await until(are_there)


async def test_deployments_outlive_their_database(tmp_path: Path) -> None:
    """Killed twice with all its sessions, once for longer; nothing is doubled, and nobody has to do anything."""
    home = tmp_path / "home"
    deployments = await made(home)
    with started(home, "--group", "web,deployments", "--no-demo") as (process, said):
        await until_written(home, 20)
        kill_server(home)
        await until_written(home, 40)
        with kept_down(home):
            kill_server(home)
            without = readiness(said["url"])
        await until_written(home, 50)

        async def is_over() -> bool:
            async with looking_at(home) as admin:
                return (await statuses(admin))["stopped"] == len(PACES)

        await until(is_over)
        again = readiness(said["url"])
        async with looking_at(home) as admin:
            faults = await faults_of(admin, deployments)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate()

    assert without[0] == 503
    assert "database" in without[1][0]
    assert again == (200, [])
    assert faults == []
    assert process.returncode == 0
    assert log.count("listening to the database again") == 2
