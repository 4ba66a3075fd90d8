"""A small actor system: it knows of mailboxes, lives and time, and nothing of trading. See docs/kernel.md.

Read in this order: `message` and `actor` are what one writes; `ref` is what one sends to; `mailbox`, `life` and `cell`
are what happens in between, for one message, one life, and all lives; `system` holds all actors.
"""

from actors.kernel.actor import Actor, handles
from actors.kernel.children import Done, Failed, Outcome
from actors.kernel.dead_letters import DeadLetter, DeadLetters
from actors.kernel.errors import ActorFailed, AskTimeout, MailboxFull, Stopped
from actors.kernel.exits import NO_RESTART, Ending, Exit, NoRestart, Policy, in_one_line
from actors.kernel.manual_time import ManualTime, settle
from actors.kernel.message import Lane, Mail, Message, Request, WhenFull
from actors.kernel.ref import Ref
from actors.kernel.spec import Spec
from actors.kernel.stats import ActorStats, Change, Counts, State
from actors.kernel.system import System
from actors.kernel.time import Time, WallTime

__all__ = [
    "NO_RESTART",
    "Actor",
    "ActorFailed",
    "ActorStats",
    "AskTimeout",
    "Change",
    "Counts",
    "DeadLetter",
    "DeadLetters",
    "Done",
    "Ending",
    "Exit",
    "Failed",
    "Lane",
    "Mail",
    "MailboxFull",
    "ManualTime",
    "Message",
    "NoRestart",
    "Outcome",
    "Policy",
    "Ref",
    "Request",
    "Spec",
    "State",
    "Stopped",
    "System",
    "Time",
    "WallTime",
    "WhenFull",
    "handles",
    "in_one_line",
    "settle",
]
