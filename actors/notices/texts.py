"""The texts of notices: a title of one line and a body of a few, plain, from a template for each kind.

A template's first line is the title; the body ends with when it happened. What a template puts in is made harmless
here, whatever it is: texts of a venue, a server or a model lose markup, hidden characters and length, and nothing in
them is a link or calls anybody. Besides, the library that sends them escapes what its target would read as markup.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.quoting import clean
from domain.money import plain
from domain.notices import Filled, Notice, NoticeKind
from domain.orders import Fill
from domain.time import iso
from simulator.report import words

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_TITLE = 120
MOST_BODY = 1_500
MOST_FIELD = 300
MOST_FILLS = 8
MOST_NAME = 60

_TEMPLATES = Path(__file__).parent / "templates"
_MARKS = str.maketrans({"@": "＠", "<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "*": "∗", "#": "＃"})
_DOT_IN_A_NAME = re.compile(r"(?<=[^\W\d_])\.(?=[^\W\d_])")


class Text(msgspec.Struct, frozen=True):
    """A message as it is read: a line and what follows it, and the name of the deployment that it is of."""

    title: str
    body: str
    deployment: str = ""


def text_of(notice: Notice) -> Text:
    """Write a notice out."""
    fills = [_fill(fill) for fill in notice.fills] if isinstance(notice, Filled) else []
    template = _environment().get_template(f"{notice.kind}.txt")
    title, _, body = template.render(n=notice, fills=fills, most=MOST_FILLS).strip().partition("\n")
    when = _at(notice.ts)
    body = f"{words.cut(body.strip(), MOST_BODY)}\n{when}".lstrip()
    return Text(words.cut(title, MOST_TITLE), body, harmless(notice.deployment, MOST_NAME))


def harmless(text: str, most: int = MOST_FIELD) -> str:
    """A text from anywhere as one line that is nothing but text: no markup, no link, no call of somebody's name."""
    text = clean(text, most).translate(_MARKS).replace("://", ":∕∕")
    return _DOT_IN_A_NAME.sub("․", text)


def prepare() -> None:
    """Load all templates, so that no tick waits for it."""
    for kind in NoticeKind:
        _environment().get_template(f"{kind}.txt")


def _fill(fill: Fill) -> str:
    """One fill as a line: sold 0.25 BTC at 60,300 (stop), realized +29.00."""
    verb = "bought" if fill.side == "buy" else "sold"
    cause = "" if fill.cause == "market" else f" ({words.cause(fill.cause).lower()})"
    gained = f", realized {words.dollars(fill.realized, signed=True)}" if fill.realized else ""
    return f"{verb} {words.grouped(fill.size)} {harmless(fill.symbol, 20)} at {words.grouped(fill.px)}{cause}{gained}"


@cache
def _environment() -> "Environment":
    """The templates. Imported here, because what tells nobody anything should not wait for it."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # plain text; what is put in goes through `_shown`
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"usd": words.dollars, "at": _at, "listed": _listed}
    return environment


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return harmless(value, MOST_FIELD) if isinstance(value, str) else value


def _at(ts: int) -> str:
    return iso(ts // 1000 * 1000)


def _listed(names: Sequence[str]) -> str:
    shown = [harmless(name, MOST_NAME) for name in names[:MOST_FILLS]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
