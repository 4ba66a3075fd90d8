"""`agentic up`: the supervisor with all groups, or with some, until it is told to stop."""

import asyncio
import os
import socket
import sys
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec
import typer

from actors.kernel import WallTime
from cli.boot import House, house
from cli.demo import MARKET, SKILL, ensure_demo
from cli.groups import ALONE, alone, children_of, there_are
from cli.output import AsJson, print_json, printable, run, say
from config.secrets import secrets_of
from config.settings import Settings, load_settings
from control.errors import NotFound
from db.deployments import load_deployment
from domain.ids import token
from domain.time import SystemClock, iso
from simulator.report.words import plural
from supervisor.children import Child, Service, looped
from supervisor.collector import settle
from supervisor.control_socket import serving
from supervisor.logbook import Logbook, logging_to
from supervisor.operations import Operations
from supervisor.owner import new_owner
from supervisor.redaction import Redactor
from supervisor.run_folder import claimed, refuse_if_up, run_folder, socket_path
from supervisor.showing import showing
from supervisor.signals import end_the_rest, stop_signals
from supervisor.supervisor import Identity, Supervisor

if TYPE_CHECKING:
    from cli.groups.web import Page

app = typer.Typer()

_DEMO = (
    f"Made up a market to play with, {MARKET.symbol} from {iso(MARKET.from_ts)[:10]} to {iso(MARKET.to_ts)[:10]}, "
    f"and saved the Skill {SKILL}. Try: agentic sim run {SKILL}"
)

Host = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Where to serve; AGENTIC_WEB_HOST if left out.")
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="AGENTIC_WEB_PORT if left out; 0 takes any that is free.")
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="Run this group only; may be repeated, or a list: web,sim. deployment:ID is one deployment alone.",
    ),
]


class Options(msgspec.Struct, frozen=True):
    """What was asked for on the command line."""

    groups: list[str]
    host: str | None
    port: int | None
    demo: bool
    opens_browser: bool
    as_json: bool


