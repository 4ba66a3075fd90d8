"""The documents hold together: links lead somewhere, and a word has one definition."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

DOCS = sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
DEFINED = re.compile(r"\*\*([^*]+)\*\* – ")


def broken_links(path: Path, text: str) -> list[str]:
    """The relative links of a document that lead to no file, or to no heading of one."""
    return [link for link in LINK.findall(text) if ":" not in link and not _leads_somewhere(path, link)]


def _leads_somewhere(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target.read_text("utf-8"))


def _anchors(text: str) -> set[str]:
    """The anchors that headings get: lower case, hyphens for spaces, no other marks."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_in_the_docs_lead_somewhere(path: Path) -> None:
    """Each relative link names a file that is there, and a heading that it has."""
    assert broken_links(path, path.read_text("utf-8")) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """A missing file and a missing heading are reported; hosts and present ones are not."""
    (tmp_path / "there.md").write_text("# The Rules, in short\n")
    text = "[a](there.md) [b](there.md#the-rules-in-short) [c](gone.md) [d](there.md#gone) [e](https://example.org)"

    assert broken_links(tmp_path / "page.md", text) == ["gone.md", "there.md#gone"]


def test_the_glossary_defines_each_word_once() -> None:
    """A word with two meanings has none."""
    words = DEFINED.findall((ROOT / "docs" / "glossary.md").read_text("utf-8"))

    assert len(words) > 40
    assert [word for word, count in Counter(word.lower() for word in words).items() if count > 1] == []
