"""The disk of a running `agentic up` fills: deployments wait, with a reason, and go on when there is room again."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from supervisor.children import Tree
from supervisor.client import Connection
from supervisor.run_folder import run_folder
from tests.integration.actors.fleet import until
from tests.integration.cli.many import faults_of, statuses
from tests.integration.cli.test_up import started
from tests.integration.cli.test_up_without_database import PACES, looking_at, made, readiness, until_written
from tests.integration.db.client import end_server

PAGE = bytes(4096)


@pytest.fixture
def small_home() -> Iterator[Path]:
    """A home on a disk of its own."""
    home = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(home)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        home.rmdir()
        pytest.skip("a disk of one's own takes root, and a machine where root may mount")
    yield home
    end_server(home)
    subprocess.run(["umount", "--lazy", str(home)], check=True)
    home.rmdir()


@contextmanager
def full(home: Path) -> Iterator[None]:
    """While this lasts there is no room on the disk of a home."""
    filler = home / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(PAGE)
    try:
        yield
    finally:
        filler.unlink()


async def until_all_wait(home: Path) -> list[str]:
    """Wait until every engine waits to be started again; give what is told of them."""
    found: list[str] = []

    async def do_wait() -> bool:
        with Connection(run_folder(home) / "web.sock") as asked:
            found[:] = [line for line in asked.ask("tree", Tree).problems if line.startswith("engine:")]
        return len(found) == len(PACES)

    await until(do_wait)
    return found


async def test_deployments_wait_for_room(small_home: Path) -> None:
    """No ledger is harmed, whoever looks is told why, and they go on by themselves."""
    deployments = await made(small_home)
    with started(small_home, "--group", "web,deployments", "--no-demo") as (process, said):
        await until_written(small_home, 20)
        with full(small_home):
            waiting = await until_all_wait(small_home)
            meanwhile = readiness(said["url"])

        async def are_over() -> bool:
            async with looking_at(small_home) as admin:
                return (await statuses(admin))["stopped"] == len(PACES)

        await until(are_over)
        again = readiness(said["url"])
        async with looking_at(small_home) as admin:
            faults = await faults_of(admin, deployments)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate()

    reason = "DiskFull: the database's disk is full and nothing was written; free some space and try again"
    assert all(reason in line for line in [*waiting, log])
    assert meanwhile == (503, ["The database's disk is full; free some space."])
    assert again == (200, [])
    assert faults == []
    assert process.returncode == 0
