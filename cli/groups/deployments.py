"""The group `deployments`: the fleet, which starts two actors for each deployment, and what they need."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from actors.fleet import Commands, FleetActor, Look
from actors.housekeeper import HousekeeperActor
from actors.kernel import Actor, Ref
from actors.leases import Leases
from actors.notices.postbox import Postbox
from actors.office import Office, Records
from actors.staging import Replays, Staging
from db.commands import CHANNEL as COMMANDS
from db.deployments import CHANNEL as DEPLOYMENTS
from market.feeds.registry import Feeds, maker
from supervisor.children import ActorChild, Service, looped
from supervisor.owner import is_gone
from supervisor.policy import Restart, Rules

if TYPE_CHECKING:
    from cli.boot import House
    from market.feeds.base import Feed
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor

A = TypeVar("A", bound=Actor)

GROUP = "deployments"
NAME = "fleet"
START_S = 60.0
"""A replay of years is loaded in tens of seconds."""


class SupervisedChildren:
    """Starts and stops the fleet's actors through the supervisor."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor

    @property
    def is_ending(self) -> bool:
        return self._supervisor.is_draining

    def spawn(
        self,
        name: str,
        make: Callable[[], A],
        rank: int,
        gave_up: Callable[[str, BaseException | None, str], None],
        restarted: Callable[[str, str], None],
    ) -> Ref[A]:
        """Start an actor that is started again when it fails, and tell of that, and when it is given up."""
        return self._supervisor.spawn(
            ActorChild(
                name=name,
                group=GROUP,
                rules=Rules(restart=Restart.TRANSIENT),
                start_s=START_S,
                rank=rank,
                on_failed=gave_up,
                on_restart=restarted,
                make=make,
            )
        )

    def find(self, name: str) -> Ref[Any] | None:
        return self._supervisor.find(name)

    async def stop(self, name: str) -> None:
        if self._supervisor.find(name) is not None:
            await self._supervisor.stop(name)


class SupervisedFeeds:
    """Runs the feeds that deployments listen to as services of the supervisor."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor

    def start(self, name: str, feed: "Feed") -> None:
        """Run a feed, and start it again when it fails."""
        self._supervisor.spawn(Service(name=name, group=GROUP, make=looped(feed.run)))

    async def stop(self, name: str) -> None:
        """End it, whatever became of it."""
        if name in self._supervisor.names(GROUP):
            await self._supervisor.stop(name)


def children(
    home: "House", supervisor: "Supervisor", only: Sequence[UUID] | None = None
) -> "Sequence[Child]":
    """The fleet. `only` names certain deployments; None: all that nobody else looks after."""
    database, clock = home.database, home.clock
    notices = Postbox(database, supervisor.time)
    office = Office(database, clock, supervisor.owner, notices, Records(database, clock))
    leases = Leases(database, supervisor.owner, time.monotonic, is_gone=is_gone)
    feeds = Feeds(maker(database.as_worker, supervisor.time), SupervisedFeeds(supervisor))
    staging = Staging(office, leases, home.provider, Replays(database), feeds, supervisor.time)
    fleet = SupervisedChildren(supervisor)

    def wake(payload: str | None) -> None:
        if there := supervisor.find(NAME):
            there.tell(Look() if payload is None else Commands(UUID(payload)))

    def look(payload: str | None) -> None:
        if there := supervisor.find(NAME):
            there.tell(Look())

    home.listener.on(COMMANDS, wake)
    home.listener.on(DEPLOYMENTS, look)
    housekeeper = ActorChild(name="housekeeper", group=GROUP, make=lambda: HousekeeperActor(database))
    return [
        Service(name="postbox", group=GROUP, make=notices.opened),
        *([housekeeper] if only is None else []),
        ActorChild(name=NAME, group=GROUP, make=lambda: FleetActor(office, leases, staging, fleet, only)),
    ]
