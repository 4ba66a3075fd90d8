"""A stand-in for a service that takes messages: an inbox that apprise's `json://` URLs lead to, over a real socket.

What it does with each message is a list of moods, taken in order; when they have run out it takes messages:

    take      answer 200 and keep the message
    refuse    answer 500, with a page
    redirect  send elsewhere, as a proxy does that wants https
    swallow   keep the message and close the connection without a word
    cut       close the connection, keeping nothing
    hang      keep the message and say nothing until `release` is called
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

import msgspec
from aiohttp import web

Mood = Literal["take", "refuse", "redirect", "swallow", "cut", "hang"]


class Mail(msgspec.Struct, frozen=True):
    """One message as it came."""

    title: str
    message: str
    type: str
    path: str = ""


class Inbox:
    """The service, and what it was sent. `url` is for apprise, with `token` in its path and in a header."""

    def __init__(self, moods: Sequence[Mood] = (), *, token: str = "token") -> None:
        self.mails: list[Mail] = []
        self.asked = 0
        self.url = ""
        self.came = asyncio.Event()  # a message, whatever becomes of it
        self._moods = list(moods)
        self._token = token
        self._released = asyncio.Event()
        app = web.Application()
        app.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    @property
    def titles(self) -> list[str]:
        """The titles of what was kept, in order."""
        return [mail.title for mail in self.mails]

    def release(self) -> None:
        """Answer all that hang."""
        self._released.set()

    def be(self, *moods: Mood) -> None:
        """Take the next messages so."""
        self._moods = list(moods)

    async def start(self) -> None:
        """Listen on this machine alone."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.url = f"json://user:{self._token}@127.0.0.1:{port}/{self._token}?+X-Token={self._token}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        mail = msgspec.convert({**await request.json(), "path": request.path}, Mail)
        mood: Mood = self._moods.pop(0) if self._moods else "take"
        if mood in ("take", "swallow", "hang"):
            self.mails.append(mail)
        self.came.set()
        return await self._answer(request, mood)

    async def _answer(self, request: web.Request, mood: Mood) -> web.StreamResponse:
        if mood == "hang":
            await self._released.wait()
        if mood in ("swallow", "cut"):
            assert request.transport
            request.transport.close()
        if mood == "redirect":
            raise web.HTTPMovedPermanently("http://127.0.0.1:9/elsewhere")
        page = f"<html><body>{self._token} is broken</body></html>"
        return web.Response(status=500, text=page) if mood == "refuse" else web.Response()


@asynccontextmanager
async def inbox(moods: Sequence[Mood] = (), *, token: str = "token") -> AsyncIterator[Inbox]:
    """An inbox that listens."""
    service = Inbox(moods, token=token)
    await service.start()
    try:
        yield service
    finally:
        service.release()
        await service.stop()


@contextmanager
def inbox_thread(moods: Sequence[Mood] = (), *, token: str = "token") -> Iterator[Inbox]:
    """An inbox in a thread of its own, for tests that run a loop of theirs or wait for another process."""
    ready, done = threading.Event(), asyncio.Event()
    serving: list[tuple[asyncio.AbstractEventLoop, Inbox]] = []

    async def serve() -> None:
        async with inbox(moods, token=token) as service:
            serving.append((asyncio.get_running_loop(), service))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    ready.wait()
    loop, service = serving[0]
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
