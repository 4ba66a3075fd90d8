"""What the type checker holds: who takes a message, what a request is answered with, what a broker may be told."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

IMPORTS = """\
from actors.kernel import Actor, Message, Ref, Request, handles
from brokers.base import Approved, Broker
from domain.orders import Order
"""

ACTORS = '''
class Weigh(Request["Scales", float], frozen=True):
    """How heavy is it?"""


class Tare(Message["Scales"], frozen=True):
    """Begin at nothing."""


class Scales(Actor):
    @handles(Weigh)
    async def weigh(self, message: Weigh) -> float:
        return 1.5

    @handles(Tare)
    async def tare(self, message: Tare) -> None:
        self.after(1_000, Tare(), key="again")


class PreciseScales(Scales):
    """Scales of another kind."""


class Write(Message["Clerk"], frozen=True):
    """Write something down."""


class Clerk(Actor):
    @handles(Write)
    async def write(self, message: Write) -> None: ...
'''

RIGHT = {
    "an answer is of the type that the request promises": """
async def use(scales: Ref[Scales]) -> float:
    return await scales.ask(Weigh(), timeout_s=5)
""",
    "a message is told to an actor that takes it": """
async def use(scales: Ref[Scales], clerk: Ref[Clerk]) -> None:
    scales.tell(Tare())
    await scales.send(Tare())
    clerk.tell(Write())
""",
    "an actor takes what its base takes": """
async def use(scales: Ref[PreciseScales]) -> float:
    scales.tell(Tare())
    any_scales: Ref[Scales] = scales
    return await any_scales.ask(Weigh(), timeout_s=5)
""",
    "a broker is told to place an order that is approved": """
async def use(broker: Broker, order: Approved[Order]) -> None:
    await broker.place(order)
""",
}

WRONG = {
    "an answer used as another type": (
        """
async def use(scales: Ref[Scales]) -> str:
    return await scales.ask(Weigh(), timeout_s=5)
""",
        'Argument 1 to "ask" of "Ref" has incompatible type "Weigh"; expected "Request[Scales, str]"',
    ),
    "an answer used as another type later on": (
        """
async def use(scales: Ref[Scales]) -> None:
    weight = await scales.ask(Weigh(), timeout_s=5)
    weight.upper()
""",
        '"float" has no attribute "upper"',
    ),
    "an answer expected of a message": (
        """
async def use(scales: Ref[Scales]) -> None:
    await scales.ask(Tare(), timeout_s=5)
""",
        'Argument 1 to "ask" of "Ref" has incompatible type "Tare"; expected "Request[Scales, Never]"',
    ),
    "a message told to an actor that does not take it": (
        """
def use(clerk: Ref[Clerk]) -> None:
    clerk.tell(Tare())
""",
        'Argument 1 to "tell" of "Ref" has incompatible type "Tare"; expected "Mail[Clerk, Any]"',
    ),
    "a request asked of an actor that does not take it": (
        """
async def use(clerk: Ref[Clerk]) -> None:
    await clerk.ask(Weigh(), timeout_s=5)
""",
        'Argument 1 to "ask" of "Ref" has incompatible type "Weigh"; expected "Request[Clerk, float]"',
    ),
    "a message to itself that an actor does not take": (
        """
class Absent(Actor):
    async def started(self) -> None:
        self.every(1_000, Tare())
""",
        'Argument 2 to "every" of "Actor" has incompatible type "Tare"',
    ),
    "a handler that answers something else": (
        """
class Broken(Actor):
    @handles(Weighing)
    async def weigh(self, message: "Weighing") -> str:
        return "heavy"

class Weighing(Request[Broken, float], frozen=True):
    pass
""",
        'expected "Callable[[Broken, Weighing], Coroutine[Any, Any, float]]"',
    ),
    "a handler that answers a message": (
        """
class Talkative(Actor):
    @handles(Said)
    async def say(self, message: "Said") -> str:
        return "yes"

class Said(Message[Talkative], frozen=True):
    pass
""",
        'expected "Callable[[Talkative, Said], Coroutine[Any, Any, None]]"',
    ),
    "a handler of another message than it says": (
        """
class Confused(Actor):
    @handles(One)
    async def one(self, message: "Other") -> None: ...

class One(Message[Confused], frozen=True):
    pass

class Other(Message[Confused], frozen=True):
    pass
""",
        'expected "Callable[[Confused, One], Coroutine[Any, Any, None]]"',
    ),
    "a handler of a message that is for others": (
        """
class Thief(Actor):
    @handles(Write)
    async def write(self, message: Write) -> None: ...
""",
        'expected "Callable[[Clerk, Write], Coroutine[Any, Any, None]]"',
    ),
    "an order that nobody has approved": (
        """
async def use(broker: Broker, order: Order) -> None:
    await broker.place(order)
""",
        'Argument 1 to "place" of "Broker" has incompatible type "Order"; expected "Approved[Order]"',
    ),
    "a cancellation that nobody has approved": (
        """
async def use(broker: Broker) -> None:
    await broker.cancel(7)
""",
        'Argument 1 to "cancel" of "Broker" has incompatible type "int"; expected "Approved[int]"',
    ),
    "an approval made without a seal": (
        """
def approve(order: Order) -> Approved[Order]:
    return Approved(order)
""",
        'Missing positional argument "seal" in call to "Approved"',
    ),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the type checker says of each snippet: one run for all of them."""
    folder = tmp_path_factory.mktemp("snippets")
    snippets = {**RIGHT, **{what: source for what, (source, _) in WRONG.items()}}
    files = {what: folder / f"snippet_{number}.py" for number, what in enumerate(snippets)}
    (folder / "scales.py").write_text(IMPORTS + ACTORS)
    for what, path in files.items():
        path.write_text(f"{IMPORTS}from scales import *\n{snippets[what]}")
    lines = _check(folder, list(files.values()))
    return {
        what: [line for line in lines if line.startswith(f"{path.name}:")] for what, path in files.items()
    }


def _check(folder: Path, files: list[Path]) -> list[str]:
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", "cache", "--no-pretty"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *(path.name for path in files)],
        cwd=folder,
        env={"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("what", RIGHT)
def test_the_right_use_passes(what: str, complaints: dict[str, list[str]]) -> None:
    """So that what is found below is not found everywhere."""
    assert complaints[what] == []


@pytest.mark.parametrize("what", WRONG)
def test_the_wrong_use_is_an_error(what: str, complaints: dict[str, list[str]]) -> None:
    """Of that line, and for that reason."""
    assert [line for line in complaints[what] if WRONG[what][1] in line] != []
