"""Whether prices are fresh: the connection is up, and the mark is at most 15 s old. Pure.

A mark's age is measured by the feed's own clock: the newest instant that the feed has told of, and the time that has
passed since. The wall's clock plays no part, so setting it makes nothing stale and nothing fresh. And a mark is never
younger than the time since it was heard, whatever instant it bears. What comes later and later, as to a program that
can't keep up, is stale; so is everything after an instant from far ahead, until the feed is connected anew.

Time that passes is given in seconds of a clock that is never set (`now_s`); only differences mean something.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

FRESH_MS = 15_000
"""How old a mark may be (docs/trading-rules.md §4.2)."""
FRESH_S = FRESH_MS / 1000
DRIFT = 1e-4
"""By how much a feed's clock may go slower than ours. Otherwise all would be stale after some days."""


class SymbolHealth(msgspec.Struct, frozen=True):
    """One symbol: the instant of its newest mark (UTC ms, None before the first), and its age in the feed's time."""

    is_fresh: bool
    last_ts: int | None = None
    age_ms: int | None = None


class Health(msgspec.Struct, frozen=True):
    """How a feed is doing. `problem` says in one line why it is not connected, where that is known."""

    is_connected: bool
    symbols: dict[str, SymbolHealth]
    problem: str = ""

    @property
    def stale(self) -> tuple[str, ...]:
        """The symbols without a fresh price."""
        return tuple(symbol for symbol, one in self.symbols.items() if not one.is_fresh)


class Silence(msgspec.Struct, frozen=True):
    """The prices of a symbol stopped coming, or (`is_over`) come again.

    `since` is the instant of the last mark before it, in the feed's time; None where there was none. `lasted_s` is how
    long there was none.
    """

    symbol: str
    since: int | None
    is_over: bool = False
    lasted_s: float = 0.0


class _Heard(NamedTuple):
    """A mark of `ts`, heard at `at_s`."""

    ts: int
    at_s: float


class _Open(NamedTuple):
    """A silence that lasts: the last mark before it, and when it was heard."""

    since: int | None
    at_s: float


class Freshness:
    """Watches the prices of some symbols. Made when the feed begins, at `now_s`, and not connected yet."""

    def __init__(self, symbols: Iterable[str], now_s: float) -> None:
        self._began_s = now_s
        self._marks: dict[str, _Heard | None] = dict.fromkeys(symbols)
        self._silences: dict[str, _Open] = {}
        self._newest: _Heard | None = None
        self.is_connected = False
        self.problem = ""

    def connected(self) -> None:
        """The feed's connection is up, or up again: what its clock shows is learned anew."""
        self.is_connected, self.problem, self._newest = True, "", None

    def lost(self, problem: str) -> None:
        """The feed's connection is down; `problem` says why."""
        self.is_connected, self.problem = False, problem

    def marked(self, symbol: str, ts: int, now_s: float) -> None:
        """A mark of `ts` was heard. An older one than is known, come late, changes nothing."""
        heard = _Heard(ts, now_s)
        if self._newest is None or ts >= _clock_ms(self._newest, now_s):
            self._newest = heard
        last = self._marks[symbol]
        if last is None or self._age_ms(heard, now_s) <= self._age_ms(last, now_s):
            self._marks[symbol] = heard

    def look(self, now_s: float) -> list[Silence]:
        """What has stopped and what has come again since the last look, each told once.

        Before the first mark of a symbol it is silent only when one is overdue.
        """
        return [silence for symbol in self._marks if (silence := self._turned(symbol, now_s)) is not None]

    def is_fresh(self, symbol: str, now_s: float) -> bool:
        """Whether a symbol may be traded on its mark."""
        last = self._marks[symbol]
        return self.is_connected and last is not None and self._age_ms(last, now_s) <= FRESH_MS

    def health(self, now_s: float) -> Health:
        """The state of everything."""
        return Health(
            self.is_connected, {symbol: self._of(symbol, now_s) for symbol in self._marks}, self.problem
        )

    def _of(self, symbol: str, now_s: float) -> SymbolHealth:
        last = self._marks[symbol]
        if last is None:
            return SymbolHealth(is_fresh=False)
        return SymbolHealth(self.is_fresh(symbol, now_s), last.ts, self._age_ms(last, now_s))

    def _turned(self, symbol: str, now_s: float) -> Silence | None:
        last, opened = self._marks[symbol], self._silences.get(symbol)
        if self.is_fresh(symbol, now_s):
            if opened is None:
                return None
            del self._silences[symbol]
            return Silence(symbol, opened.since, is_over=True, lasted_s=now_s - opened.at_s)
        if opened is not None or (last is None and now_s - self._began_s <= FRESH_S):
            return None
        opened = _Open(None, self._began_s) if last is None else _Open(last.ts, last.at_s)
        self._silences[symbol] = opened
        return Silence(symbol, opened.since)

    def _age_ms(self, heard: _Heard, now_s: float) -> int:
        since_heard = round((now_s - heard.at_s) * 1000)
        return (
            since_heard
            if self._newest is None
            else max(since_heard, _clock_ms(self._newest, now_s) - heard.ts)
        )


def _clock_ms(newest: _Heard, now_s: float) -> int:
    """What the feed's clock shows."""
    return newest.ts + round((now_s - newest.at_s) * 1000 * (1 - DRIFT))
