"""The group `chat`: the actor that people will talk to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.chat import ChatActor
from supervisor.children import ActorChild

if TYPE_CHECKING:
    from cli.boot import House
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor


def children(home: "House", supervisor: "Supervisor") -> "Sequence[Child]":
    """The one actor of this group."""
    return [ActorChild(name="chat", group="chat", make=ChatActor)]
