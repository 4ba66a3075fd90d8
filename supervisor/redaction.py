"""What keeps keys out of log lines and of the errors that are shown: known secrets, and what looks like one."""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST_SECRET = 6
"""Shorter ones are not looked for: they would be found in everything."""

_NAMES = r"api[_-]?key|private[_-]?key|secret|token|passw(?:or)?d|authorization|cookie|credential"
_NAMED = re.compile(_NAMES, re.IGNORECASE)
_PATTERNS = (
    (re.compile(r"(?<=://)[^/\s@]+(?=@)"), HIDDEN),  # who logs in, in an address
    (re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(rf"((?:{_NAMES})[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b0x[0-9a-fA-F]{64}\b"), HIDDEN),  # a private key of the venue's
    (re.compile(r"([?&]code=)[^\s&]+"), rf"\1{HIDDEN}"),  # a link that signs in
)


class Redactor:
    """Takes secrets out of texts. `secrets` are those that are known to the letter."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Give the text without them."""
        if self._known:
            text = self._known.sub(HIDDEN, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def value(self, name: str, text: str) -> str:
        """Give a named value without them; one whose name says what it is is hidden whole."""
        return HIDDEN if _NAMED.search(name) else self(text)
