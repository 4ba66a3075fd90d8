"""The real engine on the real paper venue, led hour by hour over bars that a test writes down."""

from decimal import Decimal
from typing import Any

from brokers.paper.costs import Costs
from brokers.paper.replay import ReplayVenue
from brokers.paper.tape import Tape
from brokers.paper.venue import VenueState
from domain.account import Account
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.caps import Caps
from domain.ids import decision_id
from domain.journal import Entry, HaltChanged, IntentRecorded
from domain.orders import Fill, Order, Side
from domain.time import HOUR_MS
from domain.verdicts import Verdict
from engine.engine import Engine, EngineState, start
from engine.journal import BatchedJournal
from tests.unit.brokers.samples import INSTRUMENTS, PLAIN, START, Row, at_once, flat, tape_of

ROOM = {
    "max_leverage": Decimal(10),
    "allow_short": True,
    "daily_loss_pct": None,
    "max_drawdown_pct": None,
    "price_band_pct": Decimal(50),
    "max_slippage_bps": Decimal(1000),
    "max_actions_per_tick": 100,
}
"""Caps that leave room, so that a test can set the one it is about."""


def caps(**own: Any) -> Caps:
    """Roomy caps with those that a test is about."""
    return Caps(**{**ROOM, **own})


def calm(px: float = 100.0, count: int = 60, volume: float = 1e6) -> list[Row | None]:
    """Bars in which the price stands still."""
    return [flat(px, volume) for _ in range(count)]


class House:
    """An engine, its venue and its journal. `step` runs one hour, as the replay loop does."""

    def __init__(
        self,
        own: Caps | None = None,
        tape: Tape | None = None,
        *,
        cash: str = "10000",
        symbols: tuple[str, ...] = ("BTC", "ETH", "DOGE"),
        costs: Costs = PLAIN,
        state: EngineState | None = None,
        venue_state: VenueState | None = None,
        bars_closed: int = 0,
    ) -> None:
        self.tape = tape or tape_of({"BTC": calm(), "ETH": calm(10.0)})
        self.caps = own or caps()
        money = Decimal(cash)
        self.venue = ReplayVenue(
            self.tape, venue_state or VenueState(Account(money)), INSTRUMENTS, costs, index=bars_closed
        )
        self.journal = BatchedJournal()
        self.engine = Engine(
            self.venue,
            self.journal,
            account="test",
            symbols=symbols,
            caps=self.caps,
            state=state or start(money, START),
        )
        self.entries: list[Entry] = []
        self.next = bars_closed
        self._index = 0

    @property
    def ts(self) -> int:
        """The instant at which the next bar opens, and at which actions are taken."""
        return START + self.next * HOUR_MS

    # Actions.

    def do(self, action: Action, *, index: int = 0) -> Verdict:
        """Submit one action now."""
        decision = decision_id("test", self.ts)
        verdict = at_once(self.engine.submit(action, ts=self.ts, decision=decision, index=index))
        self._write()
        return verdict

    def buy(self, size: str, symbol: str = "BTC", **more: Any) -> Verdict:
        return self.do(proposal(Side.BUY, size, symbol, **more))

    def sell(self, size: str, symbol: str = "BTC", **more: Any) -> Verdict:
        return self.do(proposal(Side.SELL, size, symbol, **more))

    def close(self, symbol: str = "BTC") -> Verdict:
        return self.do(ClosePosition(symbol))

    def cancel(self, number: int) -> Verdict:
        return self.do(CancelOrder(number))

    def protect(self, stop: str | None = None, profit: str | None = None, symbol: str = "BTC") -> Verdict:
        return self.do(
            SetProtection(
                symbol, Decimal(stop) if stop else None, take_profit_px=Decimal(profit) if profit else None
            )
        )

    # Time.

    def step(self, count: int = 1) -> None:
        """Run whole hours: open, path, close, funding, equity point."""
        for _ in range(count):
            while (alarm := self.venue.open_bar(self.next)) is not None:
                at_once(self.engine.halt(alarm.ts, alarm.equity))
            while (alarm := self.venue.close_bar()) is not None:
                at_once(self.engine.halt(alarm.ts, alarm.equity))
            self.venue.settle_funding()
            self.next += 1
            at_once(self.engine.observe(self.ts))
            self._write()

    def _write(self) -> None:
        self.entries += [entry for entry, _ in self.journal.take()]

    # What a test asks.

    def size(self, symbol: str = "BTC") -> Decimal:
        return self.engine.book.size(symbol)

    @property
    def cash(self) -> Decimal:
        return self.venue.state.account.cash

    @property
    def orders(self) -> list[Order]:
        return list(self.engine.book.orders.values())

    @property
    def fills(self) -> list[Fill]:
        return [entry for entry in self.entries if isinstance(entry, Fill)]

    @property
    def intents(self) -> list[IntentRecorded]:
        return [entry for entry in self.entries if isinstance(entry, IntentRecorded)]

    @property
    def phases(self) -> list[str]:
        """The phases that the halt went through."""
        return [entry.phase.value for entry in self.entries if isinstance(entry, HaltChanged)]


def proposal(side: Side, size: str | Decimal, symbol: str = "BTC", **more: Any) -> ProposeOrder:
    """A proposal; prices may be given as text."""
    for name in ("limit_px", "stop_px", "take_profit_px"):
        if isinstance(more.get(name), str):
            more[name] = Decimal(more[name])
    return ProposeOrder(symbol, side, Decimal(size), **more)


def reasons(verdict: Verdict) -> dict[str, tuple[str, str]]:
    """Limit and would-be value of each refusal, by cap."""
    return {refusal.cap: (refusal.limit, refusal.would_be) for refusal in verdict.refusals}


def passes(verdict: Verdict) -> bool:
    """Whether an action was approved; shows why not."""
    assert verdict.approved, verdict.refusals
    return True
