"""One process of the program, wired as `agentic up` wires it, on time that is moved and a database that can strike."""

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from actors.kernel import ManualTime
from cli.groups.deployments import children
from db.pool import Database
from domain.notices import NoNotices
from domain.time import SECOND_MS
from supervisor.supervisor import Identity, Supervisor
from tests.chaos.database import Struck
from tests.standins.provider import NO_MODELS

MOST_TURNS = 3_000


class Listening:
    """The database's notifications, as far as a test passes them on."""

    def __init__(self) -> None:
        self._told: dict[str, Callable[[str | None], None]] = {}

    def on(self, channel: str, told: Callable[[str | None], None]) -> None:
        self._told[channel] = told

    def notify(self, channel: str, payload: str | None) -> None:
        self._told[channel](payload)


class Process:
    """`name` is what it owns accounts by."""

    def __init__(self, real: Database, name: str, now_ms: int) -> None:
        self.name = name
        self.time = ManualTime(now_ms)
        self.database = Struck(real)
        self.listening = Listening()
        identity = Identity(owner=name, host="here", pid=1, groups=["deployments"], started_ts=now_ms)
        self.supervisor = Supervisor(identity, self.time, Random(name).random)
        self._home: Any = SimpleNamespace(
            database=self.database,
            clock=self.time,
            listener=self.listening,
            notices=NoNotices(),
            provider=NO_MODELS,
        )
        self.is_paused = False

    async def start(self) -> None:
        """Begin to carry out what there is."""
        await self.supervisor.start(children(self._home, self.supervisor))

    async def second(self) -> None:
        """Let a second pass, and what is due in it be done."""
        if not self.is_paused:
            await self.time.advance(SECOND_MS)
            await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is going on, or only what never ends."""
        quiet, seen = 0, -1
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            points = self.database.points
            is_quiet = points == seen and not self.database.busy
            quiet, seen = quiet + 1 if is_quiet else 0, points
            if quiet > 20:
                return
            if self.database.busy:
                await asyncio.sleep(0.0005)

    def find(self, kind: str, deployment_id: UUID) -> Any:
        """The actor of this kind of a deployment, or None."""
        end = str(deployment_id)[-12:]
        for stats in self.supervisor.system.stats():
            if stats.name.startswith(f"{kind}:") and stats.name.endswith(end):
                return self.supervisor.find(stats.name)
        return None

    async def kill(self) -> None:
        """Nothing that it does from now on lasts."""
        self.database.kill()
        await self._away()

    async def end(self) -> None:
        """End in order."""
        self.database.open.set()
        self.database.cut.set()
        await self._away()

    async def _away(self) -> None:
        ending = asyncio.ensure_future(self.supervisor.shutdown())
        for _ in range(120):
            await self.time.advance(SECOND_MS)
            await asyncio.wait({ending}, timeout=0.002)
            if ending.done():
                break
        await ending
        self.database.kill()
        await self.database.let_go()
