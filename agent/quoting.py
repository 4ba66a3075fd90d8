"""Text from outside, made fit to be shown to a model: cleaned, cut, and quoted so that it can't pass for anything else.

News, answers of tools and remembered notes are data, never instructions. A quotation is one line of JSON between marks;
no text can hold an end mark, because `<` and `>` are written as escapes inside.

Markup is taken away by rules of our own and not by an HTML parser of the standard library, whose answers changed with
its bug fixes: what a model is shown must be the same to the byte wherever a run is replayed.
"""

import re
import unicodedata
from html import unescape

import msgspec

MOST_SOURCE = 80
MOST_MARKS = 30
"""As in the stream-safe format of https://www.unicode.org/reports/tr15/; no language needs as many."""

_ROUNDS = 5
_DROPPED = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|template|noscript|iframe)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.I | re.S
)
"""What is between such marks goes, to the end of the text where the second is missing: as a browser reads it, and in
time that grows with the text's length alone."""
_BLOCK = re.compile(
    r"</?(?:p|br|hr|div|li|ul|ol|table|tr|td|th|h[1-6]|section|article|blockquote|pre)\b[^<>]*>", re.I
)
_TAG = re.compile(r"<[/!?]?[a-z][^<>]*>", re.I)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that show nothing and are not of a hidden category: fillers, joiners, selectors of variants."""
_ENDS = "\t\n\r\f\v\x85"
_MARKUP = str.maketrans({"<": None, ">": None, "&": None})
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def clean(text: str, most: int) -> str:
    """The text of something from outside: one line, without markup or hidden characters, of at most `most` characters.

    Entities are decoded, scripts and styles dropped, blanks folded; what is cut ends in "…". Of a very long text only
    the beginning is read. Never raises, and cleaning twice changes nothing.
    """
    text = text[: 4 * most + 2_000]
    for _ in range(_ROUNDS):
        cleaned = _cut(_folded(_without_markup(text)), most)
        if cleaned == text:
            return text
        text = cleaned
    return _cut(
        _folded(text.translate(_MARKUP)), most
    )  # tags within entities within tags: nobody means well by that


def quoted(source: str, **fields: object) -> str:
    """Quote fields (texts, numbers, lists of texts) from a source as one line that names it.

    Texts lose what is hidden in them and are otherwise kept: clean what may be long or marked up.
    """
    name, body = (_encoded(value) for value in (clean(source, MOST_SOURCE), _bare(fields)))
    return f"<quoted source={name}>{body}</quoted>"


def _bare(value: object) -> object:
    """A value whose texts have no hidden characters."""
    if isinstance(value, str):
        return _without_hidden(value)
    if isinstance(value, dict):
        return {str(key): _bare(inner) for key, inner in value.items()}
    return [_bare(inner) for inner in value] if isinstance(value, list | tuple) else value


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode().translate(_ESCAPES)


def _without_markup(text: str) -> str:
    if "<" in text:
        text = _TAG.sub("", _BLOCK.sub(" ", _DROPPED.sub(" ", text)))
    return unescape(text) if "&" in text else text


def _without_hidden(text: str) -> str:
    """The text in composed form (NFC), without characters that can't be seen; line ends and tabs stay."""
    if not text.isprintable():
        text = "".join(char for char in text if char in _ENDS or unicodedata.category(char) not in _HIDDEN)
    return text if text.isascii() else unicodedata.normalize("NFC", _fewer_marks(_BLANK.sub("", text)))


def _fewer_marks(text: str) -> str:
    """The text with at most `MOST_MARKS` accents on a letter: to put more in order takes their number squared."""
    kept, marks = [], 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def _folded(text: str) -> str:
    return " ".join(_without_hidden(text).split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(0, most - 1)].rstrip() + "…"[:most]
