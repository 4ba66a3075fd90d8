"""What the figures were measured on."""

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.environments import ROOT


def describe_machine() -> str:
    """Say in one line: processor, cores, memory, system, Python."""
    cores = os.cpu_count()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cores} cores ({_processor()}), {memory_gib:.0f} GiB, {_system()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def describe_code() -> str:
    """Name the commit that is measured, and say when files differ from it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "not a git checkout"


def load() -> float:
    """Give the load average over the last minute."""
    return os.getloadavg()[0]
