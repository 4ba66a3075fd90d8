"""The command as a process of its own: how it ends, and what it leaves on its two streams."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).parent / "agentic"


def agentic(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, with nothing of this machine's settings."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AGENTIC_", "DATABASE_"))
    }
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=cwd,
        env=kept | {"AGENTIC_HOME": str(cwd / "home")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_expected_error_ends_with_1_and_one_line(tmp_path: Path) -> None:
    """No traceback, nothing on stdout."""
    done = agentic("skill", "list", cwd=tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "no database answers" in done.stderr


def test_a_fault_of_the_programs_own_is_one_line_too(tmp_path: Path) -> None:
    """It owns up, and says how to see more."""
    (tmp_path / "fault.py").write_text(
        "import sys, cli.main as main\n"
        "main.load = lambda name: {}['boom']\n"
        "sys.argv = ['agentic', 'skill', 'list']\n"
        "main.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "fault.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "agentic failed, which is a fault of its own: KeyError: 'boom'; AGENTIC_LOG_LEVEL=debug shows where\n"
    )


def test_a_reader_that_leaves_is_no_error_to_speak_of(tmp_path: Path) -> None:
    """`agentic … | head -1` says nothing on stderr, however short the output is."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [COMMAND, "doctor", "--settings", "--json"],
            cwd=tmp_path,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writer)

    assert done.stderr == ""


def test_ctrl_c_ends_with_130_and_says_nothing(tmp_path: Path) -> None:
    """In the middle of its work, here while it waits for a database that takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as slow:
        url = f"postgresql://me@127.0.0.1:{slow.getsockname()[1]}/x?sslmode=disable"
        process = subprocess.Popen(
            [COMMAND, "skill", "list"],
            cwd=tmp_path,
            env=os.environ | {"DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with slow.accept()[0] as connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)

    assert (process.returncode, said) == (130, ("", ""))
