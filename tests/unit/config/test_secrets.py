"""What is kept out of the log, to the letter."""

import pytest

from config.secrets import secrets_of
from config.settings import load_settings


def test_every_part_of_a_notifications_url_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it, the password, and each piece that is long enough to let somebody in."""
    first, second = (
        "mailto://me:pass%21word@h",
        "tgram://123456:planted-0123456789abc/42/?x=planted-in-a-query",
    )
    monkeypatch.setenv("AGENTIC_NOTIFY_URLS", f"{first},{second}")

    found = secrets_of(load_settings())

    assert {first, second, "pass!word", "planted-0123456789abc", "planted-in-a-query"} <= set(found)
    assert "mailto" not in found
