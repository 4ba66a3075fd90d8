"""The settings as people see them: each with where it came from, secrets masked, and the page that lists them all."""

import json
import os
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from config.settings import ENV_FILE, Settings, env_file, form_of, setting_names

MASK = "********"


class SettingLine(msgspec.Struct, frozen=True):
    """One setting as it stands. `origin` is "environment", ".env" or "default"; `value` shows no secret."""

    name: str
    value: str
    origin: str
    meaning: str


def describe_settings(settings: Settings) -> list[SettingLine]:
    """List every setting with its value and where that came from, secrets masked."""
    return [
        SettingLine(
            name=setting_names(field)[-1],
            value=_shown(field, getattr(settings, field)),
            origin=_origin(field),
            meaning=Settings.model_fields[field].description or "",
        )
        for field in Settings.model_fields
    ]


def settings_reference() -> str:
    """Write `docs/settings.md`."""
    return "\n".join([_REFERENCE_HEAD, *map(_reference_row, Settings.model_fields), ""])


_REFERENCE_HEAD = """\
# Settings

Each setting is read from the environment, else from a file `.env` in the working folder, else it has its
default. An empty value counts as not set. A name that starts with `AGENTIC_` and isn't listed here is
refused, so that a typing error does not pass unnoticed. `agentic doctor --settings` shows every setting, its
value and where it came from.

This page is written from `config/settings.py`, and a test keeps the two equal.

| setting | form | default | meaning |
| --- | --- | --- | --- |"""

_DEFAULT_HOME = (
    "the user's state folder: `~/.local/state/agentic`, or where `XDG_STATE_HOME` says; "
    "on macOS `~/Library/Application Support/agentic`"
)


def _origin(field: str) -> str:
    for origin, names in (("environment", os.environ), (str(ENV_FILE), env_file())):
        given = {name.upper() for name, value in names.items() if value}
        if given & set(setting_names(field)):
            return origin
    return "default"


def _shown(field: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value()) if field == "database_url" else MASK
    if field == "mcp_servers" and isinstance(value, dict):
        value = dict.fromkeys(value, MASK)
    return json.dumps(value) if isinstance(value, dict) else str(value if value is not None else "")


def _without_password(url: str) -> str:
    """Show where a URL leads, without its password or its query, which may hold one."""
    parts = urlsplit(url)
    user = f"{parts.username}:{MASK}@" if parts.username else ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{user}{host}{parts.path}" + (f"?{MASK}" if parts.query else "")


def _reference_row(field: str) -> str:
    names = " or ".join(f"`{name}`" for name in reversed(setting_names(field)))
    return (
        f"| {names} | {form_of(field)} | {_default_of(field)} | {Settings.model_fields[field].description} |"
    )


def _default_of(field: str) -> str:
    if field == "home":  # differs from person to person
        return _DEFAULT_HOME
    default = Settings.model_fields[field].get_default(call_default_factory=True)
    return f"`{default}`" if default not in (None, {}) else "–"
