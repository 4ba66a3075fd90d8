"""What an agent needs of an execution engine. In a simulation it is the engine itself, live it is a way to reach it."""

from decimal import Decimal
from typing import Protocol

from domain.actions import Action
from domain.snapshots import AccountView
from domain.verdicts import Verdict
from engine.book import Book
from engine.used import Used


class EnginePort(Protocol):
    """One account's engine, as a tick sees it."""

    @property
    def book(self) -> Book:
        """Positions, live orders, and what caps look back at."""

    @property
    def is_halted(self) -> bool:
        """Whether nothing may raise exposure."""

    def account(self, ts: int) -> AccountView:
        """The account at this moment."""

    def mark(self, symbol: str) -> Decimal | None:
        """The fresh mark of a symbol, if there is one."""

    def used(self, ts: int) -> Used:
        """How much of its caps the account uses."""

    async def submit(self, action: Action, *, ts: int, decision: str, index: int) -> Verdict:
        """Decide one action and carry it out."""
