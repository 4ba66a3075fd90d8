"""What a check of `agentic doctor` answers with."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """How a check ended: all is well, it works but look at it, or it will not work."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Check(msgspec.Struct, frozen=True):
    """One thing looked at: what was found and, unless it is well, what to do."""

    name: str
    state: State
    found: str
    todo: str = ""
