"""What notices read like, and that nothing in one is more than text."""

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.notices.texts import MOST_BODY, MOST_FIELD, MOST_TITLE, harmless, text_of
from domain.deployments import CommandKind, CommandState
from domain.notices import BudgetUsed, CommandEnded, FeedStale, Filled, NoticeKind, Severity, Stopped
from domain.orders import Side
from tests.unit.actors.notices.samples import T0, fill, one_of_each


def test_every_kind_has_a_text() -> None:
    """A title of one line, which names the deployment, and a body that ends with when it happened."""
    notices = one_of_each()
    assert {notice.kind for notice in notices} == set(NoticeKind)

    for notice in notices:
        text = text_of(notice)
        assert text.title.startswith("trend")
        assert "\n" not in text.title
        assert text.body.splitlines()[-1] == "2025-01-01T00:00:00Z"
        assert text.deployment == "trend"
        assert "None" not in text.title + text.body


@pytest.mark.parametrize(
    ("fills", "title", "line"),
    [
        ((fill(),), "trend: bought 0.25 BTC at 60,300.5", "bought 0.25 BTC at 60,300.5"),
        (
            (fill("stop", side=Side.SELL),),
            "trend: sold 0.25 BTC at 60,300.5 (stop), realized +$29.00",
            "sold 0.25 BTC at 60,300.5 (stop), realized +$29.00",
        ),
        ((fill(),) * 3, "trend: 3 fills", "bought 0.25 BTC at 60,300.5"),
        ((fill(),) * 12, "trend: 12 fills", "… and 4 more"),
    ],
)
def test_fills_are_told_as_people_tell_them(fills: tuple[object, ...], title: str, line: str) -> None:
    """One in the title, several counted there and listed below, very many cut."""
    text = text_of(Filled(ts=T0, deployment="trend", fills=fills))  # type: ignore[arg-type]

    assert text.title == title
    assert line in text.body.splitlines()


def test_a_liquidation_is_urgent_and_says_so() -> None:
    """Other fills are only good to know."""
    forced = Filled(ts=T0, deployment="trend", fills=(fill(), fill("liquidation", side=Side.SELL)))

    assert (forced.severity, Filled(ts=T0, deployment="trend", fills=(fill(),)).severity) == (
        Severity.URGENT,
        Severity.INFO,
    )
    assert "by force" in text_of(forced).body


def test_how_grave_it_is_depends_on_how_it_went() -> None:
    """What ended well is good to know; what a person should look at is a warning, or urgent."""
    of = {"ts": T0, "deployment": "trend"}
    spent = {
        share: BudgetUsed(**of, budget="b", spent_usd=Decimal(share), limit_usd=Decimal(10))
        for share in (8, 10)
    }
    feed = FeedStale(**of, symbols=("BTC",), last_ts=T0)
    done, failed = (
        CommandEnded(**of, command=CommandKind.STOP, state=state)
        for state in (CommandState.DONE, CommandState.FAILED)
    )

    assert [one.severity for one in (spent[8], spent[10])] == [Severity.WARNING, Severity.URGENT]
    assert [one.severity for one in (feed, msgspec.structs.replace(feed, is_fresh_again=True))] == [
        Severity.WARNING,
        Severity.INFO,
    ]
    assert [one.severity for one in (done, failed)] == [Severity.INFO, Severity.WARNING]
    assert Stopped(**of, reason="").severity is Severity.INFO
    assert Stopped(**of, reason="", holding=("BTC",)).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("hey @everyone", "hey ＠everyone"),
        ("<!channel> <@U123> hi", "‹＠U123› hi"),
        ("<b>bold</b> **loud** `code`", "bold ∗∗loud∗∗ 'code'"),
        ("[your account](https://evil.example/x)", "(your account)(https:∕∕evil․example/x)"),
        ("go to www.evil.example now", "go to www․evil․example now"),
        ("red\x1b[31m\u202e\u200b text\r\nnext", "red(31m text next"),
        ("at 60010.5 or 1.5x", "at 60010.5 or 1.5x"),
        ("# Heading\n- list", "＃ Heading - list"),
    ],
)
def test_a_hostile_text_is_only_text(hostile: str, shown: str) -> None:
    """No markup, no link, no mention, no control of the terminal; figures are left alone."""
    assert harmless(hostile) == shown


@given(st.text(max_size=2_000))
def test_whatever_a_text_says_it_is_bounded_and_harmless(hostile: str) -> None:
    """Of any notice, whatever stands where its texts go."""
    assert len(harmless(hostile)) <= MOST_FIELD
    for notice in one_of_each(hostile):
        text = text_of(notice)
        said = text.title + text.body
        assert 0 < len(text.title) <= MOST_TITLE
        assert len(text.body) <= MOST_BODY + 30
        assert not re.search(r"[@<>`*\[\]]|://|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e]", said)
        assert "\n" not in text.title


def test_a_template_can_not_be_smuggled_in() -> None:
    """What stands in a notice is never read as a template."""
    notice = Stopped(ts=T0, deployment="{{ 7 * 7 }}", reason="{% raw %}{{ n.__class__ }}")

    assert text_of(notice).title == "{{ 7 ∗ 7 }} stopped"
    assert "{{ n.__class__ }}" in text_of(notice).body
