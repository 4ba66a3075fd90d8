"""What can go wrong at the database's border, in our own words.

    DatabaseError
    ├── Unavailable         no server answers, or it can't be started
    │   ├── LostConnection  the server went away in the middle
    │   └── WrongMajorVersion
    ├── DiskFull
    ├── TooSlow             a statement ran into its time limit
    ├── NewerSchema         the database is ahead of this program
    ├── OlderSchema         the database is behind this program
    ├── ChangedMigration    an applied migration's file was edited
    ├── NotPermitted        grants or row security said no
    ├── Conflict            the row is there already
    └── Refused             a constraint or a value was refused

Each message is one line: what was found, what was expected, what to do. The driver's error stays its cause.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


class DatabaseError(Exception):
    """The database could not do what was asked."""


class Unavailable(DatabaseError):
    """No server answers, or it can't be started."""


class LostConnection(Unavailable):
    """The server went away in the middle; what was not committed did not happen."""


class WrongMajorVersion(Unavailable):
    """The data directory was written by another major version of Postgres."""


class DiskFull(DatabaseError):
    """There is no room left where the database lives; the transaction was undone."""


class TooSlow(DatabaseError):
    """A statement ran into its time limit; the transaction was undone."""


class NewerSchema(DatabaseError):
    """The database has migrations that this program does not know."""


class OlderSchema(DatabaseError):
    """The database lacks migrations that this program has."""


class ChangedMigration(DatabaseError):
    """A migration's file is not the one that was applied."""


class NotPermitted(DatabaseError):
    """Grants or row security refused it."""


class Conflict(DatabaseError):
    """The row is there already."""


class Refused(DatabaseError):
    """A constraint refused the row, or a value can't be stored."""


_LOST = "the connection to the database was lost; what was not committed was undone"
_FULL = "the database's disk is full and nothing was written; free some space and try again"
_NO_SPACE = "No space left on device"
_BY_STATE: tuple[tuple[str, type[DatabaseError], str], ...] = (
    ("53100", DiskFull, _FULL),
    ("57014", TooSlow, "a statement took longer than allowed and was undone"),
    ("57P", LostConnection, "the database server stopped in the middle; what was not committed was undone"),
    ("08", LostConnection, _LOST),
    ("53300", Unavailable, "the database has no connection left; close other programs that use it"),
    ("28", Unavailable, "the database refused the login; look at the user and password in DATABASE_URL"),
    ("3D000", Unavailable, "the database named in DATABASE_URL does not exist; create it first"),
    ("42501", NotPermitted, "not permitted"),
    ("23505", Conflict, "that is there already"),
    ("23", Refused, "the database refused the row"),
    ("22", Refused, "the database refused a value"),
    ("54", Refused, "the database refused a value that is too large"),
    ("P0001", Refused, "the database refused it"),
)
"""SQLSTATE prefix, our error, and its sentence; the first row that fits counts."""


DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Everything of its own that the driver raises; besides, OSError and TimeoutError."""


def translate(error: Exception) -> DatabaseError:
    """Turn a driver's or socket's error into one of ours, with one clear line."""
    if _NO_SPACE in str(error):  # also where the server went down over it
        return DiskFull(f"{_FULL} ({_first_line(error)})")
    if isinstance(error, TimeoutError):
        return TooSlow("the database did not answer in time")
    if isinstance(error, asyncpg.PostgresError):
        return _by_state(error.sqlstate or "", _first_line(error))
    if isinstance(error, OSError):
        return Unavailable(
            f"no database answers ({_first_line(error)}); is it running? is DATABASE_URL right?"
        )
    if isinstance(error, asyncpg.InternalClientError):  # what the server said between two queries
        return LostConnection(f"{_LOST} (the server ended it)")
    if "closed" in str(error):
        return LostConnection(f"{_LOST} ({_first_line(error)})")
    return DatabaseError(_first_line(error))


@contextmanager
def translated() -> Iterator[None]:
    """Let the driver's errors out as ours. Errors of other kinds raised inside pass unchanged."""
    try:
        yield
    except (*DRIVER_ERRORS, TimeoutError) as error:
        raise translate(error) from error


def _by_state(state: str, detail: str) -> DatabaseError:
    for prefix, kind, sentence in _BY_STATE:
        if state.startswith(prefix):
            return kind(f"{sentence} ({detail})")
    return DatabaseError(f"the database failed: {detail} (SQLSTATE {state})")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
