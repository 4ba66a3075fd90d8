"""How soon a control socket answers while children misbehave: `python -m bench.reach agentic|bare`. Prints seconds.

A process of its own is asked for its tree 200 times, and the slowest answer counts. In it a hundred actors tick, one
child computes without end in a worker process, and another never returns from its handler. Without the rest, *bare* is
a socket that sends back what it is sent.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from actors.kernel import Actor, Message, WallTime, handles
from supervisor.children import ActorChild, Service
from supervisor.control_socket import serving
from supervisor.logbook import Logbook
from supervisor.operations import Operations
from supervisor.redaction import Redactor
from supervisor.signals import stop_signals
from supervisor.supervisor import Identity, Supervisor

ASKS, TICKERS, TICK_MS = 200, 100, 100
REQUEST = b'{"id": 1, "op": "tree"}\n'


class Tick(Message["Busy"], frozen=True):
    """Do a little."""


class Hang(Message["Busy"], frozen=True):
    """Never return."""


class Busy(Actor):
    """An actor that ticks, and can be made to hang."""

    async def started(self) -> None:
        self.every(TICK_MS, Tick())

    @handles(Tick)
    async def tick(self, message: Tick) -> None:
        sum(range(1_000))

    @handles(Hang)
    async def hang(self, message: Hang) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def computing() -> AsyncIterator[None]:
    """A worker process that computes without end."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


async def serve_ours(path: Path) -> None:
    """Serve a supervisor whose children misbehave, until told to stop."""
    identity = Identity(owner="bench", host="bench", pid=os.getpid(), groups=["bench"], started_ts=0)
    keeper = Supervisor(identity, WallTime(), lambda: 0.0)
    with stop_signals() as stop:
        operations = Operations(keeper, Logbook(Redactor(), "text", sys.stderr.write), stop.set)
        await _misbehave(keeper, operations, path, stop)


async def _misbehave(keeper: Supervisor, operations: Operations, path: Path, stop: asyncio.Event) -> None:
    with serving(path, operations.answer, operations.watch.watch):
        async with keeper.keeping([Service(name="computing", group="bench", make=computing)], stop):
            for number in range(TICKERS):
                keeper.spawn(ActorChild(name=f"busy:{number}", group="bench", make=Busy))
            hung = keeper.spawn(ActorChild(name="hung", group="bench", make=Busy, stop_s=0.1))
            hung.tell(Hang())
            print("up", flush=True)
            await stop.wait()


async def serve_bare(path: Path) -> None:
    """Send back what is sent."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()

    async with await asyncio.start_unix_server(echo, str(path)):
        print("up", flush=True)
        await asyncio.Event().wait()


def slowest_s(path: Path) -> float:
    """Ask again and again; give the seconds of the slowest answer."""
    took = []
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(path))
        answers = connected.makefile("rb")
        for _ in range(ASKS):
            begun = time.perf_counter()
            connected.sendall(REQUEST)
            assert answers.readline().startswith(b'{"id"')
            took.append(time.perf_counter() - begun)
    return max(took)


def measured_s(side: str) -> float:
    """Start a side in a process of its own, and ask it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sock"
        command = [sys.executable, "-m", "bench.reach", side, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout
                assert process.stdout.readline() == b"up\n"
                return slowest_s(path)
            finally:
                process.terminate()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(measured_s(sys.argv[1]))
    else:
        sides = {"agentic": serve_ours, "bare": serve_bare}
        asyncio.run(sides[sys.argv[1]](Path(sys.argv[2])))
