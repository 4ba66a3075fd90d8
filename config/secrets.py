"""The secrets among the settings, to the letter, so that they can be kept out of what is logged and shown."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from config.settings import Settings, notification_urls

_TOKEN = r"[^/@:?&=,+]{16,}"
"""A piece of a notification's URL that is long enough to be what lets one in."""


def secrets_of(settings: Settings) -> list[str]:
    """List every text that must not be shown: keys, passwords, and what MCP servers are given."""
    found = []
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            found += _with_password(value.get_secret_value())
    for url in notification_urls(settings.notify_urls):
        found += [*_with_password(url), *re.findall(_TOKEN, url)]
    for server in settings.mcp_servers.values():
        found += list(_given_to(server))
    return found


def _with_password(secret: str) -> list[str]:
    """A secret that is an address may be told in pieces."""
    try:
        password = urlsplit(secret).password
    except ValueError:
        password = None
    return [secret, *({password, unquote(password)} if password else ())]


def _given_to(server: object) -> Iterator[str]:
    if not isinstance(server, dict):
        return
    for place in ("env", "headers"):
        values = server.get(place)
        if isinstance(values, dict):
            yield from (value for value in values.values() if isinstance(value, str))
