"""One life: deployments carried out by one process after another while a plan goes wrong, until all is quiet."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from uuid import UUID, uuid4

from actors.deployment_messages import Ordered
from actors.kernel import MailboxFull
from actors.messages import Beat
from db import commands
from db.errors import DatabaseError
from db.pool import Database
from db.skills import VersionRow
from domain.caps import Caps
from domain.deployments import CommandKind
from domain.time import SECOND_MS
from skills import skill_md
from tests.chaos.database import lost
from tests.chaos.plans import Asked, Fault, Kind, Plan
from tests.chaos.process import Process
from tests.integration.actors.fleet import deploy, row_of
from tests.integration.simulator.samples import T0

SKILL = """\
---
name: {name}
description: Lives through a lot
model: baseline:{trader}
model_params: {params}
schedule: {every}
market: {{symbols: [BTC], interval: {every}, bars: 20}}
tools: [get_bars, get_portfolio, propose_order, set_protection, cancel_order, close_position]
risk: {{max_leverage: 5, allow_short: true, daily_loss_pct: {loss}, max_drawdown_pct: 95, halt_lifts: by_hand}}
on_stop: {on_stop}
---
You trade.
"""
PARAMS = {
    "random": "{size: 0.05}",
    "sma-cross": "{fast: 1, slow: 3, size: 0.1}",
    "buy-and-hold": "{}",
}
CASH = Decimal(10_000)
QUIET_S = 45
"""How long all must be left alone at the end, for what is on its way to come to its end."""
GIVING_UP_S = 240
"""Longer than the supervisor tries to start what can't be started."""


class One:
    """A deployment of the plan."""

    def __init__(self, asked: Asked, version: VersionRow, deployment_id: UUID) -> None:
        self.asked, self.version, self.id = asked, version, deployment_id
        self.caps: Caps = skill_md.read(version.body, where="here").caps
        self.is_hit = False
        """Whether something went wrong for it alone, so that it may end otherwise than it would have."""
        self.is_doomed = False
        self.storm = 0
        """How many of its next starts fail."""


