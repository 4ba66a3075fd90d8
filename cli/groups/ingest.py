"""The group `ingest`: the actor that keeps market data coming in.

No source ships yet. Made-up data is none: its generator draws a whole range at once, so that a longer range is another
path and not the same one continued.
"""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from actors.ingest import IngestActor
from domain.ids import token
from supervisor.children import ActorChild

if TYPE_CHECKING:
    from cli.boot import House
    from market.ingesting import Source
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor

SOURCES: "Sequence[Source]" = ()


def children(home: "House", supervisor: "Supervisor") -> "Sequence[Child]":
    """The one actor of this group."""
    random = Random(token()).random
    return [
        ActorChild(
            name="ingest",
            group="ingest",
            make=lambda: IngestActor(home.database, SOURCES, supervisor.owner, random),
        )
    ]
