"""The life of a deployment and of a command to it, as tables. Anything that is not in them is an error."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Where a deployment stands. `stopped` and `failed` are ends; what it holds is still watched by its engine."""

    PROVISIONING = "provisioning"  # asked for; its account is being opened, or recovered
    RUNNING = "running"
    PAUSED = "paused"  # by a person, until resumed: no ticks; stream, marks, protections and halts go on
    FLATTENING = "flattening"  # getting flat: because of a halt, a flatten, or a kill
    HALTED = "halted"  # a loss cap was met and the account is flat
    STOPPING = "stopping"  # its tick is being finished or abandoned, raising orders are being cancelled
    STOPPED = "stopped"
    FAILED = "failed"  # gave up; `reason` says why

    @property
    def is_over(self) -> bool:
        return not NEXT[self]


class Step(StrEnum):
    """What can happen to a deployment."""

    STARTED = "started"  # its account is open and reconciled
    PAUSED = "paused"
    RESUMED = "resumed"
    FLATTEN = "flatten"  # by a halt, or by hand
    HALTED = "halted"  # a halt's flattening is done
    FLAT = "flat"  # a flattening by hand is done
    LIFTED = "lifted"  # a halt is over: the next day, or by hand
    STOP = "stop"
    STOPPED = "stopped"
    GAVE_UP = "gave_up"


_S, _E = Status, Step
_ENDS = {_E.STOP: _S.STOPPING, _E.GAVE_UP: _S.FAILED}

NEXT: Mapping[Status, Mapping[Step, Status]] = MappingProxyType(
    {
        _S.PROVISIONING: {_E.STARTED: _S.RUNNING, **_ENDS},
        _S.RUNNING: {_E.PAUSED: _S.PAUSED, _E.FLATTEN: _S.FLATTENING, **_ENDS},
        _S.PAUSED: {_E.RESUMED: _S.RUNNING, _E.FLATTEN: _S.FLATTENING, **_ENDS},
        _S.FLATTENING: {_E.HALTED: _S.HALTED, _E.FLAT: _S.PAUSED, _E.PAUSED: _S.PAUSED, **_ENDS},
        _S.HALTED: {_E.LIFTED: _S.RUNNING, _E.PAUSED: _S.PAUSED, **_ENDS},
        _S.STOPPING: {_E.STOPPED: _S.STOPPED, _E.GAVE_UP: _S.FAILED},
        _S.STOPPED: {},
        _S.FAILED: {},
    }
)
"""status × step → status; anything else is refused and changes nothing."""


class IllegalMove(Exception):
    """A deployment was told something that can't happen to it where it stands."""


def after(status: Status, step: Step) -> Status:
    """The status after a step. Raises IllegalMove naming both."""
    try:
        return NEXT[status][step]
    except KeyError:
        raise IllegalMove(f"a deployment that is {status} can't take the step {step}") from None


class CommandKind(StrEnum):
    """What a person can tell a deployment."""

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    FLATTEN = "flatten"
    KILL = "kill"
    CLOSE = "close"  # one position, by hand: {"symbol"}
    CANCEL = "cancel"  # one order, by hand: {"order"}
    UPGRADE = "upgrade"  # to another version of the same Skill: {"version_id"}
    RESET_HALT = "reset_halt"
    ACKNOWLEDGE = "acknowledge"  # a foreign position or order of {"symbol"} has been seen by a person


class CommandState(StrEnum):
    """Where a command stands."""

    QUEUED = "queued"
    ACKNOWLEDGED = "acknowledged"  # the deployment has it; carried out once, whatever happens
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"  # nobody took it before its deadline


COMMAND_NEXT: Mapping[CommandState, frozenset[CommandState]] = MappingProxyType(
    {
        CommandState.QUEUED: frozenset({CommandState.ACKNOWLEDGED, CommandState.EXPIRED}),
        CommandState.ACKNOWLEDGED: frozenset({CommandState.DONE, CommandState.FAILED}),
        CommandState.DONE: frozenset(),
        CommandState.FAILED: frozenset(),
        CommandState.EXPIRED: frozenset(),
    }
)
"""What may become of a command in each state."""
