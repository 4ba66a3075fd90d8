"""The group `sim`: the actor that has queued runs carried out by worker processes."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.sims import STOP_S, Look, SimActor
from cli.sim_process import launch
from db.queue import CHANNEL
from supervisor.children import ActorChild

if TYPE_CHECKING:
    from cli.boot import House
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor

NAME = "sims"


def children(home: "House", supervisor: "Supervisor") -> "Sequence[Child]":
    """The one actor of this group. It is woken when a run is queued, and looks by itself, too."""

    def wake(_: str | None) -> None:
        if sims := supervisor.find(NAME):
            sims.tell(Look())

    home.listener.on(CHANNEL, wake)
    workers = home.settings.sim_workers or default_workers()
    return [
        ActorChild(
            name=NAME,
            group="sim",
            stop_s=STOP_S,
            make=lambda: SimActor(home.database, workers, launch),
        )
    ]


def default_workers() -> int:
    """One fewer than there are cores for this process, and at least one: what ticks needs one, too."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)
