"""A process whose children misbehave, reached as `agentic up` is: `python -m …cli.misbehaving HOME HOW`.

One child computes without end in a worker process, one in a thread, and one never returns from its handler. With a HOW
of `loop` yet another computes without end in the main thread. Prints a line when all of them have begun.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from actors.kernel import Actor, Message, WallTime, handles
from supervisor.children import ActorChild, Service
from supervisor.control_socket import serving
from supervisor.logbook import Logbook, logging_to
from supervisor.operations import Operations
from supervisor.redaction import Redactor
from supervisor.run_folder import claimed, run_folder, socket_path
from supervisor.signals import stop_signals
from supervisor.supervisor import Identity, Supervisor

GROUPS = ["deployments"]


class Misbehave(Message["Hanging | Looping"], frozen=True):
    """Do not come back."""


class Hanging(Actor):
    """Never returns from its handler."""

    @handles(Misbehave)
    async def misbehave(self, message: Misbehave) -> None:
        await asyncio.Event().wait()


class Looping(Actor):
    """Computes in the main thread, so that nothing else has its turn there."""

    @handles(Misbehave)
    async def misbehave(self, message: Misbehave) -> None:
        print("up", flush=True)
        compute()


def compute() -> None:
    """Never end."""
    while True:
        pass


@asynccontextmanager
async def in_a_worker() -> AsyncIterator[None]:
    """A process of its own that computes without end."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


@asynccontextmanager
async def in_a_thread() -> AsyncIterator[None]:
    """A thread that computes without end, and takes its turns of the interpreter from everybody."""
    threading.Thread(target=compute, daemon=True).start()
    yield


async def main(home: Path, how: str) -> None:
    """Misbehave until told to stop."""
    folder = run_folder(home)
    identity = Identity(owner="misbehaving", host="here", pid=os.getpid(), groups=GROUPS, started_ts=0)
    keeper = Supervisor(identity, WallTime(), lambda: 0.0)
    logbook = Logbook(Redactor(), "text", lambda lines: None)
    standing = [
        Service(name="worker", group="deployments", make=in_a_worker),
        Service(name="thread", group="deployments", make=in_a_thread),
    ]
    with claimed(folder, GROUPS), logging_to(logbook, "info"), stop_signals() as stop:
        operations = Operations(keeper, logbook, stop.set)
        with serving(socket_path(folder, GROUPS), operations.answer, operations.watch.watch):
            async with keeper.keeping(standing, stop):
                for child in (Hanging, Looping) if how == "loop" else (Hanging,):
                    name = child.__name__.lower()
                    made = keeper.spawn(ActorChild(name=name, group="deployments", make=child, stop_s=0.1))
                    made.tell(Misbehave())
                await asyncio.sleep(0)
                print("up", flush=True)
                await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
