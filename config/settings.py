"""Every setting there is: its name, its form, its default and its meaning.

A setting is read from the environment, else from `.env` in the working folder, else it has its default. They
are read once, by the command line, and handed down as plain values. `docs/settings.md` is written from them.
"""

import json
import os
import re
import sys
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from config.models import DEFAULT_MODEL

PREFIX = "AGENTIC_"
ENV_FILE = Path(".env")
TEST_PREFIX = "AGENTIC_TEST_"
"""Names that are for the project's own tests, and no settings."""

MOST_NOTIFY_URLS = 10
_LARGEST_JSON_FILE = 1_000_000


class SettingsError(Exception):
    """A setting can't be used. One line: which, what was found, what was expected."""


def default_home() -> Path:
    """Give the user's state directory for this program, by the habits of the system it runs on."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "agentic"
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "agentic"


class _FileProblem(ValueError):
    """A file that a setting names can't be used. Says why, and shows nothing of what is in it."""


def _form(text: str) -> dict[str, Any]:
    """Say the form of a setting, for the docs and for the message when it has another."""
    return {"form": text}


def _usd(default: int, description: str) -> Any:
    return Field(
        default=Decimal(default),
        gt=0,
        json_schema_extra=_form("USD above zero, such as 2.50"),
        description=description,
    )


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
    anthropic_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("AGENTIC_ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"),
        json_schema_extra=_form("a key of printable characters without spaces"),
        description="The key with which models are asked: Anthropic's, or that of the gateway at the base URL.",
    )
    model_base_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("AGENTIC_MODEL_BASE_URL", "ANTHROPIC_BASE_URL"),
        json_schema_extra=_form("an http or https URL without /v1, a user, a query or a fragment"),
        description="A gateway that speaks Anthropic's Messages API, to be asked instead of Anthropic.",
    )
    model_auth: Literal["bearer", "x-api-key"] = Field(
        default="bearer",
        json_schema_extra=_form("bearer or x-api-key"),
        description="The header that carries the key.",
    )
    model_api_version: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        json_schema_extra=_form("a date, such as 2023-06-01"),
        description="The `anthropic-version` that is sent, for a gateway that knows only an older one.",
    )
    model: str = Field(
        default=DEFAULT_MODEL,
        max_length=128,
        pattern=r"^anthropic:[A-Za-z0-9][A-Za-z0-9._:/@+-]*$",
        json_schema_extra=_form(f"anthropic:NAME, such as {DEFAULT_MODEL}"),
        description="The model that `agentic skill new --language-model` writes. A Skill's own `model` decides.",
    )
    models_file: Path | None = Field(
        default=None,
        json_schema_extra=_form("a TOML file"),
        description="Facts about models that replace the product's own or add to them; see docs/models.md.",
    )
    model_concurrency: int = Field(
        default=16,
        ge=1,
        le=256,
        json_schema_extra=_form("a whole number from 1 to 256"),
        description="How many calls to models may be under way at once, over all runs of this process.",
    )
    model_timeout_s: int = Field(
        default=60,
        ge=1,
        le=600,
        json_schema_extra=_form("a whole number of seconds from 1 to 600"),
        description="How long one attempt at a call may take. A tick has a deadline of its own.",
    )
    inference_usd_per_call: Decimal = _usd(1, "The most that one call to a model may cost.")
    inference_usd_per_tick: Decimal = _usd(2, "The most that the calls of one tick may cost together.")
    inference_usd_per_user_day: Decimal = _usd(25, "The most that one person's calls may cost in a UTC day.")
    inference_usd_per_day: Decimal = _usd(100, "The most that all calls may cost together in a UTC day.")
    confirm_above_usd: Decimal = _usd(
        20, "A run that is estimated to cost more than this is asked about before it starts."
    )
    sim_workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        json_schema_extra=_form("a whole number from 1 to 256"),
        description=(
            "How many queued simulation runs `agentic up` carries out at once, each in a process of its own. "
            "Left out: one fewer than the machine has cores, and at least one."
        ),
    )
    mcp_servers: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict,
        repr=False,
        json_schema_extra=_form("a JSON object, name → server, or @FILE for a file that holds one"),
        description="The MCP servers whose tools a Skill may list, by name. Shown by name alone.",
    )
    notify_urls: SecretStr | None = Field(
        default=None,
        json_schema_extra=_form("URLs as apprise takes them, with commas or blanks between, 10 at most"),
        description="Where the owner is told what happens to deployments; see docs/notifications.md.",
    )
    notify_per_hour: int = Field(
        default=30,
        ge=1,
        le=3600,
        json_schema_extra=_form("a whole number from 1 to 3600"),
        description="How many messages of a kind leave in an hour, besides the first five; what is over is folded.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        json_schema_extra=_form("debug, info, warning or error"),
        description="The least grave log line that is written.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        json_schema_extra=_form("text or json"),
        description="How `agentic up` writes its log: lines for people, or a JSON object a line.",
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

    @field_validator("anthropic_api_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value().strip() if key else ""
        if key and not re.fullmatch(r"[!-~]+", text):
            raise ValueError("not a key")
        return SecretStr(text) if key else None

    @field_validator("model_base_url")
    @classmethod
    def _is_base_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url.rstrip("/"))
        is_plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        if not is_plain or parts.query or parts.fragment or re.search(r"/v1(/messages)?$", parts.path):
            raise ValueError("not a base URL")
        return parts.geturl()

    @field_validator("notify_urls")
    @classmethod
    def _are_urls(cls, urls: SecretStr | None) -> SecretStr | None:
        if urls and not 1 <= len(notification_urls(urls)) <= MOST_NOTIFY_URLS:
            raise ValueError("not a list of URLs")
        return urls

    @field_validator("models_file")
    @classmethod
    def _absolute_file(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else None

    @field_validator("platform_caps", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        return _from_json(value) if isinstance(value, str) else value

    @field_validator("mcp_servers", mode="before")
    @classmethod
    def _read_json_or_file(cls, value: object) -> object:
        if isinstance(value, str) and value.startswith("@"):
            value = _text_of(Path(value[1:]).expanduser())
        return _from_json(value) if isinstance(value, str) else value


def load_settings() -> Settings:
    """Read all settings. Raises SettingsError for the first that can't be used or isn't known."""
    try:
        _refuse_unknown([*os.environ, *env_file()])
        return Settings()
    except ValidationError as error:
        raise SettingsError(_first_line(error)) from None


def notification_urls(urls: SecretStr | None) -> list[str]:
    """Take the list of URLs for notifications apart: a comma or a blank counts only where another URL follows it.

    Raises ValueError when something in it has not the form of a URL.
    """
    text = urls.get_secret_value().strip() if urls else ""
    found = re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", text) if text else []
    if not all(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://[!-~]{1,2000}", url.rstrip(",")) for url in found
    ):
        raise ValueError("not a URL")
    return [url.rstrip(",") for url in found]


def setting_names(field: str) -> list[str]:
    """Give a setting's names in the environment. The first that is set counts; the last is the usual one."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [PREFIX + field.upper()]


def form_of(field: str) -> str:
    """Say what a setting has to look like."""
    extra = Settings.model_fields[field].json_schema_extra
    return str(extra["form"]) if isinstance(extra, dict) else ""


def env_file() -> dict[str, str | None]:
    """Give what `.env` sets, if there is one. Raises SettingsError."""
    try:
        return dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{ENV_FILE.absolute()} can't be read: {error}") from None


_HIDDEN = ("database_url", "anthropic_api_key", "model_base_url", "mcp_servers", "notify_urls")
"""Settings whose value may hold a secret, or have one put there by mistake."""


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _text_of(path: Path) -> str:
    """Read the file that a setting names. Raises _FileProblem."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_JSON_FILE + 1)
    except OSError as error:
        raise _FileProblem(f"{path} can't be read: {error.strerror}") from None
    if len(data) > _LARGEST_JSON_FILE:
        raise _FileProblem(f"{path} is larger than {_LARGEST_JSON_FILE} bytes")
    return data.decode()


def _refuse_unknown(names: list[str]) -> None:
    known = {name for field in Settings.model_fields for name in setting_names(field)}
    for name in names:
        is_ours = name.upper().startswith(PREFIX) and not name.upper().startswith(TEST_PREFIX)
        if is_ours and name.upper() not in known:
            endings = [one.removeprefix(PREFIX) for one in known]
            near = get_close_matches(name.upper().removeprefix(PREFIX), endings, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists those there are"
            raise SettingsError(f"{name} is not a setting; {hint}")


def _first_line(error: ValidationError) -> str:
    """Say what is wrong with one setting. The value is shown unless it may hold a secret."""
    found = error.errors(include_url=False)[0]
    field = next(f for f in Settings.model_fields if found["loc"][0] in (f, *setting_names(f)))
    problem = found.get("ctx", {}).get("error")
    if isinstance(problem, _FileProblem):
        return f"{_name_in_use(field)}: {problem}"
    value = "set to something else (not shown)" if field in _HIDDEN else repr(found["input"])
    return f"{_name_in_use(field)} is {value}; expected {form_of(field)}"


def _name_in_use(field: str) -> str:
    """The name by which a setting is set, or else its usual one."""
    names = setting_names(field)
    given = {name.upper() for name, value in [*os.environ.items(), *env_file().items()] if value}
    return next((name for name in names if name in given), names[-1])
