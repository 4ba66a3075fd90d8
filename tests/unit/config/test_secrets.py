"""Which of the settings must never be shown."""

import pytest
from pydantic import SecretStr

from config.secrets import secrets_of
from config.settings import Settings


def test_keys_passwords_and_what_servers_are_given_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is one whole, and its password by itself, as written and as meant."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    url = "postgresql://agentic:pass%2Fword@db.example/agentic"
    settings = Settings(
        database_url=SecretStr(url),
        anthropic_api_key=SecretStr("sk-ant-key"),
        notify_urls=SecretStr("json://one.example/a, mailto://me:mail-secret@two.example"),
        mcp_servers={
            "news": {"command": ["news-server"], "env": {"NEWS_KEY": "news-secret"}},
            "other": {"url": "https://mcp.example", "headers": {"Authorization": "Bearer other-secret"}},
            "odd": "not a server",
        },
    )

    found = secrets_of(settings)

    assert {url, "pass%2Fword", "pass/word", "sk-ant-key", "news-secret", "Bearer other-secret"} <= set(found)
    assert {"json://one.example/a", "mail-secret"} <= set(found)
    assert not any(public in found for public in ("news-server", "https://mcp.example", "NEWS_KEY"))


def test_every_secret_setting_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come later, too."""
    names = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    settings = Settings().model_copy(update={name: SecretStr(f"json://secret-of-{name}") for name in names})

    assert {f"json://secret-of-{name}" for name in names} <= set(secrets_of(settings))
    assert len(names) >= 2
