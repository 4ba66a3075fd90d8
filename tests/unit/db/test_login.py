"""The program's own login, derived from the administrator's."""

import pytest

from db.login import Login, admin_login, app_login


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("postgresql://me:secret@host:5432/db", Login("me", "secret")),
        ("postgresql://m%40e:s%2Fecret%40@host/db", Login("m@e", "s/ecret@")),
        ("postgresql:///db?user=me&password=s%26ecret&host=/run", Login("me", "s&ecret")),
        ("postgresql://me@/db?host=/run", Login("me", None)),
        ("postgresql:///db", Login("", None)),
    ],
)
def test_the_administrators_login_is_read_from_the_address(url: str, login: Login) -> None:
    """Wherever it stands in it, percent-encoded or not."""
    assert admin_login(url) == login


def test_the_programs_password_is_the_same_on_every_machine_and_not_the_administrators() -> None:
    """It follows from the administrator's, and says nothing of it."""
    one, again, other = (app_login(Login("me", password)).password for password in ("a", "a", "b"))
    assert one == again != other
    assert one is not None
    assert len(one) == 64
    assert set(one) <= set("0123456789abcdef")


def test_without_a_password_there_is_none() -> None:
    """The server trusts its socket then."""
    assert app_login(Login("postgres", None)) == Login("agentic_app", None)


def test_a_poolers_user_keeps_its_project() -> None:
    """Supabase's pooler tells projects by the name of the user."""
    assert app_login(Login("postgres.abcdef", "x")).user == "agentic_app.abcdef"
