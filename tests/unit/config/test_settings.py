"""Settings come from the environment, then from `.env`, and a wrong one is told in one line."""

from decimal import Decimal
from pathlib import Path

import pytest

from config.settings import Settings, SettingsError, load_settings, notification_urls, setting_names
from config.settings_shown import SettingLine, describe_settings, settings_reference

DOCS = Path(__file__).parents[3] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        for name in setting_names(field):
            monkeypatch.delenv(name, raising=False)
    return tmp_path


def described(name: str) -> SettingLine:
    """One line of what `agentic doctor --settings` shows."""
    return next(line for line in describe_settings(load_settings()) if line.name == name)


def test_nothing_needs_to_be_set() -> None:
    """Without an environment the embedded database and the local page are meant."""
    settings = load_settings()

    assert settings.database_url is None
    assert (settings.web_host, settings.web_port) == ("127.0.0.1", 8080)
    assert {line.origin for line in describe_settings(settings)} == {"default"}


def test_the_environment_counts_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set for one command overrides what is set for the folder."""
    (folder / ".env").write_text("AGENTIC_WEB_PORT=9001\nAGENTIC_LOG_LEVEL=debug\nPATH_OF_OTHERS=1\n")
    monkeypatch.setenv("AGENTIC_WEB_PORT", "9002")

    assert (described("AGENTIC_WEB_PORT").value, described("AGENTIC_WEB_PORT").origin) == (
        "9002",
        "environment",
    )
    assert (described("AGENTIC_LOG_LEVEL").value, described("AGENTIC_LOG_LEVEL").origin) == ("debug", ".env")


def test_an_empty_value_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AGENTIC_WEB_PORT=` leaves the default in force."""
    monkeypatch.setenv("AGENTIC_WEB_PORT", "")

    assert described("AGENTIC_WEB_PORT").origin == "default"


def test_state_lies_in_the_users_state_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the XDG rules: an absolute XDG_STATE_HOME counts, a relative one does not."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert load_settings().home == folder / ".local" / "state" / "agentic"

    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "elsewhere"))
    assert load_settings().home == folder / "elsewhere" / "agentic"

    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert load_settings().home == folder / ".local" / "state" / "agentic"


