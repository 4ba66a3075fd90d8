"""`agentic logs`: what the processes that are up have logged lately, and what they log from now on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from cli.output import AsJson, plain_errors, print_json, printable, run, say
from cli.running import NOTHING_RUNS, Running, running_here, shared_database, trees_elsewhere
from config.settings import Settings, load_settings
from control.errors import Refused
from supervisor.client import Connection, Unreachable
from supervisor.logbook import Event, json_line, text_line
from supervisor.operations import MOST_TAIL, Tail

if TYPE_CHECKING:
    from db.pool import Database

app = typer.Typer()

FOLLOW_EVERY_S = 0.3

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A child, or what its name begins with: `engine` for all engines."),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=1, max=MOST_TAIL, help="How many of the latest.")]


class Source(Protocol):
    """One process, as far as its log goes."""

    async def read(self, name: str | None, most: int) -> list[Event]:
        """Give the newest events since the last time, oldest first. Raises Unreachable when it has ended."""


@app.command()
def logs(name: Name = None, follow: Follow = False, lines: Lines = 200, as_json: AsJson = False) -> None:
    """Show what was logged lately, of one child or of all. With --follow and --json, a JSON object a line."""

    async def work() -> None:
        settings = load_settings()
        with running_here(settings) as running:
            for line in running.silent:
                say(line)
            async with _sources(settings, running) as sources:
                if not sources:
                    raise Refused(NOTHING_RUNS)
                await _show(sources, name, lines, follow=follow, as_json=as_json)

    with plain_errors():
        run(work())


async def _show(sources: list[Source], name: str | None, lines: int, *, follow: bool, as_json: bool) -> None:
    events = (await _read(sources, name, lines))[-lines:]
    if as_json and not follow:
        print_json([json.loads(json_line(event)) for event in events])
        return
    write = json_line if as_json else text_line
    while True:
        for event in events:
            print(printable(write(event)), flush=True)
        if not follow:
            return
        if not sources:
            say("What was followed has ended.")
            return
        await asyncio.sleep(FOLLOW_EVERY_S)
        events = await _read(sources, name, MOST_TAIL)


async def _read(sources: list[Source], name: str | None, most: int) -> list[Event]:
    """Read every source, in the order of time; take those off the list that have ended."""
    found = list[Event]()
    for source in sources[:]:
        try:
            found += await source.read(name, most)
        except Unreachable:
            sources.remove(source)
    return sorted(found, key=lambda event: event.ts)


@asynccontextmanager
async def _sources(settings: Settings, running: Running) -> AsyncIterator[list[Source]]:
    async with shared_database(settings) as database:
        here: list[Source] = [_Socket(one.connection) for one in running.here]
        elsewhere = await trees_elsewhere(database, running.here)
        yield here + [_Table(database, process.owner) for process in elsewhere if database]


class _Socket:
    """A process of this home, asked through its socket."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._last = connection, 0

    async def read(self, name: str | None, most: int) -> list[Event]:
        ask = partial(self._connection.ask, "tail", Tail, name=name, after=self._last, most=most)
        tail = await asyncio.to_thread(ask)
        self._last = tail.last
        return tail.events


class _Table:
    """A process elsewhere, by what it wrote into the database."""

    def __init__(self, database: "Database", owner: str) -> None:
        self._database, self._owner, self._last = database, owner, 0

    async def read(self, name: str | None, most: int) -> list[Event]:
        from db.program_logs import tail_program_logs
        from supervisor.showing import event_of

        async with self._database.as_worker() as connection:
            kept = await tail_program_logs(connection, self._owner, after_id=self._last, limit=most)
        self._last = kept[-1].id if kept else self._last
        events = [event_of(one.id, one.row) for one in kept]
        return [event for event in events if event.is_of(name)]
