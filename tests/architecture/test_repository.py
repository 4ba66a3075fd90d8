"""What is kept in the repository works on any machine and names none."""

import re

import pytest

from tests.architecture.repository import ROOT, kept_files

REGISTRY_HOST = re.compile(rb"(pypi|npmjs|pythonhosted|deb\.debian)\.(org|com)")
MACHINE_PATH = re.compile(rb"(?<![\w.$~-])/(root|home|Users|work)/[A-Za-z0-9_.-]")
BINARY = (".png", ".ico", ".woff2", ".parquet", ".gz")


def lines_with(pattern: re.Pattern[bytes]) -> list[str]:
    """Where in the kept text files a pattern stands."""
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in kept_files()
        if path.suffix not in BINARY
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if pattern.search(line)
    ]


def pins(name: str) -> dict[str, str]:
    """The versions that a lock pins, by package."""
    return dict(line.split("==", 1) for line in (ROOT / "requirements" / name).read_text().splitlines())


@pytest.mark.parametrize("lock", ["base.lock", "dev.lock"])
def test_a_lock_holds_plain_pins(lock: str) -> None:
    """Every line is `name==version`: no host, no path, no option, nothing that is open."""
    lines = (ROOT / "requirements" / lock).read_text().splitlines()

    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.+]+( ; .+)?", line)] == []


def test_what_is_tested_is_what_runs() -> None:
    """The packages for testing hold those for running, at the same versions."""
    assert pins("base.lock").items() <= pins("dev.lock").items()


def test_no_lock_of_uv_is_kept() -> None:
    """uv.lock would record the hosts that the packages came from."""
    assert [path for path in kept_files() if path.name == "uv.lock"] == []


def test_no_registry_is_named() -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert lines_with(REGISTRY_HOST) == []


def test_no_path_of_somebodys_machine_is_named() -> None:
    """What is kept runs from any folder."""
    assert lines_with(MACHINE_PATH) == []


def test_scripts_can_be_run() -> None:
    """What make and the checks call is executable and says what runs it."""
    for script in [ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()]:
        assert script.stat().st_mode & 0o100, script
        assert script.read_text().startswith("#!/"), script
