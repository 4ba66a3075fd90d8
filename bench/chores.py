"""The chores around the job, each beside its limit: importing a million bars, the help, the first page, a comeback."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

from bench.environments import ROOT, NotAvailable
from bench.measure import clean_environment, measure
from bench.peers.job import import_file
from bench.product import AGENTIC, Home

LIMITS = ROOT / "bench" / "limits"
DEPLOYMENTS = 50
_START_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Something a user waits for, and the least it can take: both give seconds, by the number of the round."""

    name: str
    limit_name: str
    goal_s: float
    ours: Callable[[int], float]
    limit: Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Done:
    """A chore's seconds over the rounds, and its limit's; or the reason why there are none."""

    chore: Chore
    ours_s: list[float] = field(default_factory=list)
    limit_s: list[float] = field(default_factory=list)
    reason: str = ""


def do(chore: Chore, rounds: int) -> Done:
    """Do a chore and its limit in turn, once more than is counted: the first time warms the caches."""
    done = Done(chore)
    try:
        for number in range(rounds + 1):
            ours, limit = chore.ours(number), chore.limit(number)
            if number:
                done.ours_s.append(ours)
                done.limit_s.append(limit)
    except NotAvailable as error:
        return Done(chore, reason=str(error))
    return done


def chores(home: Home, data: Path) -> list[Chore]:
    """Give the chores, to be done in rounds."""
    file = import_file(str(data))
    python = sys.executable

    def import_rows(number: int) -> float:
        return home.import_bars(file, f"ROWS{number}", "1m").wall_s

    return [
        Chore(
            "`agentic data import` of 1,000,000 bars",
            "COPY of the same file into a bare table",
            20.0,
            import_rows,
            lambda number: _seconds([python, str(LIMITS / "copy_rows.py"), home.dsn, str(file)]),
        ),
        Chore(
            "`agentic --help`",
            "`python -c pass`",
            0.3,
            lambda number: _seconds([AGENTIC, "--help"]),
            lambda number: _seconds([python, "-c", "pass"]),
        ),
        Chore(
            "`agentic up` to the first page, warm",
            "the database server and a bare aiohttp page",
            8.0,
            _start_ours(home),
            _start_bare(home),
        ),
        Chore(
            "the slowest of 200 answers of the control socket, while children misbehave",
            "a bare socket that sends back what it is sent",
            0.1,
            _reached("agentic"),
            _reached("bare"),
        ),
        Chore(
            f"`agentic up` after `kill -9`, until {DEPLOYMENTS} deployments tick again",
            f"a bare process that stores {DEPLOYMENTS} rows",
            10.0,
            _came_back(home),
            lambda number: _seconds([python, str(LIMITS / "bare_comeback.py"), home.dsn, str(DEPLOYMENTS)]),
        ),
    ]


def _seconds(command: Sequence[str]) -> float:
    process = measure(command, clean_environment())
    if process.exit_code:
        raise NotAvailable(process.reason())
    return process.wall_s


def _start_ours(home: Home) -> Callable[[int], float]:
    folder = str(home.folder / "started")

    def start(number: int) -> float:
        port = free_port()
        return first_page_s([AGENTIC, "up", "--port", str(port)], port, home.folder, AGENTIC_HOME=folder)

    return start


def _start_bare(home: Home) -> Callable[[int], float]:
    folder = str(home.folder / "bare")

    def start(number: int) -> float:
        port = free_port()
        script = [sys.executable, str(LIMITS / "first_page.py"), folder, str(port)]
        return first_page_s(script, port, home.folder, PYTHONPATH=str(ROOT))

    return start


def _came_back(home: Home) -> Callable[[int], float]:
    def come_back(number: int) -> float:
        folder = str(home.folder / f"comeback{number}")
        return _said_s([sys.executable, "-m", "bench.comeback", folder, str(DEPLOYMENTS)])

    return come_back


def _reached(side: str) -> Callable[[int], float]:
    def reach(number: int) -> float:
        return _said_s([sys.executable, "-m", "bench.reach", side])

    return reach


def _said_s(command: Sequence[str]) -> float:
    """Run one of the bench's own modules, which prints the seconds it measured."""
    process = measure(command, clean_environment(), folder=ROOT)
    if process.exit_code:
        raise NotAvailable(process.reason())
    return float(process.output)


def free_port() -> int:
    """Find a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def first_page_s(command: Sequence[str], port: int, folder: Path, **environment: str) -> float:
    """Start a server in `folder`, say when its first page came, and stop it. Raises NotAvailable when none comes."""
    started = time.perf_counter()
    with TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            while not _serves(port):
                if process.poll() is not None or time.perf_counter() - started > _START_LIMIT_S:
                    said.seek(0)
                    lines = said.read().decode(errors="replace").splitlines()
                    raise NotAvailable(f"no page came: {lines[-1] if lines else 'it said nothing'}")
                time.sleep(0.005)
            return time.perf_counter() - started
        finally:
            process.send_signal(signal.SIGINT)
            _end(process)


def _serves(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
