"""The comparison as a page: it says what was found, escapes what it shows and loads nothing."""

import re

import pytest

from agent.baselines import baseline
from domain.actions import ClosePosition
from simulator.parity.compare import compare
from simulator.parity.page import About, render
from simulator.parity.report import Parity
from tests.unit.simulator.html_check import check_form
from tests.unit.simulator.parity.planted import SKILL, Faults, around, lead

ABOUT = About("btc-trend", 3, "baseline:sma-cross", "01a2-dd76", "replay:2025-01-01..2025-01-03@max", False)


@pytest.fixture(scope="module")
def differing() -> Parity:
    """One that missed ticks, and whose position was closed by hand."""
    faults = Faults(missed=frozenset(range(10, 20)), by_hand={30: ClosePosition("BTC", "by hand")})
    return compare(
        lead("live", baseline(SKILL, 0), faults),
        lead("sim", baseline(SKILL, 0)),
        around(missed=faults.missed),
    )


@pytest.fixture(scope="module")
def same() -> Parity:
    """One in which nothing differs."""
    return compare(lead("live", baseline(SKILL, 0)), lead("sim", baseline(SKILL, 0)), around())


def text_of(page: str) -> str:
    """What is read on a page."""
    body = page.partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_a_page_says_what_sets_the_two_apart(differing: Parity) -> None:
    """The sum, each cause with its part of it, and the ticks that were not taken."""
    page = render(differing, ABOUT)
    text = text_of(page)

    check_form(page)
    assert "btc-trend v3 beside its simulation" in text
    for words in ("ticks that the deployment did not take", "what was done by hand", "paused"):
        assert words in text
    assert f"{differing.ticks.same} of {differing.ticks.due}" in text
    assert "Made-up prices" not in text
    assert "made up" not in text


def test_where_nothing_differs_it_says_so(same: Parity) -> None:
    """In its first sentence; and no table is empty."""
    text = text_of(render(same, ABOUT))
    assert "No difference:" in text
    assert "Nothing, in money." in text
    assert "The same was done at all that were taken." in text


def test_made_up_prices_are_labelled(same: Parity) -> None:
    """At the title, and as a warning."""
    made_up = About("x", 1, "baseline:hold", "01", "synthetic@7", True, ("There is no funding.",), 2)
    text = text_of(render(same, made_up))
    assert "Made-up prices" in text
    assert "The prices are made up. A program made them up" in text
    assert "2 ticks off the record." in text
    assert "There is no funding." in text


def test_it_loads_nothing_and_runs_nothing_of_others(differing: Parity) -> None:
    """What a name or a model holds is text, and the policy lets in the page's own style and script alone."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    page = render(differing, About(evil, 1, evil, "01", evil, True, (evil,)))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "default-src &#39;none&#39;" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)


def test_the_same_comparison_is_the_same_page(differing: Parity) -> None:
    """To the byte: no clock and no chance."""
    assert render(differing, ABOUT) == render(differing, ABOUT)
