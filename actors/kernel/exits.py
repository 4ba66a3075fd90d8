"""How an actor's life ends, and who says whether it gets another one."""

import asyncio
from enum import StrEnum
from typing import Protocol

import msgspec


class Ending(StrEnum):
    """The three ways in which an actor comes to its end."""

    FINISHED = "finished"  # by itself, in order
    CRASHED = "crashed"  # by an error, at its start or later
    ASKED = "asked"  # it was told to stop


class Exit(msgspec.Struct, frozen=True):
    """One end: how, and of which error."""

    ending: Ending
    error: BaseException | None = None

    def __str__(self) -> str:
        return f"{self.ending}: {in_one_line(self.error)}" if self.error else str(self.ending)


class Policy(Protocol):
    """Decides on restarts. One for each actor, since it may remember how often it was asked."""

    def after(self, exit: Exit, now_s: float) -> float | None:
        """After how many seconds the actor starts anew; None: it has ended for good.

        Asked when it has finished or crashed; whoever told it to stop has decided already. `now_s` is of a clock
        that is never set.
        """


class NoRestart:
    """The policy of an actor that lives once."""

    def after(self, exit: Exit, now_s: float) -> float | None:
        return None


NO_RESTART = NoRestart()


class End:
    """An actor's end for good, as it is waited for: by several, each for as long as it likes."""

    __slots__ = ("_waiting", "exit")

    def __init__(self) -> None:
        self.exit: Exit | None = None
        self._waiting: tuple[asyncio.Future[Exit], ...] = ()

    def come(self, exit: Exit) -> None:
        """Let it be here."""
        self.exit = exit
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(exit)

    async def wait(self) -> Exit:
        """Wait until it is here."""
        if self.exit is not None:
            return self.exit
        waiter: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._waiting = (*self._waiting, waiter)
        return await waiter


def in_one_line(error: BaseException, longest: int = 300) -> str:
    """An error for tables and log lines: its type and its first line."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}"[:longest] if said else type(error).__name__
