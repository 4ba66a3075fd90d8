"""From nothing to an open database: embedded or one's own, and back after the server died."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from db.boot import Prepared, prepare
from db.connection import Connection
from db.embedded import attach
from db.errors import DatabaseError, DiskFull, LostConnection, NewerSchema, Unavailable
from db.market import copy_in_bars, load_bars
from db.people import OWNER_EMAIL
from db.postgres_files import files_of
from db.postgres_probe import answers, wait_until
from domain.time import HOUR_MS
from tests.integration.db.client import end_server, server_processes
from tests.integration.db.samples import T0
from tests.integration.db.test_tape import bars


async def count_bars(prepared: Prepared) -> int:
    async with prepared.database.as_worker() as connection:
        return len(await load_bars(connection, "BTC", HOUR_MS))


async def import_bars(connection: Connection) -> None:
    await copy_in_bars(connection, "BTC", HOUR_MS, bars({0: 1.0, 1: 2.0}), source="t", revised_at=T0)


def lose_server(home: Path) -> None:
    """Kill the server and wait for its sessions to end, without a turn for the loop."""
    end_server(home)
    assert wait_until(lambda: not server_processes(home), 10)


async def owners_email(prepared: Prepared) -> str:
    async with prepared.admin() as admin:
        email: str = await admin.fetchval("select email from auth.users where id = $1", prepared.owner_id)
    return email


async def test_a_new_home_becomes_a_database_with_its_owner(home: Path) -> None:
    """Two first starts at once agree on everything; the last to close stops the server."""
    first, second = await asyncio.gather(prepare(home, durable=False), prepare(home, durable=False))
    assert first.owner_id == second.owner_id
    assert await owners_email(first) == OWNER_EMAIL
    async with first.database.as_worker() as connection:
        await import_bars(connection)
    assert await count_bars(second) == 2
    await first.close()
    assert await count_bars(second) == 2
    await second.close()
    assert not answers(files_of(home).socket)
    again = await prepare(home, durable=False)
    assert (again.owner_id, await count_bars(again)) == (first.owner_id, 2)
    await again.close()


async def test_a_server_killed_in_the_middle_leaves_nothing_half_written(home: Path) -> None:
    """The transaction is lost in one clear line; the next one has the server back, with what was committed."""
    prepared = await prepare(home, durable=False)

    async def import_and_lose() -> None:
        async with prepared.database.as_worker() as connection:
            await import_bars(connection)
            lose_server(home)
            await connection.execute("select 1")

    with pytest.raises(LostConnection) as lost:
        await import_and_lose()
    assert "\n" not in str(lost.value)
    assert "what was not committed was undone" in str(lost.value)
    assert await count_bars(prepared) == 0
    async with prepared.database.as_worker() as connection:
        await import_bars(connection)
    assert await count_bars(prepared) == 2
    await prepared.close()


async def test_a_server_that_died_unnoticed_is_back_for_the_next_transaction(home: Path) -> None:
    """While the program was busy with other things; nothing was under way, so nothing is lost."""
    prepared = await prepare(home, durable=False)
    for _ in range(2):
        lose_server(home)
        assert await count_bars(prepared) == 0
    await prepared.close()


@pytest.fixture
def small_home(home: Path) -> Iterator[Path]:
    """A home on a disk of its own that a larger import fills."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(home)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of one's own takes root, and a machine where root may mount")
    yield home
    end_server(home)
    subprocess.run(["umount", "--lazy", str(home)], check=True)


async def test_a_full_disk_is_told_and_leaves_nothing_half_written(small_home: Path) -> None:
    """In one line that says what to do, also where the server went down over it; with room again all is well."""
    prepared = await prepare(small_home, durable=False)
    rows = bars(dict.fromkeys(range(50000), 1.0))

    async def import_until_it_is_full() -> None:
        for number in range(40):
            async with prepared.database.as_worker() as connection:
                await copy_in_bars(connection, f"S{number}", HOUR_MS, rows, source="t", revised_at=T0)

    with pytest.raises(DiskFull, match="free some space and try again") as full:
        await import_until_it_is_full()
    assert "\n" not in str(full.value)
    subprocess.run(["mount", "-o", "remount,size=900m", str(small_home)], check=True)
    async with prepared.database.as_worker() as connection:
        counts = await connection.fetch("select count(*) as rows from bars group by symbol")
    assert all(row["rows"] == len(rows) for row in counts)
    await prepared.close()


