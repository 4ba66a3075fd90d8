"""Keys do not get into logs, however they are written there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.redaction import HIDDEN, Redactor

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://agentic:{SECRET}@db.example/agentic is not reachable",
        f"asked with sk-ant-{SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"password={SECRET}&user=me",
        f'{{"api_key": "{SECRET}"}}',
        f"{{'token': '{SECRET}'}}",
        f"http://127.0.0.1:8080/sign-in?code={SECRET}",
        "0x" + SECRET.encode().hex()[:24].ljust(64, "a"),
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str) -> None:
    """Though nobody said which it is."""
    shown = Redactor()(text)

    assert SECRET not in shown
    assert SECRET.encode().hex()[:24] not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "order 0x5a1f of engine:btc was filled at 60,000",
        "GET /runs/0192-77 took 3 ms",
        "https://example.org/a?b=c answers",
        "started again in 4.0 s",
    ],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    """A log that hides everything says nothing."""
    assert Redactor([SECRET])(text) == text


@given(st.text(min_size=6, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_is_hidden_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """To the letter, whatever is in it."""
    shown = Redactor([secret])(before + secret + after)

    assert secret not in shown.replace(HIDDEN, "\n" * 40)


def test_a_value_whose_name_says_what_it_is_is_hidden_whole() -> None:
    """Others are looked through."""
    redact = Redactor([SECRET])

    assert redact.value("api_key", "anything") == HIDDEN
    assert redact.value("url", f"x{SECRET}x") == f"x{HIDDEN}x"
