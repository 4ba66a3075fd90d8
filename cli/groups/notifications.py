"""The group `notifications`: the notifier, which sends what people are to be told."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from actors.notices.outside import receivers_of
from actors.notifier import LAST_MESSAGE_S, Look, NotifierActor
from config.settings import notification_urls
from db.notifications import CHANNEL
from supervisor.children import ActorChild

if TYPE_CHECKING:
    from cli.boot import House
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor

NAME = "notifier"


def children(home: "House", supervisor: "Supervisor") -> "Sequence[Child]":
    """The one actor of this group. It is woken for what is grave, and finds the rest by itself."""

    def wake(_: str | None) -> None:
        if notifier := supervisor.find(NAME):
            notifier.tell(Look())

    home.listener.on(CHANNEL, wake)
    receivers = partial(receivers_of, notification_urls(home.settings.notify_urls))
    return [
        ActorChild(
            name=NAME,
            group="notifications",
            start_s=60.0,  # the library's services are many, and a machine may be slow
            stop_s=LAST_MESSAGE_S + 2,
            make=lambda: NotifierActor(
                home.database, receivers, home.prepared.owner_id, home.settings.notify_per_hour
            ),
        )
    ]
