"""Every setting there is: its name, its form, its default and its meaning.

A setting is read from the environment, else from `.env` in the working folder, else it has its default. They
are read once, by the command line, and handed down as plain values. `docs/settings.md` is written from here.
"""

import json
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "AGENTIC_"
ENV_FILE = Path(".env")
TEST_PREFIX = "AGENTIC_TEST_"
"""Names that are for the project's own tests, and no settings."""

MASK = "********"


class SettingsError(Exception):
    """A setting can't be used. One line: which, what was found, what was expected."""


def default_home() -> Path:
    """Give the user's state directory for this program, by the habits of the system it runs on."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "agentic"
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "agentic"


def _form(text: str) -> dict[str, Any]:
    """Say the form of a setting, for the docs and for the message when it has another."""
    return {"form": text}


class Settings(BaseSettings):
    """What can be set from outside, checked. Frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    home: Path = Field(
        default_factory=default_home,
        json_schema_extra=_form("a folder"),
        description="Where state is kept: the embedded database, run files and reports.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("AGENTIC_DATABASE_URL", "DATABASE_URL"),
        json_schema_extra=_form("a URL, postgresql://user:password@host/database"),
        description=(
            "A Postgres 15 or newer with pgvector to use instead of the embedded one. Its user sets up the "
            "tables and must be a superuser or have BYPASSRLS; the program itself logs in as a narrower role."
        ),
    )
    web_host: str = Field(
        default="127.0.0.1",
        json_schema_extra=_form("a host name or an address"),
        description=(
            "The address on which the page is served. Any but this machine's own, such as 0.0.0.0, opens it to "
            "the network, where nobody can sign in yet."
        ),
    )
    web_port: int = Field(
        default=8080,
        ge=1,
        le=65535,
        json_schema_extra=_form("a whole number from 1 to 65535"),
        description="The port on which the page is served.",
    )
    platform_caps: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict,
        json_schema_extra=_form('a JSON object, such as {"max_leverage": 5}'),
        description=(
            "Caps that hold every Skill, with the keys of a Skill's `risk` block. They tighten a Skill's own "
            "caps and never loosen them."
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        json_schema_extra=_form("debug, info, warning or error"),
        description="The least grave log line that is written.",
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr | None) -> SecretStr | None:
        if url and urlsplit(url.get_secret_value()).scheme not in ("postgres", "postgresql"):
            raise ValueError("not a Postgres URL")
        return url

    @field_validator("platform_caps", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value


class SettingLine(msgspec.Struct, frozen=True):
    """One setting as it stands. `origin` is "environment", ".env" or "default"; `value` shows no secret."""

    name: str
    value: str
    origin: str
    meaning: str


def load_settings() -> Settings:
    """Read all settings. Raises SettingsError for the first that can't be used or isn't known."""
    try:
        _refuse_unknown([*os.environ, *_env_file()])
        return Settings()
    except ValidationError as error:
        raise SettingsError(_first_line(error)) from None


def describe_settings(settings: Settings) -> list[SettingLine]:
    """List every setting with its value and where that came from, secrets masked."""
    return [
        SettingLine(
            name=setting_names(field)[-1],
            value=_shown(getattr(settings, field)),
            origin=_origin(field),
            meaning=Settings.model_fields[field].description or "",
        )
        for field in Settings.model_fields
    ]


def settings_reference() -> str:
    """Write `docs/settings.md`."""
    return "\n".join([_REFERENCE_HEAD, *map(_reference_row, Settings.model_fields), ""])


def setting_names(field: str) -> list[str]:
    """Give a setting's names in the environment. The first that is set counts; the last is the usual one."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [PREFIX + field.upper()]


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


def _env_file() -> dict[str, str | None]:
    try:
        return dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{ENV_FILE.absolute()} can't be read: {error}") from None


def _refuse_unknown(names: list[str]) -> None:
    known = {name for field in Settings.model_fields for name in setting_names(field)}
    for name in names:
        is_ours = name.upper().startswith(PREFIX) and not name.upper().startswith(TEST_PREFIX)
        if is_ours and name.upper() not in known:
            endings = [one.removeprefix(PREFIX) for one in known]
            near = get_close_matches(name.upper().removeprefix(PREFIX), endings, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists those there are"
            raise SettingsError(f"{name} is not a setting; {hint}")


def _origin(field: str) -> str:
    for origin, names in (("environment", os.environ), (str(ENV_FILE), _env_file())):
        given = {name.upper() for name, value in names.items() if value}
        if given & set(setting_names(field)):
            return origin
    return "default"


def _first_line(error: ValidationError) -> str:
    """Say what is wrong with one setting. The value is shown unless it may hold a secret."""
    found = error.errors(include_url=False)[0]
    field = next(f for f in Settings.model_fields if found["loc"][0] in (f, *setting_names(f)))
    value = "set to something else (not shown)" if field == "database_url" else repr(found["input"])
    return f"{setting_names(field)[-1]} is {value}; expected {_form_of(field)}"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value())
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
        f"| {names} | {_form_of(field)} | {_default_of(field)} | {Settings.model_fields[field].description} |"
    )


def _form_of(field: str) -> str:
    extra = Settings.model_fields[field].json_schema_extra
    return str(extra["form"]) if isinstance(extra, dict) else ""


def _default_of(field: str) -> str:
    if field == "home":  # differs from person to person
        return _DEFAULT_HOME
    default = Settings.model_fields[field].get_default(call_default_factory=True)
    return f"`{default}`" if default not in (None, {}) else "–"
