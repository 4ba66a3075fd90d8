"""The bounded queue in front of an actor: two lanes, and a rule for each type of message when its lane is full."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from actors.kernel.errors import MailboxFull
from actors.kernel.message import Lane, Mail, WhenFull

Envelope = tuple[Any, asyncio.Future[Any] | None, float, float]
"""A message as it waits: (message, where its answer goes, until when it is worth beginning, when it came).

The message is Mail, or what the actor's own timers and children sent. Both instants are in seconds of a clock that
is never set. A bare tuple, since one is made for every message.
"""

Room = tuple[Envelope, asyncio.Future[None] | None]
"""A message that waits for room, and how its sender learns that it is in: one that asks waits for the answer."""


class Mailbox:
    """Holds up to `capacity` messages in each lane.

    Nothing is lost without being counted: each message that was put is taken, or counted as refused or dropped, or
    given back by `close`.
    """

    __slots__ = ("_arrival", "_gone", "_waiting", "capacity", "dropped", "name", "refused", "system", "user")

    def __init__(self, name: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"the mailbox of {name} must have room for 1 message at least; found {capacity}")
        self.name, self.capacity = name, capacity
        self.user: deque[Envelope] = deque()
        self.system: deque[Envelope] = deque()
        self.refused = 0
        self.dropped = 0
        self._waiting: dict[Lane, deque[Room]] = {}
        self._arrival: asyncio.Future[None] | None = None
        self._gone: Callable[[Envelope], None] | None = None

    def __len__(self) -> int:
        return len(self.system) + len(self.user)

    def put(self, envelope: Envelope) -> None:
        """Add a message at the end of its lane. Raises MailboxFull when there is no room for it."""
        lane = self.system if envelope[0].lane is Lane.SYSTEM else self.user
        if len(lane) >= self.capacity and not self._make_room(lane, envelope):
            return
        lane.append(envelope)
        if self._arrival is not None:
            self.wake()

    def put_own(self, envelope: Envelope) -> None:
        """Add what the actor's own timers and children send: it always fits, as the actor has asked for each."""
        (self.system if envelope[0].lane is Lane.SYSTEM else self.user).append(envelope)
        self.wake()

    def put_or_wait(self, envelope: Envelope) -> asyncio.Future[None] | None:
        """Add a message; where its type says WAIT and there is no room, give a future to wait for until it is in.

        It gets in in order with others that wait, unless the future is cancelled before.
        """
        message: Mail[Any, Any] = envelope[0]
        lane = self.system if message.lane is Lane.SYSTEM else self.user
        if len(lane) < self.capacity or message.when_full is not WhenFull.WAIT or self._gone:
            self.put(envelope)
            return None
        is_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wait_for_room(message.lane, (envelope, is_in))
        return is_in

    def take(self) -> Envelope | None:
        """Remove the message whose turn it is; None when there is none."""
        if self.system:
            envelope = self.system.popleft()
        elif self.user:
            envelope = self.user.popleft()
        else:
            return None
        if self._waiting:
            self._let_in()
        return envelope

    async def arrival(self) -> None:
        """Wait until there is something to take, or `wake` is called."""
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    def wake(self) -> None:
        """Let whoever waits in `arrival` look again."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None and not arrival.done():
            arrival.set_result(None)

    def oldest(self) -> float | None:
        """When the message that has waited longest came; None when there is none."""
        return min((lane[0][3] for lane in (self.system, self.user) if lane), default=None)

    def close(self, gone: Callable[[Envelope], None]) -> None:
        """Give every message to `gone`: those that wait, and from now on those that come."""
        self._gone, self.capacity = gone, 0
        for envelope in self._empty():
            gone(envelope)

    def _empty(self) -> Iterator[Envelope]:
        for lane in (self.system, self.user):
            while lane:
                yield lane.popleft()
        waiting, self._waiting = self._waiting, {}
        for rooms in waiting.values():
            yield from (room[0] for room in rooms if _take_up(room))

    def _wait_for_room(self, kind: Lane, room: Room) -> None:
        waiting = self._waiting.setdefault(kind, deque())
        if len(waiting) >= self.capacity:  # those who gave up must not pile up before one that takes nothing
            waiting = self._waiting[kind] = deque(room for room in waiting if _still_waits(room))
        waiting.append(room)

    def _let_in(self) -> None:
        """Move what waits for room into the room that there is now, so that nobody can push in."""
        for kind, waiting in tuple(self._waiting.items()):
            lane = self.system if kind is Lane.SYSTEM else self.user
            while waiting and len(lane) < self.capacity:
                room = waiting.popleft()
                if _take_up(room):
                    lane.append(room[0])
            if not waiting:
                del self._waiting[kind]

    def _make_room(self, lane: deque[Envelope], envelope: Envelope) -> bool:
        """Make room in a full lane as the message's type says; False when the mailbox has closed."""
        if self._gone:
            self._gone(envelope)
            return False
        message: Mail[Any, Any] = envelope[0]
        if message.when_full is WhenFull.KEEP_NEWEST and self._drop_oldest_like(message, lane):
            return True
        if message.when_full is WhenFull.WAIT and envelope[1] is not None:
            self._wait_for_room(message.lane, (envelope, None))  # whoever asks waits anyway
            return False
        self.refused += 1
        raise MailboxFull(
            f"{self.name} has no room for {type(message).__name__}: {len(lane)} messages wait; try again later"
        )

    def _drop_oldest_like(self, newest: Mail[Any, Any], lane: deque[Envelope]) -> bool:
        for at, (message, reply, _, _) in enumerate(lane):
            if type(message) is type(newest) and message.key == newest.key:
                del lane[at]
                self.dropped += 1
                if reply is not None and not reply.done():
                    reply.set_exception(MailboxFull(f"a newer {type(message).__name__} took its place"))
                return True
        return False


def _still_waits(room: Room) -> bool:
    envelope, is_in = room
    waiting = envelope[1] if is_in is None else is_in
    return waiting is not None and not waiting.done()


def _take_up(room: Room) -> bool:
    """Tell a sender that its message is in; False where it has given up waiting for that."""
    if not _still_waits(room):
        return False
    if room[1] is not None:
        room[1].set_result(None)
    return True
