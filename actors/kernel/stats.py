"""What can be seen of actors from outside."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from actors.kernel.exits import Exit


class State(StrEnum):
    """Where an actor stands."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"  # it, or what it has started, is coming to its end
    WAITING = "waiting"  # to be started anew; its mailbox takes messages
    ENDED = "ended"


_S = State
NEXT: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        _S.STARTING: frozenset({_S.RUNNING, _S.STOPPING}),
        _S.RUNNING: frozenset({_S.STOPPING}),
        _S.STOPPING: frozenset({_S.WAITING, _S.STARTING, _S.ENDED}),
        _S.WAITING: frozenset({_S.STARTING, _S.ENDED}),
        _S.ENDED: frozenset(),
    }
)
"""What can follow each state. An actor is in none before its first, STARTING."""


class Counts(msgspec.Struct):
    """What is counted of an actor over all its lives."""

    handled: int = 0
    expired: int = 0  # not begun: whoever had asked waited no more
    late: int = 0  # answered when whoever had asked waited no more
    skipped: int = 0  # instants of repeating timers for which nothing was sent
    crashes: int = 0
    starts: int = 0
    abandoned: int = 0  # lives and child tasks that did not end when they were cancelled


class ActorStats(msgspec.Struct, frozen=True):
    """One actor at one moment. Ages are in seconds, None where there is nothing that could have one."""

    name: str
    state: State
    depth: int  # messages that wait, of both lanes
    capacity: int  # of each lane
    oldest_s: float | None  # how long the first of them has waited
    in_hand: str | None  # the type of the message being handled
    in_hand_s: float | None  # since when
    children: int  # child tasks that run
    timers: int
    refused: int  # messages for which there was no room
    dropped: int  # messages that made room for newer ones
    counts: Counts
    last_error: str | None


class Change(msgspec.Struct, frozen=True):
    """That an actor is in another state, and what made it so where its life has ended.

    `delay_s` is how long one that is WAITING will wait.
    """

    name: str
    state: State
    exit: Exit | None = None
    delay_s: float | None = None
