"""What goes wrong, when and where: made of a seed alone, so that a seed is all it takes to see it again."""

from enum import StrEnum
from random import Random

import msgspec


class Kind(StrEnum):
    """What can go wrong, and what people do meanwhile."""

    # to a whole process
    KILL = "the process is killed, at the point after so many"
    KILL_NOW = "the process is killed between two messages"
    STOP = "the process is ended in order"
    SECOND = "a second process is started beside the first, for a while"
    PAUSE = "the process stands still at the point after so many, and another takes over; then it goes on"
    AWAY = "the database does not answer, for a while"
    FULL = "the database's disk is full, for a while"
    CUT = "the connection is cut, at the point after so many"
    FORWARD = "the clock is set forward"
    BACK = "the clock is set back"
    # to one deployment
    CRASH = "a fault of the program's own, at the point after so many"
    STORM = "its actors crash again and again"
    HANG = "a handler never returns, at the point after so many"
    DOOMED = "it crashes at every start"
    FLOOD = "its mailboxes are filled to the brim"
    SILENCE = "its feed stops, for a while"
    # by people
    COMMAND = "it is told something"
    TWICE = "it is told something, and told the same again"
    LOST = "it is told something, and nobody is woken"
    LIFT = "a halt of its is reset"


OF_A_PROCESS = (
    Kind.KILL, Kind.KILL_NOW, Kind.STOP, Kind.SECOND, Kind.PAUSE,
    Kind.AWAY, Kind.FULL, Kind.CUT, Kind.FORWARD, Kind.BACK,
)  # fmt: skip
OF_ONE = (Kind.CRASH, Kind.STORM, Kind.HANG, Kind.DOOMED, Kind.FLOOD, Kind.SILENCE)
OF_PEOPLE = (Kind.COMMAND, Kind.TWICE, Kind.LOST, Kind.LIFT)
AT_POINTS = (Kind.KILL, Kind.PAUSE, Kind.CUT, Kind.CRASH, Kind.HANG)
COMMANDS = ("pause", "resume", "flatten", "stop", "kill", "close", "cancel")


class Fault(msgspec.Struct, frozen=True):
    """Something that goes wrong `at_s` seconds after the beginning, or so many `points` after that.

    `of_an_intent`: after the next intent that is written down from then on. `who` is the number of a deployment, `what`
    the command, `lasts_s` how long it goes on.
    """

    at_s: int
    kind: Kind
    points: int = 0
    who: int = 0
    what: str = ""
    lasts_s: int = 0
    of_an_intent: bool = False

    def __str__(self) -> str:
        """A line of a plan, for people."""
        about = [
            f"{self.points} points" + " after an intent" * self.of_an_intent,
            f"deployment {self.who}",
            self.what,
            f"{self.lasts_s} s" * bool(self.lasts_s),
        ]
        return f"{self.at_s:4d} s  {self.kind.name:8s} {self.kind}: {', '.join(filter(None, about))}"


class Asked(msgspec.Struct, frozen=True):
    """One deployment of a plan: how its Skill trades, on which market, and at what loss it halts."""

    trader: str
    feed: str
    daily_loss_pct: float
    on_stop: str


class Plan(msgspec.Struct, frozen=True):
    """One life: what runs, for how long, and what goes wrong."""

    seed: int
    deployments: tuple[Asked, ...]
    lasts_s: int
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        """The plan, for people."""
        asked = "\n".join(f"  {number}: {one}" for number, one in enumerate(self.deployments))
        return "\n".join([f"seed {self.seed}, {self.lasts_s} s", asked, *(f"  {one}" for one in self.faults)])


TRADERS = ("random", "random", "sma-cross", "buy-and-hold")
FEEDS = (
    "synthetic@{}",
    "synthetic@{}",
    "replay:2025-01-02..2025-01-06@3600x",
    "replay:2025-01-02..2025-01-06@max",
)


def plan_of(seed: int, only: Kind | None = None) -> Plan:
    """The plan of a seed; `only` one kind of fault where it is named."""
    random = Random(seed)
    lasts_s = random.randrange(130, 280)
    asked = tuple(_asked(random) for _ in range(random.randrange(1, 4)))
    kinds = [
        only or random.choice([*OF_A_PROCESS, *OF_ONE, *OF_PEOPLE * 2]) for _ in range(random.randrange(1, 8))
    ]
    faults = sorted((_fault(random, kind, lasts_s, len(asked)) for kind in kinds), key=lambda one: one.at_s)
    return Plan(seed, asked, lasts_s, tuple(faults))


def _asked(random: Random) -> Asked:
    return Asked(
        trader=random.choice(TRADERS),
        feed=random.choice(FEEDS).format(random.randrange(1, 9)),
        daily_loss_pct=random.choice((0.05, 0.2, 90)),
        on_stop=random.choice(("keep", "flatten")),
    )


def _fault(random: Random, kind: Kind, lasts_s: int, deployments: int) -> Fault:
    of_an_intent = kind in AT_POINTS and random.random() < 0.7
    return Fault(
        at_s=random.choice((0, random.randrange(3, 90), random.randrange(3, lasts_s - 20))),
        kind=kind,
        points=random.randrange(0, 24 if of_an_intent else 60),
        who=random.randrange(deployments),
        what=random.choice(COMMANDS) if kind in OF_PEOPLE else "",
        lasts_s=random.choice((3, 20, 90)),
        of_an_intent=of_an_intent,
    )
