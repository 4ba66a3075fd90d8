"""The doctor's checks, on both sides of their edges."""

import socket
from pathlib import Path

import pytest

from cli import doctor
from cli.checks import Check, State
from db.migrate import read_migrations
from domain.time import DAY_MS, parse_ts


def test_only_systems_with_unix_sockets_will_do() -> None:
    """Linux and macOS serve; Windows is told of WSL."""
    assert doctor.check_system("linux", "Linux 6.1").state is State.OK
    assert doctor.check_system("darwin", "macOS 15").state is State.OK
    assert "WSL" in doctor.check_system("win32", "Windows 11").todo


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10, 19), State.BAD), ((3, 11, 0), State.OK), ((3, 14, 1), State.OK)]
)
def test_python_must_be_new_enough(version: tuple[int, int, int], state: State) -> None:
    """3.11 is the oldest that runs the program."""
    assert doctor.check_python(version).state is state


def test_packages_for_everybody_are_only_a_warning() -> None:
    """Outside a virtual environment the program works, and shares its packages with others."""
    assert doctor.check_environment("/usr", "/usr").state is State.WARN
    assert doctor.check_environment("/here/.venv", "/usr").state is State.OK


def test_a_package_of_another_version_is_named(tmp_path: Path) -> None:
    """The line says what is installed and what was pinned."""
    lock = tmp_path / "base.lock"
    lock.write_text("msgspec==0.0.1\nno-such-package==1.0\n")

    found = doctor.check_pins(lock)

    assert found.state is State.BAD
    assert "instead of 0.0.1" in found.found
    assert "no-such-package nothing instead of 1.0" in found.found


def test_this_environment_is_as_pinned_and_loads() -> None:
    """The tests run with the packages that the lock names."""
    assert doctor.check_pins(doctor.LOCK).state is State.OK
    assert doctor.check_imports() == Check("imports", State.OK, "every package loads")


def test_an_installation_without_a_checkout_has_no_lock(tmp_path: Path) -> None:
    """Then there is nothing to compare with, and nothing wrong."""
    assert doctor.check_pins(tmp_path / "base.lock").state is State.OK


def test_a_clock_from_before_the_program_is_wrong() -> None:
    """No time much earlier than the newest migration can be now; its date may be some days ahead."""
    newest = read_migrations()[-1].version
    dated = parse_ts(f"{newest[:4]}-{newest[4:6]}-{newest[6:8]}")

    assert doctor.check_clock(parse_ts("2020-01-01")).state is State.BAD
    assert doctor.check_clock(dated - 2 * DAY_MS).state is State.OK
    assert doctor.check_clock(parse_ts("2100-01-01")).state is State.OK


def test_a_home_that_does_not_exist_yet_is_fine_and_stays_so(tmp_path: Path) -> None:
    """A check makes nothing."""
    home = tmp_path / "deep" / "state"

    assert doctor.check_home(home).state is State.OK
    assert not home.parent.exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The line says what to set."""
    home = tmp_path / "file"
    home.touch()

    found = doctor.check_home(home)

    assert found.state is State.BAD
    assert "AGENTIC_HOME" in found.todo


@pytest.mark.parametrize(
    ("free_bytes", "state"),
    [
        (doctor.DISK_NEEDED_BYTES - 1, State.BAD),
        (doctor.DISK_NEEDED_BYTES, State.WARN),
        (doctor.DISK_WANTED_BYTES, State.OK),
    ],
)
def test_there_must_be_room_on_the_disk(free_bytes: int, state: State) -> None:
    """Too little is wrong, little is a warning."""
    assert doctor.check_disk(Path("/"), free_bytes).state is state


def test_a_taken_port_is_a_warning() -> None:
    """It may well be the program itself that serves there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert doctor.check_port("127.0.0.1", port).state is State.WARN

    assert doctor.check_port("127.0.0.1", port).state is State.OK


def test_an_address_of_another_machine_is_wrong() -> None:
    """The page can't be served on an address that is not ours; 192.0.2.0/24 is nobody's (RFC 5737)."""
    assert doctor.check_port("192.0.2.1", 8080).state is State.BAD


def test_the_embedded_servers_programs_run(tmp_path: Path) -> None:
    """They are asked for their version as the user that the server would run as."""
    found = doctor.check_server_programs(tmp_path)

    assert found.state is State.OK
    assert "PostgreSQL" in found.found


def test_a_database_that_was_never_made_is_left_unmade(tmp_path: Path) -> None:
    """The first start makes it; a check does not."""
    assert doctor.check_database(tmp_path, None).state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    """Nothing listens on port 1."""
    found = doctor.check_database(tmp_path, "postgresql://agentic:planted@127.0.0.1:1/agentic")

    assert found.state is State.BAD
    assert "planted" not in str(found)


def test_wrong_settings_are_one_line_among_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor says so and still looks at what needs no settings."""
    monkeypatch.setenv("AGENTIC_WEB_PORT", "abc")

    found = {check.name: check for check in doctor.run_checks()}

    assert found["settings"].state is State.BAD
    assert "AGENTIC_WEB_PORT" in found["settings"].found
    assert found["python"].state is State.OK
