"""No installed package brings a top-level name that is ours: it would be imported in place of our room."""

from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from tests.architecture.repository import pyproject, rooms

OUR_DISTRIBUTION: str = pyproject()["project"]["name"]


def our_names() -> set[str]:
    """The names that must lead to this repository and nowhere else."""
    return {*rooms(), "tests", "bench"}


def top_level_names(distribution: Distribution) -> set[str]:
    """The names that a distribution puts where Python looks for imports."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    first_parts = {file.parts[0] for file in distribution.files or () if _is_importable(file.name)}
    return {*declared, *(part.split(".")[0] for part in first_parts)} - {".."}


def _is_importable(file_name: str) -> bool:
    return file_name.endswith((".py", ".pyc", ".pyi", ".so", ".pyd"))


def clashes(installed: Iterable[Distribution]) -> list[str]:
    """Say which distribution takes which of our names."""
    return [
        f"{distribution.name} provides a top-level package called {name}"
        for distribution in installed
        if distribution.name != OUR_DISTRIBUTION
        for name in sorted(top_level_names(distribution) & our_names())
    ]


def plant(folder: Path, name: str, record: str, top_level: str = "") -> None:
    """Install a distribution that consists of its own description."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(record)
    (info / "top_level.txt").write_text(top_level)
    for line in record.splitlines():
        file = folder / line.split(",")[0]
        if file.resolve().is_relative_to(folder):  # files that are not there count for nothing
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def test_no_installed_package_takes_one_of_our_names() -> None:
    """`import engine` and the like can only mean ours."""
    assert clashes(distributions()) == []


def test_a_package_with_one_of_our_names_is_found(tmp_path: Path) -> None:
    """A room's name is found among the files, as a single module, and in top_level.txt."""
    plant(tmp_path, "as-folder", "engine/__init__.py,,\nengine/core.py,,\n")
    plant(tmp_path, "as-module", "web.py,,\n")
    plant(tmp_path, "as-declared", "", top_level="tests\n")

    found = clashes(distributions(path=[str(tmp_path)]))

    assert sorted(found) == [
        "as-declared provides a top-level package called tests",
        "as-folder provides a top-level package called engine",
        "as-module provides a top-level package called web",
    ]


def test_a_package_that_keeps_to_itself_is_left_alone(tmp_path: Path) -> None:
    """One of our names deeper inside a package, or as a data file, is no clash."""
    plant(
        tmp_path, "polite", "polite/engine/__init__.py,,\n../../bin/agentic,,\nweb/readme.txt,,\n", "polite\n"
    )

    assert clashes(distributions(path=[str(tmp_path)])) == []
