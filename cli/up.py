"""`agentic up`: everything in one process, until it is told to stop."""

import asyncio
import errno
import ipaddress
import logging
import socket
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import urlencode

import typer
from aiohttp import web

from cli.boot import House, house
from cli.demo import MARKET, SKILL, ensure_demo
from cli.output import AsJson, print_json, run, say
from config.settings import load_settings
from control.access import Access
from control.errors import Refused
from domain.ids import token
from domain.time import iso
from supervisor.children import Child, started
from supervisor.signals import stop_signals
from web.app import make_app
from web.sign_in import SignIn

app = typer.Typer()

CLOSE_TIMEOUT_S = 2.0
"""What a request in the middle is given to end in."""

Host = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Where to serve; AGENTIC_WEB_HOST if left out.")
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="AGENTIC_WEB_PORT if left out; 0 takes any that is free.")
]


@app.command()
def up(
    host: Host = None,
    port: Port = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    demo: Annotated[
        bool, typer.Option(help="Make a market up and save a Skill on the very first start.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Start everything and serve the page, until Ctrl-C."""

    async def work() -> None:
        settings = load_settings()
        logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
        where = settings.web_host if host is None else host
        with listen(where, settings.web_port if port is None else port) as listener, stop_signals() as stop:
            async with house() as home:
                await _serve(home, listener, stop, demo=demo, open_browser=open_browser, as_json=as_json)

    run(work())


async def _serve(
    home: House,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    demo: bool,
    open_browser: bool,
    as_json: bool,
) -> None:
    """Serve until told to stop; the first thing printed is where."""
    url = url_of(listener)
    sign_in = SignIn(home.user_id, home.clock, token, lambda code: say(f"Sign in, once: {link(url, code)}"))
    site = make_app(Access(home.database, home.clock), sign_in if is_loopback(listener) else None)
    async with started([Child("the page", _site(site, listener))]):
        if demo and await ensure_demo(home):
            say(_DEMO)
        opened = link(url, sign_in.issue()) if is_loopback(listener) else None
        _print_where(url, opened, as_json=as_json)
        if open_browser:
            webbrowser.open(opened or url)
        await stop.wait()
        say("Stopping.")


_DEMO = (
    f"Made up a market to play with, {MARKET.symbol} from {iso(MARKET.from_ts)[:10]} to {iso(MARKET.to_ts)[:10]}, "
    f"and saved the Skill {SKILL}. Try: agentic sim run {SKILL}"
)


def _print_where(url: str, sign_in_url: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"url": url, "sign_in_url": sign_in_url})
        return
    print(f"Agentic Trading is at {url}")
    if sign_in_url is None:
        print("It is open to the network, so nobody can sign in; --host 127.0.0.1 serves this machine only.")
    else:
        print(f"Sign in, once, within 15 minutes: {sign_in_url}")
    print("Ctrl-C stops it.", flush=True)


@asynccontextmanager
async def _site(site: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    """The page, served on a socket that is bound already."""
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def listen(host: str, port: int) -> socket.socket:
    """Take the port, before anything else is started. Raises Refused when it can't be had."""
    try:
        return socket.create_server((host, port), family=_family(host))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = f"is it `agentic up` itself? Else choose another port: agentic up --port {port + 1}"
            raise Refused(f"port {port} of {host} is taken; {hint}") from None
        raise Refused(f"can't serve at {host}:{port}: {error.strerror or error}") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def url_of(listener: socket.socket) -> str:
    """The address to type into a browser on this machine."""
    address, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if address == "0.0.0.0" else "[::1]" if address == "::" else address
    return f"http://[{shown}]:{port}" if ":" in shown and shown[0] != "[" else f"http://{shown}:{port}"


def link(url: str, code: str) -> str:
    """The link that signs in, once."""
    return f"{url}/sign-in?{urlencode({'code': code})}"
