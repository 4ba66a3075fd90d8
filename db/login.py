"""How the program logs in: as `agentic_app`, with a password that every machine derives and none stores."""

import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

APP_ROLE = "agentic_app"


class Login(NamedTuple):
    """A user and password of the database's; no password where the server trusts its socket."""

    user: str
    password: str | None


def admin_login(database_url: str) -> Login:
    """Read the administrator's user and password out of a database URL."""
    parts = urlsplit(database_url)
    query = parse_qs(parts.query)
    user = unquote(parts.username or "") or query.get("user", [""])[0]
    password = unquote(parts.password or "") or query.get("password", [""])[0]
    return Login(user, password or None)


def app_login(admin: Login) -> Login:
    """Derive the program's login from the administrator's; a pooler's `user.project` stays of that form."""
    _, dot, project = admin.user.partition(".")
    password = None
    if admin.password is not None:
        password = hmac.new(admin.password.encode(), APP_ROLE.encode(), hashlib.sha256).hexdigest()
    return Login(APP_ROLE + dot + project, password)
