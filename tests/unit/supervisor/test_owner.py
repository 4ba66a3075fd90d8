"""Which process owns what is told by a name, and a process that was killed is known to be gone where it ran."""

import os
import subprocess
import sys

from supervisor.owner import is_gone, new_owner


def _owner_of_another() -> tuple[subprocess.Popen[str], str]:
    """Another process, which lives, and the name it has."""
    script = "from supervisor.owner import new_owner; print(new_owner(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_every_start_has_a_name_of_its_own() -> None:
    """Also two in one process."""
    assert new_owner() != new_owner()
    assert f":{os.getpid()}:" in new_owner()


def test_a_process_is_gone_once_it_was_killed_and_not_before() -> None:
    """While it lives nobody may take what it owns."""
    process, owner = _owner_of_another()
    assert not is_gone(owner)
    process.kill()
    process.communicate()
    assert is_gone(owner)


def test_what_can_not_be_known_from_here_is_not_taken_to_be_gone() -> None:
    """Another machine's, another boot's, and names that are none."""
    process, owner = _owner_of_another()
    process.kill()
    process.communicate()
    host, pid, rest = owner.rsplit(":", 2)
    elsewhere = f"{host}:{pid}:{'0' * 8}-{rest.partition('-')[2]}"
    for name in (elsewhere, f"{host}:{pid}:7c21d0aa", "", "nobody", f"{host}:0:{rest}", f"{host}:-1:{rest}"):
        assert not is_gone(name), name


def test_a_number_that_was_given_to_us_since_belongs_to_nobody_else() -> None:
    """A container's first process has the same number at every start."""
    host, pid, rest = new_owner().rsplit(":", 2)
    assert is_gone(f"{host}:{pid}:{rest[:-8]}00000000")
