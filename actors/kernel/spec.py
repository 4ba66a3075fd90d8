"""How an actor is made and kept."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from actors.kernel.actor import Actor
from actors.kernel.exits import NO_RESTART, Policy

A = TypeVar("A", bound=Actor)


class Spec(msgspec.Struct, Generic[A], frozen=True):
    """How an actor is made and kept.

    `make` is called for each life, and gives a new actor each time. That may take `start_s` to start; when it is told
    to stop, `stop_s` for the message in hand and its `stopping`. After that it is cancelled, and what is not gone
    `hard_s` later is left behind and counted, since nothing can end it.

    `policy` decides whether there is another life; it belongs to this actor alone, as it may remember.
    """

    name: str
    make: Callable[[], A]
    capacity: int = 1000  # messages that may wait in each lane
    policy: Policy = NO_RESTART
    start_s: float = 30.0
    stop_s: float = 5.0
    hard_s: float = 1.0
