"""The one way out for messages: apprise, which speaks the language of a hundred services, each named by a URL.

Such a URL holds secrets in any of its parts, and the library and what it is built on log them. So no URL, nor any text
of theirs, leaves this module: their loggers are shut, and what went wrong is said in our own words, with no more of an
answer than its status. A receiver is named by its service and a number.

The library blocks. Each receiver has a thread of its own while it is sent something, and never more than one: one that
hangs keeps nobody waiting past the deadline, and takes no more messages until it is done. The threads are daemons, so
none of them holds up the end of the process.
"""

import asyncio
import logging
import re
import threading
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from domain.notices import Severity

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

DEADLINE_S = 20.0
"""How long a receiver is waited for. Most services are given 4 s for each step by the library."""

_LOGGERS = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "MARKDOWN")
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.URGENT: "failure"}
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")


class ReceiverError(Exception):
    """A URL for notifications can't be used. One line that shows nothing of it but where it stands in the list."""


class Receiver(Protocol):
    """Somewhere a message can go."""

    @property
    def name(self) -> str: ...

    def send(self, title: str, body: str, severity: Severity) -> str:
        """Send, blocking. Gives "" when it was taken, else what went wrong. Never raises."""
        ...


class _Service:
    """A service that apprise speaks to."""

    def __init__(self, name: str, service: "NotifyBase", asset: "AppriseAsset") -> None:
        self.name = name
        self._service = service
        self._asset = asset

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def send(self, title: str, body: str, severity: Severity) -> str:
        from apprise import Apprise

        try:
            with Apprise(self._service, asset=self._asset).notify(
                body=body, title=title, notify_type=_TYPES[severity]
            ) as result:
                return "" if result else _problem(" ".join(entry.message for entry in result.logs()))
        except Exception as error:  # noqa: BLE001 – a hundred plugins of others, whose errors may show the URL
            return f"the library failed ({type(error).__name__})"


def _problem(said: str) -> str:
    """Say in our words what the library said: its own hold hosts, which may be the secret."""
    if status := _STATUS.search(said):
        return f"it answered {status[1]}"
    return "it could not be reached" if "onnection" in said else "it did not take the message"


def receivers_of(urls: Sequence[str]) -> list[Receiver]:
    """Make receivers of URLs, named by service: json, discord, discord-2. Raises ReceiverError for the first bad one.

    Takes about a second the first time, for all the services that the library loads, so call it in a thread.
    """
    if not urls:
        return []
    _shut_loggers()
    from apprise import Apprise

    asset, numbers, receivers = _asset(), Counter[str](), list[Receiver]()
    for place, url in enumerate(urls, 1):
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            where = f"URL {place} of {len(urls)} in AGENTIC_NOTIFY_URLS"
            raise ReceiverError(f"{where} is not one that apprise can use; see docs/notifications.md")
        kind = _kind(service)
        numbers[kind] += 1
        name = kind if numbers[kind] == 1 else f"{kind}-{numbers[kind]}"
        receivers.append(_Service(name, service, asset))
    return receivers


def _kind(service: "NotifyBase") -> str:
    """The name of a service, such as "json" or "telegram", as its makers write it."""
    return re.sub(r"[^a-z0-9]+", "-", str(service.service_name).lower()).strip("-") or "service"


@cache
def _asset() -> "AppriseAsset":
    """How messages leave: as plain text that is escaped for its target, from us, with nothing loaded from elsewhere.

    Redirects are not followed, since a POST that is redirected becomes a GET, which is answered and says nothing.
    """
    from apprise import AppriseAsset, NotifyFormat

    return AppriseAsset(
        app_id="Agentic Trading",
        app_desc="Agentic Trading",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        body_format=NotifyFormat.TEXT,
        interpret_emojis=False,
        async_mode=False,  # in the calling thread
        service_timeout=0,
        http_redirects=False,
        storage_mode="memory",
    )


@cache
def _shut_loggers() -> None:
    """Let nothing of what these write be seen: it holds URLs, headers and what was answered."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        logger.setLevel(
            logging.WARNING if name == "apprise" else logging.CRITICAL + 1
        )  # a status is a warning
    warnings.filterwarnings("ignore", module="urllib3|apprise")  # such as which host is not verified


class Messenger:
    """Sends a message to all receivers at once, each within the deadline."""

    def __init__(self, receivers: Sequence[Receiver], *, deadline_s: float = DEADLINE_S) -> None:
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._deadline_s = deadline_s
        self._busy: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Who there is to send to."""
        return tuple(self._receivers)

    async def send(
        self, title: str, body: str, severity: Severity, *, without: Collection[str] = ()
    ) -> Mapping[str, str]:
        """Send to everybody but those `without` need. Gives for each by name "" or what went wrong.

        One that did not answer within the deadline may have taken the message all the same.
        """
        names = [name for name in self._receivers if name not in without]
        problems = await asyncio.gather(*(self._send_to(name, title, body, severity) for name in names))
        return dict(zip(names, problems, strict=True))

    async def _send_to(self, name: str, *message: Any) -> str:
        if name in self._busy:
            return "it is still busy with an earlier message"
        self._busy.add(name)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def done(problem: str) -> None:
            self._busy.discard(name)
            if not answer.done():
                answer.set_result(problem)

        def work() -> None:
            problem = self._receivers[name].send(*message)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(done, problem)

        threading.Thread(target=work, name=f"notify:{name}", daemon=True).start()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await answer
        except TimeoutError:
            return f"it did not answer within {self._deadline_s:g} s"
