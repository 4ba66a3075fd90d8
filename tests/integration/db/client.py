"""A process that uses a home's embedded server, told line by line what to do.

Started as `python -m tests.integration.db.client HOME DURABLE [UID]`: whether the server syncs to the disk, and
which user to become first. Every line of its input is answered with one line: `ensure` revives the server,
anything else is SQL. At the end of its input it lets go of the server and ends.
"""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from db.embedded import Attached, attach
from db.errors import DatabaseError
from db.postgres_files import files_of

ROOT = Path(__file__).parents[3]


class Client:
    """Such a process, held by its pipes. Leaving the block kills it if it is still there."""

    def __init__(self, home: Path, uid: int | None = None, *, durable: bool = False, **options: Any) -> None:
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(home), str(durable)]
        command += [] if uid is None else [str(uid)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )

    def answer(self) -> str:
        """Wait for the next line that the process says."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, line: str) -> str:
        """Give the process something to do and wait for what it says."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def kill(self) -> None:
        """End the process as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()

    def leave(self) -> int:
        """Let the process end by itself, and give its exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.process.poll() is None:
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


def server_pid(home: Path) -> int | None:
    """The process number of a home's server, by its own file."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return int(files_of(home).pid_file.read_text().split()[0])
    return None


def end_server(home: Path) -> None:
    """Kill a home's server, whoever started it."""
    pid = server_pid(home)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def server_processes(home: Path) -> dict[int, str]:
    """The processes of a home's server that are alive, with or without their server, and their titles."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            title = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if title and (process / "cwd").readlink() == files_of(home).data:
                found[int(process.name)] = title
    return found


def _become(uid: int) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def _run(server: Attached, line: str) -> str:
    if line == "ensure":
        server.ensure_running()
        return "running"
    return asyncio.run(_query(server, line))


async def _query(server: Attached, sql: str) -> str:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        return str(await connection.fetchval(sql))
    finally:
        await connection.close()


def _main() -> None:
    home, durable, *uid = sys.argv[1:]
    if uid:
        asyncio.run(asyncio.sleep(0))  # what a loop needs is imported while it can be read
        _become(int(uid[0]))
    try:
        with attach(Path(home), durable=durable == "True") as server:
            print("attached", flush=True)
            for line in sys.stdin:
                print(_run(server, line.strip()), flush=True)
    except DatabaseError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    _main()
