"""The group `web`: the page, served on a socket that is taken before anything else is started."""

import errno
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from aiohttp import web

from cli.boot import House
from cli.output import say
from control.access import Access
from control.errors import Refused
from domain.ids import token
from supervisor.children import Child, Service
from supervisor.supervisor import Supervisor
from web.app import make_app
from web.sign_in import SignIn

CLOSE_TIMEOUT_S = 2.0
"""What a request in the middle is given to end in."""


class Page:
    """The page on its socket, and the desk where one signs in."""

    def __init__(self, home: House, listener: socket.socket) -> None:
        self.url = url_of(listener)
        self.is_local = is_loopback(listener)
        self.sign_in = SignIn(
            home.user_id, home.clock, token, lambda code: say(f"Sign in, once: {self._link(code)}")
        )
        self._home, self._listener = home, listener

    def children(self, supervisor: Supervisor) -> Sequence[Child]:
        """The one child of this group."""
        return [Service(name="page", group="web", make=lambda: self._served(supervisor))]

    def link(self) -> str | None:
        """Make the link that signs in, once; None where the page is open to the network."""
        return self._link(self.sign_in.issue()) if self.is_local else None

    def _link(self, code: str) -> str:
        return f"{self.url}/sign-in?{urlencode({'code': code})}"

    @asynccontextmanager
    async def _served(self, supervisor: Supervisor) -> AsyncIterator[None]:
        """Serve it, on a copy of the socket: a page that is started again finds its place still taken for it."""
        access = Access(self._home.database, self._home.clock)

        def troubles() -> list[str]:
            return [*supervisor.troubles(), *self._home.prepared.troubles()]

        site = make_app(access, self.sign_in if self.is_local else None, troubles)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listener.dup()).start()
            yield
        finally:
            await runner.cleanup()


def listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises Refused when it can't be had."""
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
