"""A reader of reports for the tests: strict about form, and it lists all that a page would load or run."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "col", "base", "source", "wbr"}
BLOCKS_OF_A_PARAGRAPH = {"div", "p", "table", "dl", "ul", "ol", "section", "pre", "h1", "h2", "h3"}
LOADS = {"src", "srcset", "data", "poster", "action", "formaction", "background", "manifest", "ping"}


class Page(HTMLParser):
    """One document. Raises AssertionError where an element is not closed, or in the wrong order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not (tag in BLOCKS_OF_A_PARAGRAPH and "p" in self.open), f"<{tag}> inside a paragraph"
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        for name, value in attrs:
            self._note(tag, name, value or "")
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def _note(self, tag: str, name: str, value: str) -> None:
        if name == "id":
            self.ids.append(value)
        elif name == "href" and tag in ("use", "a") and value.startswith("#"):
            self.links.append(value[1:])
        elif name in LOADS or name == "href":
            self.loads.append(f"{tag} {name}={value}")
        elif name.startswith("on") or name == "style":
            self.handlers.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self) -> str:
        """What a reader sees, with runs of white space as one space."""
        seen = "".join(text if tag not in ("script", "style") else "" for tag, text in self.texts)
        return re.sub(r"\s+", " ", seen)

    def inside(self, tag: str) -> list[str]:
        """The raw contents of a kind of element."""
        return [text for name, text in self.texts if name == tag]


def check_form(html: str) -> Page:
    """Hold a document to what every report promises: well-formed, self-contained, and only our code runs."""
    page = Page(html)
    assert html.startswith("<!doctype html>\n<html lang=")
    assert [each for each, count in Counter(page.ids).items() if count > 1] == []
    assert set(page.links) <= set(page.ids)
    assert (page.loads, page.handlers) == ([], [])
    assert page.tags["script"] == 2
    assert page.tags["style"] == 1
    style, (_, script) = page.inside("style"), page.inside("script")
    assert "url(" not in style[0]
    assert "@import" not in style[0]
    assert page.policy == (
        f"default-src 'none'; style-src {sha(style[0])}; script-src {sha(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return page


def sha(text: str) -> str:
    """How a content security policy names an inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