@app.command()
def up(
    group: Groups = None,
    host: Host = None,
    port: Port = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    demo: Annotated[
        bool, typer.Option(help="Make a market up and save a Skill on the very first start.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Start everything and serve the page, until Ctrl-C."""
    run(_work(Options(chosen(group or []), host, port, demo, open_browser, as_json)))


def chosen(named: Sequence[str]) -> list[str]:
    """Give the groups that were named, or all, in the order of their start. An unknown one is wrong usage."""
    names = {name.strip() for one in named for name in one.split(",")}
    known = there_are()
    single = _single(names)
    if unknown := sorted(name for name in names - set(known) if not name.startswith(ALONE)):
        raise typer.BadParameter(
            f"there is no group {unknown[0]!r}; there are {', '.join(known)}, and {ALONE}ID"
        )
    if single and "deployments" in names:
        raise typer.BadParameter(f"deployments runs all there are; name {ALONE}ID without it")
    return [name for name in known if not names or name in names] + single


def _single(names: Iterable[str]) -> list[str]:
    """The groups of one deployment each, written in one way."""
    try:
        return [f"{ALONE}{one}" for one in sorted(alone(names))]
    except ValueError:
        raise typer.BadParameter(
            f"{ALONE}ID takes a deployment's whole id; `agentic deployments --json` shows it"
        ) from None


async def _work(options: Options) -> None:
    """Run to the end. What can't be ended then is left behind, as the process would wait for it for ever."""
    try:
        await _run(options)
    except asyncio.CancelledError:
        await _end_the_rest(exit_code=130)
        raise
    await _end_the_rest(exit_code=0)


async def _end_the_rest(exit_code: int) -> None:
    if left := await end_the_rest():
        say(f"{plural(left, 'task')} could not be ended; the process ends all the same.")
        os._exit(exit_code)


async def _run(options: Options) -> None:
    """Take the port, then the home's run directory, then start; give all back at the end."""
    settings = load_settings()
    folder = run_folder(settings.home)
    refuse_if_up(folder, options.groups)
    with ExitStack() as stack:
        listener = _listener(options, settings)
        if listener:
            stack.enter_context(listener)
        stack.enter_context(claimed(folder, options.groups))
        redact = Redactor(secrets_of(settings))
        logbook = stack.enter_context(_logging(settings, redact))
        stop = stack.enter_context(stop_signals())
        supervisor = Supervisor(_identity(options.groups), WallTime(), Random(token()).random, redact)
        operations = Operations(supervisor, logbook, stop.set)
        path = socket_path(folder, options.groups)
        stack.enter_context(serving(path, operations.answer, operations.watch.watch))
        async with house() as home:
            await _check_there_are(home, alone(options.groups))
            page = _page(home, listener)
            children = [
                showing(supervisor, home.database, logbook),
                Service(name="listener", group="supervisor", make=looped(home.listener.run)),
                *_children(options, home, supervisor, page),
            ]
            async with supervisor.keeping(children, stop):
                if page and options.demo and not stop.is_set() and await ensure_demo(home):
                    say(_DEMO)
                _print_where(options, page)
                settle()
                await stop.wait()
                say("Stopping.")


def _listener(options: Options, settings: Settings) -> socket.socket | None:
    """Take the port of the page, if there is to be one, before anything else is started."""
    if "web" not in options.groups:
        return None
    from cli.groups.web import listen

    host = settings.web_host if options.host is None else options.host
    return listen(host, settings.web_port if options.port is None else options.port)


def _page(home: House, listener: socket.socket | None) -> "Page | None":
    if listener is None:
        return None
    from cli.groups.web import Page

    return Page(home, listener)


def _children(options: Options, home: House, supervisor: Supervisor, page: "Page | None") -> list[Child]:
    """The children of all groups, in order. The page is told where it is served, the others need no telling."""
    children = list(page.children(supervisor)) if page else []
    for name in options.groups:
        if name != "web" and not name.startswith(ALONE):
            children += children_of(name)(home, supervisor)
    if only := alone(options.groups):
        from cli.groups.deployments import children as carrying_out

        children += carrying_out(home, supervisor, only)
    return children


async def _check_there_are(home: House, deployments: Sequence[UUID]) -> None:
    """See that these deployments are there. Raises NotFound."""
    async with home.database.as_worker() as connection:
        for one in deployments:
            if await load_deployment(connection, one) is None:
                raise NotFound(
                    f"there is no deployment {one}; `agentic deployments --all` shows those there are"
                )


def _identity(groups: list[str]) -> Identity:
    host, pid = socket.gethostname(), os.getpid()
    started_ts = SystemClock().now_ms()
    return Identity(owner=new_owner(), host=host, pid=pid, groups=groups, started_ts=started_ts)


@contextmanager
def _logging(settings: Settings, redact: Redactor) -> Iterator[Logbook]:
    """Have all that is logged written to stderr, and kept for `agentic logs`."""

    def write(lines: str) -> None:
        sys.stderr.write(printable(lines))
        sys.stderr.flush()

    logbook = Logbook(redact, settings.log_format, write)
    with logging_to(logbook, settings.log_level):
        yield logbook


def _print_where(options: Options, page: "Page | None") -> None:
    link = page.link() if page else None
    if options.as_json:
        url = page.url if page else None
        print_json({"url": url, "sign_in_url": link, "pid": os.getpid(), "groups": options.groups})
    else:
        _print_for_people(options, page, link)
    if page and options.opens_browser:
        webbrowser.open(link or page.url)


def _print_for_people(options: Options, page: "Page | None", link: str | None) -> None:
    if page:
        print(f"Agentic Trading is at {page.url}")
        if link is None:
            print(
                "It is open to the network, so nobody can sign in; --host 127.0.0.1 serves this machine only."
            )
        else:
            print(f"Sign in, once, within 15 minutes: {link}")
    else:
        print(f"Agentic Trading is up without its page: {', '.join(options.groups)}")
    print("Ctrl-C stops it.", flush=True)
