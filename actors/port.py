"""How a tick reaches its account's engine: it sees the account as it was when it looked, and asks for each action."""

from decimal import Decimal

from actors.engine import EngineActor
from actors.kernel import Ref
from actors.messages import Look, Seen, Submit
from domain.actions import Action
from domain.journal import HaltPhase
from domain.snapshots import AccountView
from domain.verdicts import Verdict
from engine.book import Book
from engine.used import Used, used

ASK_S = 30.0
"""How long an engine may take to answer: it may be committing while the database is slow, or be starting again."""


class RemoteEngine:
    """An `agent.port.EnginePort` on an engine's ref. `look` before each tick."""

    def __init__(self, engine: Ref[EngineActor]) -> None:
        self._engine = engine
        self.last_seen: Seen | None = None

    async def look(self, ts: int) -> Seen:
        """Take the account in as it is now."""
        self.last_seen = await self._engine.ask(Look(ts), timeout_s=ASK_S)
        return self.last_seen

    @property
    def seen(self) -> Seen:
        """What was seen last."""
        assert self.last_seen is not None, "look before you act"
        return self.last_seen

    @property
    def book(self) -> Book:
        return self.seen.desk.book

    @property
    def is_halted(self) -> bool:
        return self.seen.watch.phase is not HaltPhase.ACTIVE

    @property
    def is_shut(self) -> bool:
        """Whether the account is halted and flat: there is nothing that a decision could do."""
        return self.seen.watch.phase is HaltPhase.HALTED

    def account(self, ts: int) -> AccountView:
        return self.seen.view

    def mark(self, symbol: str) -> Decimal | None:
        return self.seen.desk.quotes.mark(symbol)

    def used(self, ts: int) -> Used:
        return used(self.seen.desk, self.seen.watch)

    async def submit(self, action: Action, *, ts: int, decision: str, index: int) -> Verdict:
        answer = await self._engine.ask(Submit(action, ts, decision, index), timeout_s=ASK_S)
        self.last_seen = answer.seen
        return answer.verdict
