"""What a deployment is told, and what it tells itself."""

from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from actors.kernel import Done, Failed, Lane, Message, Request, WhenFull
from actors.messages import Happened, Standing
from actors.ticker import Ticked
from market.feeds.freshness import Silence

if TYPE_CHECKING:
    from actors.deployment import DeploymentActor  # noqa: F401 (named in the types of messages)


class Ordered(Message["DeploymentActor"], frozen=True):
    """A command that waits for its turn."""

    command_id: UUID


class Urgent(Message["DeploymentActor"], frozen=True):
    """A command that does not: kill and flatten."""

    lane: ClassVar[Lane] = Lane.SYSTEM

    command_id: UUID


class Told(Message["DeploymentActor"], frozen=True):
    """What the engine tells: fills, and steps of a halt."""

    lane: ClassVar[Lane] = Lane.SYSTEM

    happened: Happened


class Stood(Message["DeploymentActor"], frozen=True):
    """Where the account stands. The newest is what matters."""

    when_full: ClassVar[WhenFull] = WhenFull.KEEP_NEWEST

    standing: Standing


class MayTick(Request["DeploymentActor", bool], frozen=True):
    """Whether this is a time to tick, as the account stands."""

    standing: Standing


class Took(Message["DeploymentActor"], frozen=True):
    """A tick was taken; None: it was abandoned."""

    ticked: Ticked | None


class Abandon(Message["DeploymentActor"], frozen=True):
    """The tick in hand has had its time."""


class DriveEnded(Message["DeploymentActor"], frozen=True):
    """The market came to its end, or can't go on."""

    outcome: Done[Standing | None] | Failed


class Silent(Message["DeploymentActor"], frozen=True):
    """The prices of a symbol stopped coming, or come again."""

    when_full: ClassVar[WhenFull] = WhenFull.KEEP_NEWEST

    silence: Silence

    @property
    def key(self) -> str:
        """What it replaces: an older one of its symbol."""
        return self.silence.symbol
