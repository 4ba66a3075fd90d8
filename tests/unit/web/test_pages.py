"""What pages are made of: assets with names of their content, and nothing that a strict policy refuses."""

import re
from pathlib import Path

import pytest

from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, parse_ts
from web.pages import ASSETS, HERE, age, asset_url, exactly
from web.runs import report_policy

NOW = parse_ts("2026-03-10T12:00:00Z")
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
REFUSED = re.compile(r"<style|<script|\sstyle=|\son[a-z]+=|javascript:|https?://", re.IGNORECASE)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_keeps_to_the_policy(path: Path) -> None:
    """No style, script or handler within the page, and nothing from another host."""
    assert REFUSED.findall(path.read_text()) == []


@pytest.mark.parametrize("bad", ['<p style="x">', "<script>", '<a onclick="x">', "http://cdn"])
def test_what_the_policy_refuses_is_found(bad: str) -> None:
    """Each kind of it."""
    assert REFUSED.search(bad)


def test_the_style_loads_nothing() -> None:
    """Neither imports nor pictures, from here or elsewhere."""
    for name, (path, _) in ASSETS.items():
        if name.endswith(".css"):
            assert not re.search(r"url\(|@import", path.read_text()), name


def test_every_icon_that_is_used_is_drawn() -> None:
    """A page without its glyph would say nothing of it."""
    drawn = set(re.findall(r'id="([gi]-[a-z]+)"', (HERE / "static" / "icons.svg").read_text()))
    text = "".join(path.read_text() for path in TEMPLATES)
    states = {icon for icon, _ in re.findall(r'": \("([a-z]+)", "([A-Z][a-z]+)"', text)}
    named = {f"g-{name}" for name in [*states, *re.findall(r'glyph\("([a-z]+)"\)', text)]} | {"i-mark"}

    assert len(states) == 6
    assert named <= drawn


def test_an_asset_is_named_by_its_content() -> None:
    """So that it may be kept for ever."""
    assert re.fullmatch(r"/static/page\.[0-9a-f]{12}\.css", asset_url("page.css"))
    assert len({asset_url(name) for name in ASSETS}) == len(ASSETS)


@pytest.mark.parametrize(
    ("before_ms", "text"),
    [
        (0, "0 s"),
        (-5_000, "0 s"),  # a clock that was set back
        (59 * MINUTE_MS, "59 min"),
        (26 * HOUR_MS, "1 d"),
        (7 * DAY_MS, "7 d"),
        (7 * DAY_MS + 1, "3 Mar 2026"),
    ],
)
def test_an_age_has_one_unit_and_becomes_a_date(before_ms: int, text: str) -> None:
    """After a week nobody counts days."""
    assert age(NOW - before_ms, NOW) == text


def test_an_instant_is_exact_to_the_second() -> None:
    """For the hint and for machines."""
    assert exactly(NOW + 1_234) == "2026-03-10T12:00:01Z"


def test_a_report_brings_its_own_policy() -> None:
    """Its hashes are let in as it says, and no frame; without one nothing is let in."""
    policy = "default-src &#39;none&#39;; style-src &#39;sha256-x=&#39;"
    page = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'

    assert report_policy(page) == "default-src 'none'; style-src 'sha256-x='; frame-ancestors 'none'"
    assert report_policy("<html>") == "default-src 'none'; frame-ancestors 'none'"
