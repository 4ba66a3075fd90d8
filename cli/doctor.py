"""What is wrong with this machine's set-up, and what to do about it. The core of `agentic doctor`.

Each check looks at one thing and answers with one line; what it judges is handed to it where that can be, so
that both sides of its edge can be tried. The database is opened as every command opens it, which brings its
schema up.
"""

import asyncio
import errno
import importlib
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from cli.checks import Check, State
from cli.doctor_models import check_probe, check_spending, check_thinking
from cli.doctor_notify import check_notifications
from config.settings import ENV_FILE, Settings, SettingsError, load_settings
from db.boot import prepare
from db.errors import DatabaseError
from db.inference import spent
from db.migrate import read_migrations
from db.notifications import count_failed
from db.postgres_files import files_of, programs, run, server_user
from db.skills import find_version, list_skills
from domain.money import ZERO
from domain.time import DAY_MS, SystemClock, iso, parse_ts

DISTRIBUTION = "agentic-trading"
LOCK = Path(__file__).parent.parent / "requirements" / "base.lock"
PYTHON_NEEDED = (3, 11)
DISK_NEEDED_BYTES = 200 * 2**20
DISK_WANTED_BYTES = 2 * 2**30
WEEK_MS = 7 * DAY_MS


def run_checks(*, probe: bool = False) -> list[Check]:
    """Look at everything, never raising. Takes a second or two. With `probe`, a model's API is reached, too."""
    machine = [
        check_system(sys.platform, platform.platform()),
        check_python(sys.version_info[:3]),
        check_environment(sys.prefix, sys.base_prefix),
        check_pins(LOCK),
        check_imports(),
        check_clock(SystemClock().now_ms()),
    ]
    try:
        settings = load_settings()
    except SettingsError as error:
        return [*machine, Check("settings", State.BAD, str(error), "mend it in the environment or in .env")]
    checks = [*machine, *_checks_of(settings)]
    return [*checks, check_probe(settings)] if probe else checks


def _checks_of(settings: Settings) -> Iterable[Check]:
    yield Check("settings", State.OK, str(ENV_FILE.absolute()) if ENV_FILE.is_file() else "no .env is used")
    yield check_home(settings.home)
    yield check_disk(_standing(settings.home), shutil.disk_usage(_standing(settings.home)).free)
    yield check_port(settings.web_host, settings.web_port)
    if settings.database_url is None:
        yield check_server_programs(settings.home)
    url = settings.database_url
    now_ms = SystemClock().now_ms()
    database, inside = look_into_database(settings.home, url.get_secret_value() if url else None, now_ms)
    yield database
    yield from check_thinking(settings, inside.models, now_ms)
    yield check_spending(settings, inside.spent_usd, inside.spent_by_all_usd)
    yield check_notifications(settings, inside.given_up)


def check_system(system: str, description: str) -> Check:
    """Linux and macOS serve; Windows has no Unix sockets to offer."""
    if system in ("linux", "darwin"):
        return Check("system", State.OK, description)
    return Check("system", State.BAD, description, "use Linux, macOS, or Linux inside Windows (WSL 2)")


def check_python(version: tuple[int, int, int]) -> Check:
    """Python must be new enough."""
    found = "Python " + ".".join(map(str, version))
    if version >= PYTHON_NEEDED:
        return Check("python", State.OK, found)
    return Check(
        "python", State.BAD, found, "install Python 3.11 or newer, remove .venv and run `make setup`"
    )


def check_environment(prefix: str, base_prefix: str) -> Check:
    """The program should live in an environment of its own."""
    if prefix != base_prefix:
        return Check("environment", State.OK, prefix)
    return Check("environment", State.WARN, f"no virtual environment ({prefix})", "run `make setup`")


def check_pins(lock: Path) -> Check:
    """The installed packages must be those of the lock; an installation without a checkout has no lock."""
    if not lock.is_file():
        return Check("packages", State.OK, "installed without a lock file")
    pins = dict(line.split("==") for line in lock.read_text().split() if "==" in line)
    other = [
        f"{name} {_version(name)} instead of {pin}" for name, pin in pins.items() if _version(name) != pin
    ]
    if not other:
        return Check("packages", State.OK, f"all {len(pins)} as pinned")
    return Check("packages", State.BAD, _shortened(other), "remove .venv and run `make setup`")


def check_imports() -> Check:
    """The packages the program names must import: one made for another machine does not."""
    failures = [failure for module in _modules_needed() if (failure := _import_failure(module))]
    if not failures:
        return Check("imports", State.OK, "every package loads")
    return Check("imports", State.BAD, _shortened(failures), "remove .venv and run `make setup`")


def check_clock(now_ms: int) -> Check:
    """The clock can't be much earlier than the program's newest migration, whose date also orders it."""
    written = read_migrations()[-1].version
    earliest = parse_ts(f"{written[:4]}-{written[4:6]}-{written[6:8]}") - WEEK_MS
    found = f"{iso(now_ms // 1000 * 1000)}; the local zone is {time.tzname[0]}, all times are kept in UTC"
    if now_ms >= earliest:
        return Check("clock", State.OK, found)
    return Check("clock", State.BAD, found, "set the system clock: it is earlier than this program")


