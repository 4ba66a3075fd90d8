"""Where messages to an actor are sent. A Ref outlives the actor behind it: after a restart it is the same."""

import asyncio
from typing import Any, Generic, TypeVar

from actors.kernel.deadlines import Deadlines
from actors.kernel.exits import End, Exit
from actors.kernel.mailbox import Mailbox
from actors.kernel.message import Mail, Request
from actors.kernel.time import Time

A = TypeVar("A", covariant=True)
R = TypeVar("R")


class Ref(Generic[A]):
    """An actor of the type `A`, as others know it. Messages of one sender and one lane are taken in their order."""

    __slots__ = ("_deadlines", "_end", "_mailbox", "_now_s", "name")

    def __init__(
        self,
        name: str,
        mailbox: Mailbox,
        time: Time,
        deadlines: Deadlines,
        end: End,
    ) -> None:
        self.name = name
        self._mailbox, self._deadlines, self._end = mailbox, deadlines, end
        self._now_s = time.monotonic_s

    def tell(self, message: Mail[A, Any]) -> None:
        """Send a message and go on. Raises MailboxFull when there is no room; when the actor has ended it is lost."""
        self._mailbox.put((message, None, 0.0, self._now_s()))

    async def send(self, message: Mail[A, Any]) -> None:
        """Send a message; where its type says WAIT and there is no room, wait until there is."""
        is_in = self._mailbox.put_or_wait((message, None, 0.0, self._now_s()))
        if is_in is not None:
            await is_in

    async def ask(self, request: Request[A, R], timeout_s: float) -> R:
        """Send a request and wait for its answer.

        Raises AskTimeout when none comes in time, MailboxFull, ActorFailed when the actor crashes over it, and
        Stopped when the actor has ended. Ask downwards only: two actors that ask each other wait in vain.
        """
        now_s = self._now_s()
        until_s = now_s + timeout_s
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        row = self._deadlines.watch(answer, timeout_s, (until_s, self.name, type(request)))
        try:
            self._mailbox.put((request, answer, until_s, now_s))
            return await answer
        finally:
            row.pop(answer, None)

    async def ended(self) -> Exit:
        """Wait until the actor has ended for good, and say how."""
        return await self._end.wait()

    def __repr__(self) -> str:
        return f"<Ref {self.name}>"
