"""One life of an actor: from its start, over one message after the other, to its end in order or its crash."""

import asyncio
from collections.abc import Callable
from typing import Any

from actors.kernel.actor import Actor, unknown
from actors.kernel.children import Child, Children
from actors.kernel.mailbox import Envelope, Mailbox
from actors.kernel.ref import Ref
from actors.kernel.stats import Counts
from actors.kernel.time import Time
from actors.kernel.timers import Timer, Timers

IN_A_ROW = 100
"""After so many messages without a pause others get their turn."""


class Life:
    """What belongs to one life: the message in hand, the timers and the child tasks."""

    def __init__(self, ref: Ref[Any], mailbox: Mailbox, counts: Counts, time: Time) -> None:
        self.ref, self.time = ref, time
        self._mailbox, self._counts = mailbox, counts
        self.timers = Timers(time, self._post, counts)
        self.children = Children(ref.name, self._post)
        self.in_hand: Envelope | None = None
        self.since_s = 0.0
        self.is_ending = False

    async def run(self, make: Callable[[], Actor], is_up: Callable[[], None]) -> None:
        """Make the actor, start it, handle messages until it is told to end, and end in order.

        What is raised is a crash; `in_hand` is then the message over which it happened.
        """
        actor = make()
        actor._life = self
        await actor.started()
        is_up()
        await self._handle_messages(actor)
        await actor.stopping()

    def end(self) -> None:
        """End in order, after the message in hand."""
        self.is_ending = True
        self._mailbox.wake()

    def close(self, failure: Exception) -> None:
        """See to what a life that is over leaves behind, but for its children: `failure` answers what is in hand."""
        self.is_ending = True
        self.timers.close()
        answer = self.in_hand[1] if self.in_hand else None
        if answer is not None and not answer.done():
            answer.set_exception(failure)
        self.in_hand = None

    async def _handle_messages(self, actor: Actor) -> None:
        take, now_s, counts = self._mailbox.take, self.time.monotonic_s, self._counts
        handlers, in_a_row = actor.handlers, 0
        while not self.is_ending:
            envelope = take()
            if envelope is None:
                in_a_row = 0
                await self._mailbox.arrival()
                continue
            message, answer, until_s, _ = envelope
            if answer is not None and (answer.done() or until_s <= now_s()):
                counts.expired += 1
                continue
            self.in_hand, self.since_s = envelope, now_s()
            result = await handlers.get(type(message), unknown)(actor, message)
            self.in_hand = None
            counts.handled += 1
            if answer is not None:
                self._answer(answer, result)
            in_a_row += 1
            if in_a_row == IN_A_ROW:
                in_a_row = 0
                await asyncio.sleep(0)

    def _answer(self, answer: asyncio.Future[Any], result: object) -> None:
        if answer.done():
            self._counts.late += 1
        else:
            answer.set_result(result)

    def _post(self, own: Timer | Child[Any]) -> None:
        self._mailbox.put_own((own, None, 0.0, self.time.monotonic_s()))