def test_a_home_may_be_written_as_people_write_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` and paths relative to the working folder become absolute."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("AGENTIC_HOME", "~/state")
    assert load_settings().home == folder / "state"

    monkeypatch.setenv("AGENTIC_HOME", "here")
    assert load_settings().home == folder / "here"


def test_both_names_of_the_database_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """DATABASE_URL is what hosts set; AGENTIC_DATABASE_URL counts before it."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@one/x")
    assert described("DATABASE_URL").value == "postgresql://a:********@one/x"

    monkeypatch.setenv("AGENTIC_DATABASE_URL", "postgresql://a@two/x")
    assert described("DATABASE_URL").value == "postgresql://a:********@two/x"


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the user's part nor from the query of a database URL, nor when the object is printed."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://agentic:planted@db.example:5433/x?password=planted")
    settings = load_settings()

    assert described("DATABASE_URL").value == "postgresql://agentic:********@db.example:5433/x?********"
    assert "planted" not in f"{settings!r} {describe_settings(settings)!r}"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AGENTIC_WEB_PORT", "abc", "AGENTIC_WEB_PORT is 'abc'; expected a whole number from 1 to 65535"),
        ("AGENTIC_WEB_PORT", "0", "AGENTIC_WEB_PORT is '0'; expected a whole number from 1 to 65535"),
        ("AGENTIC_LOG_LEVEL", "loud", "AGENTIC_LOG_LEVEL is 'loud'; expected debug, info, warning or error"),
        ("AGENTIC_PLATFORM_CAPS", "{", "AGENTIC_PLATFORM_CAPS is '{'; expected a JSON object, such as"),
        ("AGENTIC_PLATFORM_CAPS", "[1]", "AGENTIC_PLATFORM_CAPS is [1]; expected a JSON object, such as"),
        ("AGENTIC_MODEL_AUTH", "basic", "AGENTIC_MODEL_AUTH is 'basic'; expected bearer or x-api-key"),
        ("AGENTIC_MODEL_API_VERSION", "new", "AGENTIC_MODEL_API_VERSION is 'new'; expected a date, such as"),
        (
            "AGENTIC_MODEL",
            "claude-sonnet-4-6",
            "AGENTIC_MODEL is 'claude-sonnet-4-6'; expected anthropic:NAME",
        ),
        (
            "AGENTIC_MODEL_CONCURRENCY",
            "0",
            "AGENTIC_MODEL_CONCURRENCY is '0'; expected a whole number from 1",
        ),
        ("AGENTIC_MODEL_TIMEOUT_S", "601", "AGENTIC_MODEL_TIMEOUT_S is '601'; expected a whole number of"),
        ("AGENTIC_INFERENCE_USD_PER_CALL", "0", "AGENTIC_INFERENCE_USD_PER_CALL is '0'; expected USD above"),
        (
            "AGENTIC_INFERENCE_USD_PER_TICK",
            "NaN",
            "AGENTIC_INFERENCE_USD_PER_TICK is 'NaN'; expected USD above",
        ),
        (
            "AGENTIC_INFERENCE_USD_PER_DAY",
            "Infinity",
            "AGENTIC_INFERENCE_USD_PER_DAY is 'Infinity'; expected",
        ),
        ("AGENTIC_CONFIRM_ABOVE_USD", "-1", "AGENTIC_CONFIRM_ABOVE_USD is '-1'; expected USD above zero"),
        (
            "AGENTIC_MCP_SERVERS",
            "@/nowhere/x.json",
            "AGENTIC_MCP_SERVERS: /nowhere/x.json can't be read: No such",
        ),
        ("AGENTIC_WEB_PROT", "1", "AGENTIC_WEB_PROT is not a setting; did you mean AGENTIC_WEB_PORT?"),
        ("AGENTIC_QQQ", "1", "AGENTIC_QQQ is not a setting; docs/settings.md lists those there are"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """The line names the setting, what was found and what was expected."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://u:planted@h/d", "planted", "postgresql://[planted"])
def test_a_wrong_database_url_does_not_leak(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The value of a setting that may hold a password is not repeated in the message."""
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(SettingsError, match="DATABASE_URL is set to something else") as caught:
        load_settings()

    assert "planted" not in str(caught.value)


def test_a_wrong_name_in_the_file_is_found_too(folder: Path) -> None:
    """A typing error in `.env` must not loosen a cap silently."""
    (folder / ".env").write_text('AGENTIC_PLATFORM_CAP={"max_leverage": 2}\n')

    with pytest.raises(SettingsError, match="did you mean AGENTIC_PLATFORM_CAPS"):
        load_settings()


def test_a_file_that_is_not_text_is_refused(folder: Path) -> None:
    """A binary `.env` is told with its path."""
    (folder / ".env").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match=r"\.env can't be read"):
        load_settings()


def test_platform_caps_are_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep the keys of a Skill's `risk` block."""
    monkeypatch.setenv("AGENTIC_PLATFORM_CAPS", '{"max_leverage": 5, "allow_short": false}')

    assert load_settings().platform_caps == {"max_leverage": 5, "allow_short": False}


def test_both_names_of_the_key_are_read_and_it_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a shell's other tools counts, the program's own before it, and neither is seen anywhere."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-planted-1\n")
    assert load_settings().anthropic_api_key.get_secret_value() == "sk-planted-1"  # type: ignore[union-attr]

    monkeypatch.setenv("AGENTIC_ANTHROPIC_API_KEY", "sk-planted-2")
    settings = load_settings()
    assert settings.anthropic_api_key.get_secret_value() == "sk-planted-2"  # type: ignore[union-attr]
    assert described("ANTHROPIC_API_KEY").value == "********"
    assert "planted" not in f"{settings!r} {describe_settings(settings)!r} {settings.model_dump()}"


@pytest.mark.parametrize("key", ["planted key", "plänted", "planted\nkey"])
def test_a_key_that_cannot_be_one_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """A key with a space or a line break in it was pasted wrongly, and would break the header."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)

    with pytest.raises(SettingsError, match="ANTHROPIC_API_KEY is set to something else") as caught:
        load_settings()

    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://gateway.example/", "https://gateway.example"),
        ("http://127.0.0.1:4000/anthropic", "http://127.0.0.1:4000/anthropic"),
    ],
)
def test_a_base_url_may_have_a_path(monkeypatch: pytest.MonkeyPatch, url: str, read: str) -> None:
    """A gateway may live below a path; a slash at the end means nothing."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", url)

    assert load_settings().model_base_url == read


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example/v1",
        "https://gateway.example/v1/",
        "https://gateway.example/v1/messages",
        "https://planted:planted@gateway.example",
        "https://gateway.example?key=planted",
        "gateway.example",
        "ftp://gateway.example",
        "sk-planted",
        "https://[planted",
    ],
)
def test_a_wrong_base_url_is_told_without_showing_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The message names the name that was used and says that /v1 does not belong there."""
    monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", url)

    with pytest.raises(SettingsError, match=r"^AGENTIC_MODEL_BASE_URL is .* URL without /v1") as caught:
        load_settings()

    assert "planted" not in str(caught.value)


def test_budgets_are_exact_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have defaults that hold, and what is set is a Decimal to the cent."""
    monkeypatch.setenv("AGENTIC_INFERENCE_USD_PER_USER_DAY", "2.10")
    settings = load_settings()

    assert settings.inference_usd_per_user_day == Decimal("2.10")
    assert (settings.inference_usd_per_call, settings.inference_usd_per_tick) == (1, 2)
    assert (settings.inference_usd_per_day, settings.confirm_above_usd) == (100, 20)


def test_mcp_servers_come_from_the_setting_or_from_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JSON object, or @ and the file that holds it. Shown by name alone, for they may carry keys."""
    monkeypatch.setenv("AGENTIC_MCP_SERVERS", '{"news": {"url": "https://h/mcp?key=planted"}}')
    assert load_settings().mcp_servers == {"news": {"url": "https://h/mcp?key=planted"}}

    (folder / "servers.json").write_text('{"news": {"url": "https://h/mcp?key=planted"}}')
    monkeypatch.setenv("AGENTIC_MCP_SERVERS", "@servers.json")
    settings = load_settings()
    assert settings.mcp_servers == {"news": {"url": "https://h/mcp?key=planted"}}
    assert described("AGENTIC_MCP_SERVERS").value == '{"news": "********"}'
    assert "planted" not in f"{settings!r} {describe_settings(settings)!r}"


@pytest.mark.parametrize("text", ["[1]", "{", '{"planted": ', "[" * 100_000])
def test_wrong_mcp_servers_are_told_unseen(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What is no JSON object is refused in one line, from the setting and from a file alike."""
    (folder / "servers.json").write_text(text)
    for value in (text, "@servers.json"):
        monkeypatch.setenv("AGENTIC_MCP_SERVERS", value)

        with pytest.raises(SettingsError, match=r"AGENTIC_MCP_SERVERS is set to .* a JSON object") as caught:
            load_settings()

        assert "planted" not in str(caught.value)


def test_urls_for_notifications_are_taken_apart_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commas inside a URL belong to it; those before the next one part them, as blanks and line ends do."""
    urls = ["mailto://me:planted@h?to=a@h,b@h", "json://h/planted", "tgram://1:planted/2/", "ntfys://planted"]
    monkeypatch.setenv("AGENTIC_NOTIFY_URLS", f" {urls[0]},{urls[1]} , {urls[2]}\n{urls[3]},")
    settings = load_settings()

    assert notification_urls(settings.notify_urls) == urls
    assert notification_urls(None) == []
    assert described("AGENTIC_NOTIFY_URLS").value == "********"
    assert "planted" not in f"{settings!r} {describe_settings(settings)!r}"


@pytest.mark.parametrize(
    "text",
    [
        "planted",
        "json://",
        "json://h planted",
        "planted,json://h",
        ",".join(["json://planted"] * 11),
        "json://plänted",
    ],
)
def test_wrong_urls_for_notifications_are_told_unseen(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What has not the form of URLs, and too many of them, is refused without being shown."""
    monkeypatch.setenv("AGENTIC_NOTIFY_URLS", text)

    with pytest.raises(SettingsError, match=r"^AGENTIC_NOTIFY_URLS is set to .*; expected URLs as") as caught:
        load_settings()

    assert "planted" not in str(caught.value)


def test_the_docs_list_exactly_the_settings_there_are() -> None:
    """docs/settings.md is what `settings_reference()` writes."""
    assert DOCS.read_text("utf-8") == settings_reference()