def check_home(home: Path) -> Check:
    """State must have a folder that can be written."""
    try:
        folder = home if home.exists() else _standing(home)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        todo = "make it a folder that can be written, or set AGENTIC_HOME"
        return Check("home", State.BAD, f"{home}: {error.strerror}", todo)
    return Check("home", State.OK, str(home) if folder == home else f"{home}, made at the first start")


def check_disk(folder: Path, free_bytes: int) -> Check:
    """There must be room for the database, and some to grow."""
    found = f"{free_bytes / 2**30:.1f} GB free at {folder}"
    if free_bytes >= DISK_WANTED_BYTES:
        return Check("disk", State.OK, found)
    state = State.WARN if free_bytes >= DISK_NEEDED_BYTES else State.BAD
    return Check("disk", state, found, "free some space, or set AGENTIC_HOME to another disk")


def check_port(host: str, port: int) -> Check:
    """The page's port should be free, or be served by this program already."""
    try:
        with socket.create_server((host, port)):
            return Check("port", State.OK, f"{host}:{port} is free")
    except OSError as error:
        found = f"{host}:{port}: {error.strerror}"
        if error.errno == errno.EADDRINUSE:
            todo = "unless that is `agentic up` itself, set AGENTIC_WEB_PORT to another port"
            return Check("port", State.WARN, found, todo)
        return Check("port", State.BAD, found, "set AGENTIC_WEB_HOST and AGENTIC_WEB_PORT")


def check_server_programs(home: Path) -> Check:
    """The embedded server's programs must run, as the user that the server runs as."""
    try:
        user = server_user(files_of(home))
        said = run([programs(user) / "postgres", "--version"], user, Path("/"))
    except (DatabaseError, OSError) as error:
        return Check(
            "server", State.BAD, str(error), "remove .venv and run `make setup`, or set DATABASE_URL"
        )
    if said.returncode:
        return Check("server", State.BAD, said.stderr.strip(), "set DATABASE_URL to a server of your own")
    return Check("server", State.OK, said.stdout.strip())


def check_database(home: Path, database_url: str | None) -> Check:
    """The database must answer and have this program's schema. One that was never made is left unmade."""
    return look_into_database(home, database_url, SystemClock().now_ms())[0]


class Inside(msgspec.Struct, frozen=True):
    """What other checks need of the database: the models of the owner's Skills by name, and what the day has cost.

    `given_up` is how many notifications of the owner did not reach everybody in the last 24 hours.
    """

    models: dict[str, str] = {}
    spent_usd: Decimal = ZERO
    spent_by_all_usd: Decimal = ZERO
    given_up: int = 0


def look_into_database(home: Path, database_url: str | None, now_ms: int) -> tuple[Check, Inside]:
    """Check the database, and give what is inside."""
    try:
        if database_url is None and not files_of(home).data.exists():
            return Check("database", State.OK, "embedded, made at the first start"), Inside()
        inside = asyncio.run(_inside(home, database_url, now_ms))
    except (DatabaseError, OSError) as error:
        todo = "see `agentic doctor --settings` for where it is sought"
        return Check("database", State.BAD, str(error), todo), Inside()
    kind = "embedded" if database_url is None else "at DATABASE_URL"
    found = f"{kind}, with all {len(read_migrations())} migrations"
    return Check("database", State.OK, found), inside


async def _inside(home: Path, database_url: str | None, now_ms: int) -> Inside:
    day = iso(now_ms)[:10]
    opened = await prepare(home, database_url)
    try:
        async with opened.database.as_user(opened.owner_id) as connection:
            models = {
                row.name: str(version.spec["model"])
                for row in await list_skills(connection)
                if (version := await find_version(connection, row.name))
            }
            own = await spent(connection, opened.owner_id, f"day:{day}")
            given_up = await count_failed(connection, now_ms - DAY_MS)
        async with opened.database.as_worker() as connection:
            return Inside(models, own, await spent(connection, opened.owner_id, f"all:{day}"), given_up)
    finally:
        await opened.close()


def _standing(folder: Path) -> Path:
    """The nearest folder that exists, from here upwards."""
    return next(place for place in (folder, *folder.parents) if os.path.isdir(place))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "nothing"


def _modules_needed() -> list[str]:
    """The top-level modules of the packages that this program declares it needs."""
    needed = {_name_of(line) for line in importlib.metadata.requires(DISTRIBUTION) or () if ";" not in line}
    provided = importlib.metadata.packages_distributions()
    return sorted(
        module
        for module, names in provided.items()
        if needed.intersection(map(_name_of, names)) and not module.startswith("_")
    )


def _name_of(requirement: str) -> str:
    """The normalised name at the head of a requirement such as "PyYAML>=6"."""
    name = requirement.split(";")[0]
    for mark in "<>=!~[ ":
        name = name.split(mark)[0]
    return name.lower().replace("_", "-")


def _import_failure(module: str) -> str | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            importlib.import_module(module)
    except (ImportError, OSError) as error:
        return f"{module}: {str(error).splitlines()[0]}"
    return None


def _shortened(items: list[str], shown: int = 3) -> str:
    rest = f" and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + rest
