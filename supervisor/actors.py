"""One actor while it is supervised. The kernel gives it its lives; the supervisor adds the rules, and looks on."""

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from actors.kernel import Actor, ActorStats, Change, Ending, Spec, System
from actors.kernel import State as Life
from supervisor.children import ActorChild, ChildView, State
from supervisor.running import Around, Running

A = TypeVar("A", bound=Actor)

_ENDS: Mapping[Ending, State] = {
    Ending.ASKED: State.STOPPED,
    Ending.FINISHED: State.FINISHED,
    Ending.CRASHED: State.FAILED,
}


class RunningActor(Running, Generic[A]):
    """An actor over all its lives."""

    def __init__(self, child: ActorChild[A], system: System, around: Around) -> None:
        super().__init__(child, around)
        self._system = system
        self._crash: BaseException | None = None
        self.ref = system.spawn(
            Spec(
                name=child.name,
                make=child.make,
                capacity=child.capacity,
                policy=self.policy,
                start_s=child.start_s,
                stop_s=child.stop_s,
            )
        )

    def changed(self, change: Change) -> None:
        """Take note of a step after the first, as the kernel tells of it."""
        if change.exit is not None:
            self._crash = change.exit.error
            self.error = self._crash or self.error
        if change.state is Life.STARTING:
            crash, self._crash = self._crash, None
            self.start_again(crash)
        elif change.state is Life.ENDED:
            assert change.exit is not None
            state = _ENDS[change.exit.ending]
            self.become(State.LEFT_BEHIND if state is State.STOPPED and self._is_left() else state)
        else:
            self.become(State(change.state.value))

    async def stop(self) -> bool:
        await self._system.stop(self.ref)
        return self.state is not State.LEFT_BEHIND

    def _is_left(self) -> bool:
        """Whether something of it did not end when it was cancelled, and still runs."""
        names = (self.child.name, f"{self.child.name}'s child")
        return any(task.get_name() in names for task in self._system.left)


def with_stats(view: ChildView, stats: ActorStats) -> ChildView:
    """Add to the view of an actor what the kernel counts of it."""
    return msgspec.structs.replace(
        view,
        depth=stats.depth,
        oldest_ms=_ms(stats.oldest_s),
        in_hand=stats.in_hand,
        in_hand_ms=_ms(stats.in_hand_s),
        handled=stats.counts.handled,
        refused=stats.refused,
        dropped=stats.dropped,
        abandoned=stats.counts.abandoned,
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
