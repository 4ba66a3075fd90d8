"""The group `notifications`: the notifier, which sends what people are to be told."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from actors.notices.outside import receivers_of
from actors.notifier import LAST_MESSAGE_S, NotifierActor
from config.settings import notification_urls
from supervisor.children import ActorChild

if TYPE_CHECKING:
    from cli.boot import House
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor


def children(home: "House", supervisor: "Supervisor") -> "Sequence[Child]":
    """The one actor of this group."""
    receivers = partial(receivers_of, notification_urls(home.settings.notify_urls))
    return [
        ActorChild(
            name="notifier",
            group="notifications",
            start_s=60.0,  # the library's services are many, and a machine may be slow
            stop_s=LAST_MESSAGE_S + 2,
            make=lambda: NotifierActor(
                home.database, receivers, home.prepared.owner_id, home.settings.notify_per_hour
            ),
        )
    ]
