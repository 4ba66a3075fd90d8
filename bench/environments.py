"""The peers' virtual environments: one each, made on first use, with the versions of requirements/bench-NAME.txt.

uv installs where there is one and it can, else pip, as in scripts/setup. A peer that can't be had on this machine
is no error: the others are still measured.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import clean_environment

ROOT = Path(__file__).parents[1]


class NotAvailable(Exception):
    """A peer can't be run here. One line: why."""


def interpreter_of(peer: str, folder: Path) -> Path:
    """Give the Python that has a peer's packages, making its environment in `folder` first. Raises NotAvailable."""
    pins = ROOT / "requirements" / f"bench-{peer}.txt"
    environment = folder / peer
    python = environment / "bin" / "python"
    ready = environment / f".ready-{_fingerprint(pins)}"
    if not ready.exists():
        print(f"making an environment for {peer}", file=sys.stderr)
        shutil.rmtree(environment, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(environment)])
        _install(python, pins)
        ready.touch()
    return python


def _fingerprint(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]


def _install(python: Path, pins: Path) -> None:
    try:
        _install_with_uv(python, pins)
    except NotAvailable:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "-r", str(pins)])


def _install_with_uv(python: Path, pins: Path) -> None:
    beside = Path(sys.executable).parent
    uv = shutil.which("uv", path=os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)]))
    if uv is None:
        raise NotAvailable("there is no uv")
    index = index_of(_run([str(python), "-m", "pip", "config", "list"]))
    wanted = {"UV_SYSTEM_CERTS": "1"} | ({"UV_DEFAULT_INDEX": index} if index else {})
    command = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    _run([*command, "-r", str(pins)], wanted | os.environ)


def index_of(pip_config: str) -> str | None:
    """Find the package index in what `pip config list` printed; the last one holds."""
    found = re.findall(r"^\S*\.index-url='(.*)'$", pip_config, re.MULTILINE)
    return found[-1] if found else None


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program for what it prints. Raises NotAvailable with the last line it complained with."""
    done = subprocess.run(
        command,
        env=clean_environment(**(environment or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotAvailable(
            said[-1].strip().removeprefix("ERROR: ") if said else f"{command[0]} failed and said nothing"
        )
    return done.stdout
