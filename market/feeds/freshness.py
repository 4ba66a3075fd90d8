"""Whether prices are fresh: the connection is up, and the mark is at most 15 s old. Pure.

A mark's age is measured by the feed's own clock: the newest instant that the feed has told of, and the time that has
passed since. The wall's clock plays no part, so setting it makes nothing stale and nothing fresh. And a mark is never
younger than the time since it was heard, whatever instant it bears.

Time that passes is given in seconds of a clock that is never set (`now_s`); only differences mean something.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

FRESH_MS = 15_000
"""How old a mark may be (docs/trading-rules.md §4.2)."""
FRESH_S = FRESH_MS / 1000


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


class Gap(msgspec.Struct, frozen=True):
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
    """A gap that is open: the last mark before it, and when it was heard."""

    since: int | None
    at_s: float


class Freshness:
    """Watches the prices of some symbols. Made when the feed begins, at `now_s`, and not connected yet."""

    def __init__(self, symbols: Iterable[str], now_s: float) -> None:
        self._began_s = now_s
        self._marks: dict[str, _Heard | None] = dict.fromkeys(symbols)
        self._gaps: dict[str, _Open] = {}
        self._newest: _Heard | None = None
        self._behind_since: float | None = (
            None  # all that was heard from then on was far behind the feed's clock
        )
        self.is_connected = False
        self.problem = ""

    def connected(self) -> None:
        """The feed's connection is up."""
        self.is_connected, self.problem = True, ""

    def lost(self, problem: str) -> None:
        """The feed's connection is down; `problem` says why."""
        self.is_connected, self.problem = False, problem

    def marked(self, symbol: str, ts: int, now_s: float) -> None:
        """A mark of `ts` was heard. An older one than is known, come late, changes nothing."""
        heard = _Heard(ts, now_s)
        self._set_clock(heard)
        last = self._marks[symbol]
        if last is None or self._age_ms(heard, now_s) <= self._age_ms(last, now_s):
            self._marks[symbol] = heard

    def look(self, now_s: float) -> list[Gap]:
        """What has stopped and what has come again since the last look, each told once. Before the first mark of a
        symbol there is no gap until one is overdue.
        """
        return [gap for symbol in self._marks if (gap := self._turned(symbol, now_s)) is not None]

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

    def _turned(self, symbol: str, now_s: float) -> Gap | None:
        last, opened = self._marks[symbol], self._gaps.get(symbol)
        if self.is_fresh(symbol, now_s):
            if opened is None:
                return None
            del self._gaps[symbol]
            return Gap(symbol, opened.since, is_over=True, lasted_s=now_s - opened.at_s)
        if opened is not None or (last is None and now_s - self._began_s <= FRESH_S):
            return None
        opened = _Open(None, self._began_s) if last is None else _Open(last.ts, last.at_s)
        self._gaps[symbol] = opened
        return Gap(symbol, opened.since)

    def _age_ms(self, heard: _Heard, now_s: float) -> int:
        return max(self._clock_ms(now_s) - heard.ts, round((now_s - heard.at_s) * 1000))

    def _clock_ms(self, now_s: float) -> int:
        """What the feed's clock shows."""
        assert self._newest is not None
        return self._newest.ts + round((now_s - self._newest.at_s) * 1000)

    def _set_clock(self, heard: _Heard) -> None:
        """Follow the newest instant; go back only when for a while nothing else than older ones was heard."""
        behind_ms = 0 if self._newest is None else self._clock_ms(heard.at_s) - heard.ts
        if behind_ms <= FRESH_MS:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = heard.at_s
        is_set_back = self._behind_since is not None and heard.at_s - self._behind_since > FRESH_S
        if behind_ms <= 0 or is_set_back:
            self._newest, self._behind_since = heard, None
