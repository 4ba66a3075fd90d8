"""When a child is started again, and after how long: a table, a counter and a formula.

A child that ends is looked up in `RESTARTED`. Where it is to come back, it waits: half a second after its first
failure, twice as long after each further one, a minute at most. Chance shortens each pause, to no less than half, so
that children that failed of one cause do not come back at one instant. A child that then ran well for longer than
`calm_s` starts counting anew; one that did not in `most` attempts is given up.

Attempts are counted since the child last ran well, not in a window that slides: with pauses of a minute in between
such a window would never fill, and what can't start would be tried for ever.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from actors.kernel import Ending, Exit


class Restart(StrEnum):
    """What kind of child it is."""

    PERMANENT = "permanent"  # should always be there
    TRANSIENT = "transient"  # may finish its work; should not fail
    TEMPORARY = "temporary"  # is not started again; its owner sees to it


RESTARTED: Mapping[Restart, frozenset[Ending]] = MappingProxyType(
    {
        Restart.PERMANENT: frozenset({Ending.FINISHED, Ending.CRASHED}),
        Restart.TRANSIENT: frozenset({Ending.CRASHED}),
        Restart.TEMPORARY: frozenset(),
    }
)
"""Which ends of which kind of child are followed by another start."""


class Rules(msgspec.Struct, frozen=True):
    """How a child is started again. Durations in seconds; `most` attempts without a calm run end in giving up."""

    restart: Restart = Restart.PERMANENT
    most: int = 8
    calm_s: float = 120.0
    first_s: float = 0.5
    longest_s: float = 60.0


class Past(msgspec.Struct, frozen=True):
    """What is remembered of a child: the attempts since it last ran well, and when its latest run began."""

    attempts: int = 0
    began_s: float = 0.0


def decide(
    rules: Rules, past: Past, ending: Ending, now_s: float, chance: float
) -> tuple[Past, float | None]:
    """Say after how many seconds a child that ended now is started again; None: not any more.

    `now_s` is of any clock that does not run backwards, `chance` in [0, 1). Gives what is to be remembered, too.
    """
    if ending not in RESTARTED[rules.restart]:
        return past, None
    attempts = 0 if now_s - past.began_s > rules.calm_s else past.attempts
    if attempts >= rules.most:
        return past, None
    delay = min(rules.first_s * 2.0**attempts, rules.longest_s) * (1 - chance / 2)
    return Past(attempts + 1, now_s + delay), delay


class Policy:
    """The rules of one child together with its past. A kernel's policy."""

    def __init__(self, rules: Rules, random: Callable[[], float], now_s: float) -> None:
        self._rules, self._random, self._past = rules, random, Past(began_s=now_s)

    @property
    def attempts(self) -> int:
        """How often it was started again since it last ran well."""
        return self._past.attempts

    def after(self, exit: Exit, now_s: float) -> float | None:
        """Take note of an end; give the pause before the next start, or None where there is none."""
        self._past, delay = decide(self._rules, self._past, exit.ending, now_s, self._random())
        return delay

    def forget(self) -> None:
        """Count its attempts anew, as after a calm run."""
        self._past = Past(began_s=self._past.began_s)
