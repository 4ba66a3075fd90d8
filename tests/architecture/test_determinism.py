"""Time and chance are handed in: only a few places may look at the wall or throw dice."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.repository import sources

ALLOWED = {
    "domain/time.py": "the system clock, which is handed to everybody else",
    "domain/ids.py": "uuid v7 carries the time and noise, unless both are handed in",
}
"""Where the wall's time and the machine's noise may be read, and why."""

FORBIDDEN = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "os.urandom",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
    "uuid.uuid1",
    "uuid.uuid4",
}
FORBIDDEN_ROOTS = ("random.", "secrets.", "numpy.random.")
FINE_WITH_A_SEED = {"random.Random", "numpy.random.default_rng"}
FINE = {"numpy.random.Generator", "numpy.random.PCG64", "numpy.random.Philox", "numpy.random.SeedSequence"}


def strays(tree: ast.Module) -> list[str]:
    """The uses of wall time and unseeded chance in a module, as "line: name"."""
    names = dict(_imported_names(tree))
    seeded = {
        id(call.func)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and (call.args or call.keywords)
    }
    return [
        f"{node.lineno}: {name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and (name := _full_name(node, names))
        and _is_stray(name, has_seed=id(node) in seeded)
    ]


def _imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    alias.asname or alias.name.split(".")[0],
                    alias.name if alias.asname else alias.name.split(".")[0],
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute) and (owner := _full_name(node.value, names)):
        return f"{owner}.{node.attr}"
    return ""


def _is_stray(name: str, *, has_seed: bool) -> bool:
    if name in FORBIDDEN:
        return True
    fine = name in FINE or (name in FINE_WITH_A_SEED and has_seed)
    return name.startswith(FORBIDDEN_ROOTS) and not fine


def test_nobody_else_reads_the_wall_clock_or_throws_dice() -> None:
    """Every other module takes a Clock, a seed or an id."""
    found = {path: strays(tree) for path, tree in sources() if path not in ALLOWED}

    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_allowed_places_still_need_to_be() -> None:
    """An exception that is no longer used is taken off the list."""
    found = {path: strays(tree) for path, tree in sources("domain")}

    assert [path for path in ALLOWED if not found[path]] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\nt = time.time()",
        "import time as clock\nt = clock.time_ns()",
        "from time import time_ns\nread = time_ns",
        "from datetime import datetime\nnow = datetime.now(tz=None)",
        "import datetime\nnow = datetime.datetime.utcnow()",
        "from datetime import date as day\nnow = day.today()",
        "import random\nx = random.random()",
        "from random import Random\nr = Random()",
        "import numpy as np\nr = np.random.default_rng()",
        "import numpy as np\nx = np.random.rand(3)",
        "import secrets\nx = secrets.token_hex()",
        "from uuid import uuid4\nnew = uuid4",
    ],
)
def test_a_stray_clock_or_die_is_found(source: str) -> None:
    """However it is imported or named, and whether it is called or handed on."""
    assert strays(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\nr = Random(7)",
        "import numpy as np\nr = np.random.default_rng(seed=7)",
        "import numpy as np\ndef draw(rng: np.random.Generator) -> float: return rng.random()",
        "import time\nstarted = time.perf_counter()",
        "def now(clock): return clock.time()",
        "from datetime import datetime\nt = datetime.fromisoformat('2025-01-01')",
    ],
)
def test_seeds_and_durations_are_fine(source: str) -> None:
    """What gives the same again, or only measures how long something took, is no stray."""
    assert strays(ast.parse(source)) == []