async def test_ones_own_server_is_used_as_it_is(empty_database_url: str, tmp_path: Path) -> None:
    """Nothing is kept at home, the schema is brought up once, and closing leaves the server alone."""
    prepared = await prepare(tmp_path, empty_database_url)
    again = await prepare(tmp_path, empty_database_url)
    assert again.owner_id == prepared.owner_id
    await prepared.close()
    await again.close()
    assert list(tmp_path.iterdir()) == []
    await (await asyncpg.connect(empty_database_url)).close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql:///nowhere?host=/tmp/no-such-folder", "no database answers"),
        ("postgresql://postgres@127.0.0.1:1/x", "no database answers"),
        ("postgresql://postgres@[/x", "is not the address of a database"),
        ("nonsense", "is not the address of a database"),
        ("mysql://root@localhost/x", "is not the address of a database"),
        ("postgresql://me:secret/word@host:5432/x", "is not the address of a database"),
    ],
)
async def test_a_database_that_is_not_there_is_told_in_one_line(tmp_path: Path, url: str, said: str) -> None:
    """Whatever stands in DATABASE_URL."""
    with pytest.raises(DatabaseError) as failed:
        await prepare(tmp_path, url)
    assert "\n" not in str(failed.value)
    assert said in str(failed.value)
    assert "DATABASE_URL" in str(failed.value)
    assert "secret" not in str(failed.value)


async def test_a_database_of_another_name_is_not_made_on_ones_own_server(
    empty_database_url: str, tmp_path: Path
) -> None:
    """It is named, and left to its owner."""
    url = empty_database_url.replace("/t_", "/u_")
    with pytest.raises(Unavailable, match="named in DATABASE_URL does not exist; create it first"):
        await prepare(tmp_path, url)


async def test_a_newer_database_is_refused_before_anything_else(
    empty_database_url: str, tmp_path: Path
) -> None:
    """The first look finds it."""
    await (await prepare(tmp_path, empty_database_url)).close()
    admin = await asyncpg.connect(empty_database_url)
    await admin.execute("insert into supabase_migrations.schema_migrations values ('29990101000000')")
    await admin.close()
    with pytest.raises(NewerSchema, match="it has migration 29990101000000"):
        await prepare(tmp_path, empty_database_url)


async def test_a_server_with_passwords_gets_one_for_the_programs_login(home: Path) -> None:
    """Derived from the administrator's, set at the first start, and again when the administrator's changed."""
    with attach(home, durable=False) as server:
        admin = await asyncpg.connect(server.dsn("postgres"))
        await admin.execute("create database mine")
        hba = files_of(home).data / "pg_hba.conf"
        hba.write_text("local postgres postgres trust\nlocal all all scram-sha-256\n")
        await admin.execute("select pg_reload_conf()")

        def url(password: str) -> str:
            sockets = quote(str(files_of(home).sockets), safe="/")
            return f"postgresql://postgres:{password}@/mine?host={sockets}"

        for password in ("first", "first", "second with @ and :"):
            await admin.execute(f"alter role postgres password '{password}'")
            prepared = await prepare(home, url(quote(password)))
            assert await count_bars(prepared) == 0
            await prepared.close()
        with pytest.raises(
            Unavailable, match="the database refused the login; look at the user and password"
        ):
            await prepare(home, url("wrong"))
        at_once = await asyncio.gather(*(prepare(home, url(quote(password))) for _ in range(4)))
        await admin.execute("alter role agentic_app password 'lost'")
        at_once += await asyncio.gather(*(prepare(home, url(quote(password))) for _ in range(4)))
        for prepared in at_once:
            await prepared.close()
        await admin.close()
