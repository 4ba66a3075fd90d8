"""Imports only point down, and the fences stand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, pyproject, rooms

FORBIDDEN = {
    "domain/planted.py": "import config",
    "config/planted.py": "import skills",
    "brokers/planted.py": "import engine",
    "skills/planted.py": "import socket",
    "db/planted.py": "import market",
    "engine/planted.py": "import db",
    "market/planted.py": "from domain.orders import Order",
    "agent/planted.py": "import brokers.base",
    "simulator/planted.py": "import aiohttp",
    "actors/planted.py": "import config.settings",
    "actors/planted_too.py": "import apprise",
    "control/planted.py": "import rich",
    "supervisor/planted.py": "import web",
    "web/planted.py": "import db.pool",
}
"""One line for each fence that must not pass, by the file it is planted in."""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts of pyproject.toml against the packages of a folder."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as lint; lint()",
            "--no-cache",
            "--no-logo",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_points_down_and_no_fence_is_crossed() -> None:
    """The contracts in pyproject.toml hold for the code as it is."""
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout


def test_every_room_has_its_place_in_the_layers() -> None:
    """No package escapes the contracts by not being named in them."""
    linter = pyproject()["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in linter["contracts"] if contract["type"] == "layers")
    placed = [room.strip() for layer in layers for room in layer.split("|")]

    assert sorted(placed) == sorted(rooms())
    assert sorted(linter["root_packages"]) == sorted(rooms())
    assert sorted(pyproject()["tool"]["mypy"]["packages"]) == sorted([*rooms(), "bench"])


@pytest.fixture(scope="module")
def report_on_planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a house in which every fence is crossed once."""
    house = tmp_path_factory.mktemp("house")
    (house / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for module in _modules_named_in_contracts():
        _write(house / f"{module.replace('.', '/')}.py", "")
    for room in rooms():
        _write(house / room / "__init__.py", "")
    for module, line in FORBIDDEN.items():
        _write(house / module, line)
    return lint(house).stdout


def _modules_named_in_contracts() -> set[str]:
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    forbidden = {module for contract in contracts for module in contract.get("forbidden_modules", [])}
    return {module for module in forbidden if "." in module} | {"brokers.base", "db.pool"}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("module", FORBIDDEN)
def test_a_forbidden_import_is_found(report_on_planted: str, module: str) -> None:
    """A line that crosses a fence is reported with its module."""
    name = module.removesuffix(".py").replace("/", ".")

    assert f"{name} -> {FORBIDDEN[module].split()[1]}" in report_on_planted
