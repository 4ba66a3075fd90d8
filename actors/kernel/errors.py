"""What a sender may hear instead of an answer."""


class MailboxFull(Exception):
    """The message was not taken: there was no room for it."""


class AskTimeout(TimeoutError):
    """No answer came in time. What was asked for may have happened all the same, unless it had not been begun."""


class ActorFailed(Exception):
    """The actor crashed while it had the request in hand; its cause is the error. It is not tried again."""


class Stopped(Exception):
    """The actor has ended for good, and takes nothing any more."""
