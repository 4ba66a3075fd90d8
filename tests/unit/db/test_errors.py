"""Whatever the driver says becomes one of our errors, in one line."""

import asyncpg
import pytest

from db.errors import (
    Conflict,
    DatabaseError,
    DiskFull,
    LostConnection,
    NotPermitted,
    Refused,
    TooSlow,
    Unavailable,
    translate,
    translated,
)


def postgres_error(state: str, text: str = "what it said\nDETAIL: and more") -> asyncpg.PostgresError:
    """An error of the server's with this SQLSTATE."""
    return asyncpg.PostgresError.new({"C": state, "M": text})


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("53100", DiskFull, "disk is full and nothing was written; free some space"),
        ("57014", TooSlow, "longer than allowed"),
        ("57P01", LostConnection, "stopped in the middle"),
        ("57P03", LostConnection, "stopped in the middle"),
        ("08006", LostConnection, "was lost"),
        ("53300", Unavailable, "no connection left"),
        ("28P01", Unavailable, "refused the login"),
        ("28000", Unavailable, "refused the login"),
        ("3D000", Unavailable, "does not exist; create it first"),
        ("42501", NotPermitted, "not permitted"),
        ("23505", Conflict, "is there already"),
        ("23503", Refused, "refused the row"),
        ("23001", Refused, "refused the row"),
        ("22P05", Refused, "refused a value"),
        ("54000", Refused, "too large"),
        ("P0001", Refused, "refused it"),
        ("XX000", DatabaseError, "SQLSTATE XX000"),
        ("25P03", DatabaseError, "SQLSTATE 25P03"),
    ],
)
def test_a_state_has_its_error_and_its_sentence(state: str, kind: type[DatabaseError], words: str) -> None:
    """Ours, what to do, and the first line of what the server said."""
    ours = translate(postgres_error(state))
    assert type(ours) is kind
    assert words in str(ours)
    assert "what it said" in str(ours)
    assert "\n" not in str(ours)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "Connection refused"), Unavailable),
        (FileNotFoundError(2, "No such file or directory"), Unavailable),
        (TimeoutError(), TooSlow),
        (asyncpg.ConnectionDoesNotExistError("closed: could not write: No space left on device"), DiskFull),
        (asyncpg.InterfaceError("connection is closed"), LostConnection),
        (
            asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
            LostConnection,
        ),
        (asyncpg.InterfaceError("the pool is busy\nwith lines"), DatabaseError),
        (asyncpg.InterfaceError(""), DatabaseError),
    ],
)
def test_what_the_driver_and_the_sockets_raise_is_translated(
    error: Exception, kind: type[DatabaseError]
) -> None:
    """Never an empty line, never two."""
    ours = translate(error)
    assert type(ours) is kind
    assert str(ours)
    assert "\n" not in str(ours)


def test_the_drivers_error_stays_the_cause() -> None:
    """For those who need to know."""
    theirs = postgres_error("23505")
    with pytest.raises(Conflict) as ours, translated():
        raise theirs
    assert ours.value.__cause__ is theirs


@pytest.mark.parametrize("error", [KeyError("mine"), OSError("a file's"), Conflict("ours already")])
def test_errors_of_other_kinds_pass_unchanged(error: Exception) -> None:
    """A file that is not there is not the database's fault."""
    with pytest.raises(type(error)) as passed, translated():
        raise error
    assert passed.value is error
