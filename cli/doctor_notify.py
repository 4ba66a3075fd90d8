"""The doctor's check of what telling people needs: the URLs, and whether messages got through lately."""

from actors.notices.outside import ReceiverError, receivers_of
from cli.checks import Check, State
from config.settings import Settings, notification_urls

NAME = "notifications"


def check_notifications(settings: Settings, given_up: int) -> Check:
    """Every URL must be one that the library can use; nothing is sent. `given_up` messages were, in the last day."""
    try:
        names = [receiver.name for receiver in receivers_of(notification_urls(settings.notify_urls))]
    except ReceiverError as error:
        return Check(NAME, State.BAD, str(error), "mend AGENTIC_NOTIFY_URLS")
    if not names:
        return Check(NAME, State.OK, "nobody is told anything; AGENTIC_NOTIFY_URLS names who is to be")
    if given_up:
        found = f"{', '.join(names)}; {given_up} of the last day did not reach everybody"
        return Check(
            NAME, State.WARN, found, "see `agentic notify list --state failed` and `agentic notify test`"
        )
    return Check(NAME, State.OK, f"{', '.join(names)}; `agentic notify test` tries them")
