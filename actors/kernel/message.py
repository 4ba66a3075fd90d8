"""What actors are sent: messages, which are told, and requests, which are asked and answered.

A message says by its type who takes it, and a request what it is answered with, so that the type checker can hold
both ends to it:

    class Moved(Message["Engine"], frozen=True):            # told to an Engine; no answer
        px: Decimal

    class Submit(Request["Engine", Verdict], frozen=True):  # asked of an Engine; answered with a Verdict
        action: Action

The type also says what happens when the mailbox is full, and which of its two lanes the message goes by.
"""

from collections.abc import Hashable
from enum import Enum
from typing import ClassVar, Generic, TypeVar

import msgspec

Taker = TypeVar("Taker", contravariant=True)
Reply = TypeVar("Reply", covariant=True)


class WhenFull(Enum):
    """What becomes of a message that finds its lane of the mailbox full."""

    REFUSE = "refuse"  # its sender gets MailboxFull
    WAIT = "wait"  # its sender waits for room, by `send` or `ask`; `tell` can't wait and gets MailboxFull
    KEEP_NEWEST = (
        "keep newest"  # the oldest waiting of its type and `key` makes room; none there: MailboxFull
    )


class Lane(Enum):
    """Where a message queues. Of one lane, messages are taken in the order in which they came."""

    USER = "user"
    SYSTEM = "system"  # taken before anything of the other lane; what is in hand is not interrupted


class Mail(msgspec.Struct, Generic[Taker, Reply], frozen=True):
    """What can be put into the mailbox of a `Taker`. Write a Message or a Request."""

    when_full: ClassVar[WhenFull] = WhenFull.REFUSE
    lane: ClassVar[Lane] = Lane.USER

    @property
    def key(self) -> Hashable:
        """What KEEP_NEWEST tells messages of one type apart by, such as a symbol; a field may take its place."""
        return None


class Message(Mail[Taker, None], Generic[Taker], frozen=True):
    """What is told to a `Taker`, without an answer."""


class Request(Mail[Taker, Reply], Generic[Taker, Reply], frozen=True):
    """What is asked of a `Taker`, and answered with a `Reply`. It can be told, too: then nobody hears the answer."""
