"""Signing in on the machine that serves: a link that works once, printed in the terminal, opens a session.

Codes and sessions live in memory and die with the process. Codes are unguessable, so guessing needs no
brake; whoever can read the terminal is let in, nobody else.
"""

import hashlib
import hmac
from collections.abc import Callable
from uuid import UUID

from domain.time import DAY_MS, MINUTE_MS, SECOND_MS, Clock

CODE_LIFE_MS = 15 * MINUTE_MS
SESSION_LIFE_MS = 30 * DAY_MS
PAUSE_MS = 5 * SECOND_MS
"""A fresh code is handed out on request no more often than this."""
MOST_SESSIONS = 50
"""The oldest is ended when there would be more."""


class SignIn:
    """The one code that may be used, and the sessions that codes have opened.

    `make_token` gives a text that nobody can guess, `announce` shows a fresh code to whom it is for.
    """

    def __init__(
        self, user_id: UUID, clock: Clock, make_token: Callable[[], str], announce: Callable[[str], None]
    ) -> None:
        self._user_id = user_id
        self._clock = clock
        self._make_token = make_token
        self._announce = announce
        self._code: str | None = None
        self._issued_ts = 0
        self._ends_ts: dict[str, int] = {}

    def issue(self) -> str:
        """Make a fresh code; the one before is void."""
        self._code, self._issued_ts = self._make_token(), self._clock.now_ms()
        return self._code

    def announce_fresh(self) -> None:
        """Show a fresh code, unless one was made a moment ago."""
        if self._code is None or self._clock.now_ms() - self._issued_ts >= PAUSE_MS:
            self._announce(self.issue())

    def redeem(self, code: str) -> str | None:
        """Open a session and give its token; None when the code is not the one, was used, or is too old."""
        if self._code is None or not hmac.compare_digest(_bytes(code), _bytes(self._code)):
            return None
        is_old = self._clock.now_ms() - self._issued_ts >= CODE_LIFE_MS
        self._code = None
        return None if is_old else self._open()

    def user_of(self, token: str) -> UUID | None:
        """Whose session a token is of; None when there is none, or it has ended."""
        ends_ts = self._ends_ts.get(_digest(token), 0)
        return self._user_id if self._clock.now_ms() < ends_ts else None

    def end(self, token: str) -> None:
        """End a session; its token is worth nothing from now on."""
        self._ends_ts.pop(_digest(token), None)

    def _open(self) -> str:
        while len(self._ends_ts) >= MOST_SESSIONS:
            self._ends_ts.pop(next(iter(self._ends_ts)))
        token = self._make_token()
        self._ends_ts[_digest(token)] = self._clock.now_ms() + SESSION_LIFE_MS
        return token


def _digest(token: str) -> str:
    """Sessions are looked up by the digest of their token, which tells nothing about how near a guess was."""
    return hashlib.sha256(_bytes(token)).hexdigest()


def _bytes(text: str) -> bytes:
    """A text as bytes, also one that was no text when it came in: a header's stray bytes arrive as half characters."""
    return text.encode(errors="replace")