class World:
    """`real` is the database as it is, for whoever looks on and for people."""

    def __init__(self, real: Database, owner: UUID, plan: Plan) -> None:
        self.real, self.owner, self.plan = real, owner, plan
        self.now_ms = T0 + 20 * SECOND_MS
        self.deployments: list[One] = []
        self.sent: list[UUID] = []
        self.processes: list[Process] = []
        self.gone: set[str] = set()
        self.starts = 0
        self.points = 0
        self.seconds = 0
        self.struck: list[str] = []
        self._later: list[tuple[int, Callable[[], Awaitable[None]]]] = []

    # What there is.

    async def prepare(self, version_of: Callable[[Asked], Awaitable[VersionRow]]) -> None:
        """Ask for the deployments, and start the first process."""
        for asked in self.plan.deployments:
            version = await version_of(asked)
            self.deployments.append(
                One(asked, version, await deploy(self.real, self.owner, version, asked.feed, cash=CASH))
            )
        await self.start()

    async def start(self) -> Process:
        """Start another process."""
        self.starts += 1
        process = Process(self.real, f"process {self.starts} of {self.plan.seed}", self.now_ms)
        self.processes.append(process)
        await process.start()
        return process

    @property
    def process(self) -> Process:
        """The process that was started first of those that live."""
        return self.processes[0]

    # How time passes.

    async def live(self) -> None:
        """Let the plan come to pass, and then everything come to rest."""
        faults = list(self.plan.faults)
        for second in range(self.plan.lasts_s):
            self.seconds = second
            while faults and faults[0].at_s <= second:
                await self._apply(faults.pop(0), second)
            await self._do_later(second)
            await self.second()
        for process in self.processes:
            process.database.strike = lambda number, kind: None  # what has not come to pass by now never does
        await self._do_later(None)
        for _ in range(QUIET_S):
            await self.second()
        for _ in range(GIVING_UP_S):
            if await self._all_are_answered():
                break
            await self.second()

    async def _all_are_answered(self) -> bool:
        """Whether nobody waits for a command's end. One to a deployment that can't start waits until it is given up."""
        async with self.real.as_worker() as connection:
            found = [await commands.load_command(connection, one) for one in self.sent]
        return all(one is not None and one.is_over for one in found)

    async def second(self) -> None:
        """Let a second pass for everybody."""
        self.now_ms += SECOND_MS
        for process in list(self.processes):
            await process.second()
            if process.database.is_gone:
                await self._bury(process)
        if not self.processes:
            await self.start()

    async def _do_later(self, second: int | None) -> None:
        while due := [one for one in self._later if second is None or one[0] <= second]:
            self._later = [one for one in self._later if one not in due]
            for _, work in due:
                await work()

    async def _bury(self, process: Process) -> None:
        self.points += process.database.points
        self.gone.add(process.name)
        self.processes.remove(process)
        await process.kill()

    async def end(self) -> None:
        """End all processes, in order."""
        for process in list(self.processes):
            self.processes.remove(process)
            self.points += process.database.points
            await process.end()

    # What goes wrong.

    async def _apply(self, fault: Fault, second: int) -> None:
        one = self.deployments[fault.who]
        self.struck.append(str(fault))
        if not self.processes:
            await self.start()
        await _APPLY[fault.kind](self, fault, one, second)

    def _at_point(self, fault: Fault, strike: Callable[[Process], None]) -> None:
        """Strike at the point after so many from now, or from the next intent that is written down."""
        process, database = self.process, self.process.database
        intents, begun = database.intents, None if fault.of_an_intent else database.points

        def at(number: int, kind: str) -> None:
            nonlocal begun
            if begun is None and database.intents > intents:
                begun = number
            if begun is not None and number > begun + fault.points:
                database.strike = lambda number, kind: None
                self.struck.append(f"        at point {number} ({kind}) of {process.name}")
                strike(process)

        database.strike = at

    async def _kill(self, fault: Fault, one: One, second: int) -> None:
        self._at_point(fault, lambda process: process.database.kill())

    async def _kill_now(self, fault: Fault, one: One, second: int) -> None:
        await self._bury(self.process)

    async def _stop(self, fault: Fault, one: One, second: int) -> None:
        process = self.processes.pop(0)
        self.gone.add(process.name)
        await process.end()

    async def _second(self, fault: Fault, one: One, second: int) -> None:
        process = await self.start()

        async def over() -> None:
            if process in self.processes and len(self.processes) > 1:
                await self._bury(process)

        self._later.append((second + fault.lasts_s, over))

    async def _pause(self, fault: Fault, one: One, second: int) -> None:
        def stand_still(process: Process) -> None:
            process.is_paused = True
            process.database.open.clear()
            self._later.append((0, lambda: self._take_over(process, fault.lasts_s)))

        self._at_point(fault, stand_still)

    async def _take_over(self, process: Process, lasts_s: int) -> None:
        await self._expire(process.name)
        await self.start()

        async def go_on() -> None:
            process.is_paused = False
            process.database.open.set()
            await process.time.jump(self.now_ms - process.time.now_ms())

        self._later.append((self.seconds + lasts_s, go_on))

    async def _expire(self, name: str) -> None:
        """Have the leases of a process come to their end."""
        async with self.real.as_worker() as connection:
            await connection.execute(
                "update account_leases set expires_at = clock_timestamp() - interval '1 s' where owner = $1",
                name,
            )

    async def _away(self, fault: Fault, one: One, second: int) -> None:
        await self._for_a_while(fault, second, "is_away")

    async def _full(self, fault: Fault, one: One, second: int) -> None:
        await self._for_a_while(fault, second, "is_full")

    async def _for_a_while(self, fault: Fault, second: int, what: str) -> None:
        process = self.process
        setattr(process.database, what, True)

        async def over() -> None:
            setattr(process.database, what, False)

        self._later.append((second + fault.lasts_s, over))

    async def _cut(self, fault: Fault, one: One, second: int) -> None:
        def strike(process: Process) -> None:
            raise lost()

        self._at_point(fault, strike)

    async def _forward(self, fault: Fault, one: One, second: int) -> None:
        await self.process.time.jump(fault.lasts_s * 60 * SECOND_MS)

    async def _back(self, fault: Fault, one: One, second: int) -> None:
        await self.process.time.jump(-fault.lasts_s * 60 * SECOND_MS)

    async def _crash(self, fault: Fault, one: One, second: int) -> None:
        def strike(process: Process) -> None:
            raise RuntimeError("a fault of the program's own")

        self._at_point(fault, strike)

    async def _storm(self, fault: Fault, one: One, second: int) -> None:
        one.is_hit, one.storm = True, fault.points % 12
        self._restart(one, "engine", "deployment")

    def _restart(self, one: One, *kinds: str) -> None:
        for kind in kinds:
            if (ref := self.process.find(kind, one.id)) is not None:
                self.process.supervisor.system.restart(ref)

    async def _hang(self, fault: Fault, one: One, second: int) -> None:
        process = self.process

        def strike(_: Process) -> None:
            process.database.hangs = True

        self._at_point(fault, strike)

        async def over() -> None:
            if process in self.processes:
                await self._bury(process)

        self._later.append((second + fault.lasts_s, over))

    async def _doomed(self, fault: Fault, one: One, second: int) -> None:
        one.is_hit = one.is_doomed = True
        self._restart(one, "deployment")

    async def _flood(self, fault: Fault, one: One, second: int) -> None:
        one.is_hit = True
        for kind, message in (("engine", Beat()), ("deployment", Ordered(uuid4()))):
            if (ref := self.process.find(kind, one.id)) is not None:
                try:
                    for _ in range(2_000):
                        ref.tell(message)
                except MailboxFull:
                    pass

    async def _silence(self, fault: Fault, one: One, second: int) -> None:
        process = self.process
        feeds = [name for name in process.supervisor.names("deployments") if name.startswith("feed:")]
        for name in feeds:
            await process.supervisor.stop(name)
        self._later.append((second + fault.lasts_s, lambda: self._bury_if_alive(process)))

    async def _bury_if_alive(self, process: Process) -> None:
        if process in self.processes:
            await self._bury(process)

    # What people do.

    async def _command(self, fault: Fault, one: One, second: int) -> None:
        await self._tell(one, fault.what, wakes=True)

    async def _twice(self, fault: Fault, one: One, second: int) -> None:
        command_id = await self._tell(one, fault.what, wakes=True)
        if command_id is not None:
            await self.second()
            await self._tell(one, fault.what, wakes=True, command_id=command_id)

    async def _lost(self, fault: Fault, one: One, second: int) -> None:
        await self._tell(one, fault.what, wakes=False)

    async def _lift(self, fault: Fault, one: One, second: int) -> None:
        await self._tell(one, "reset_halt", wakes=True)

    async def _tell(self, one: One, what: str, *, wakes: bool, command_id: UUID | None = None) -> UUID | None:
        if (await row_of(self.real, one.id)).status.is_over:
            return None
        args = {"close": {"symbol": "BTC"}, "cancel": {"order": 1}}.get(what, {})
        try:
            async with self.real.as_user(self.owner) as connection:
                sent = await commands.send_command(
                    connection, self.owner, one.id, CommandKind(what), args, command_id=command_id
                )
        except DatabaseError:
            return None
        self.sent.append(sent.id)
        if wakes:
            for process in self.processes:
                process.listening.notify(commands.CHANNEL, str(one.id))
        return sent.id


_APPLY: Mapping[Kind, Callable[[World, Fault, One, int], Awaitable[None]]] = {
    Kind.KILL: World._kill,
    Kind.KILL_NOW: World._kill_now,
    Kind.STOP: World._stop,
    Kind.SECOND: World._second,
    Kind.PAUSE: World._pause,
    Kind.AWAY: World._away,
    Kind.FULL: World._full,
    Kind.CUT: World._cut,
    Kind.FORWARD: World._forward,
    Kind.BACK: World._back,
    Kind.CRASH: World._crash,
    Kind.STORM: World._storm,
    Kind.HANG: World._hang,
    Kind.DOOMED: World._doomed,
    Kind.FLOOD: World._flood,
    Kind.SILENCE: World._silence,
    Kind.COMMAND: World._command,
    Kind.TWICE: World._twice,
    Kind.LOST: World._lost,
    Kind.LIFT: World._lift,
}
