"""A paper account on quotes and marks that a test writes down, an instant at a time."""

from collections.abc import Callable
from decimal import Decimal

from brokers.paper.costs import Costs
from brokers.paper.quotes import STALE_AFTER_MS, QuoteVenue
from brokers.paper.replay import Alarm
from brokers.paper.venue import VenueState
from domain.account import Account
from domain.events import VenueEvent
from domain.feeds import FundingSettled, Mark, Quote
from tests.unit.brokers.samples import INSTRUMENTS, START, Hand

NO_FEES = Costs(taker_bps=Decimal(0), maker_bps=Decimal(0))
"""For rules that are not about money."""

Number = str | int | Decimal
Told = Quote | Mark | FundingSettled


class HandTime:
    """Time that a test moves: the instant that people set, and the seconds that pass."""

    def __init__(self, now_ms: int = START) -> None:
        self.instant_ms = now_ms
        self.passed_ms = 0

    def now_ms(self) -> int:
        return self.instant_ms

    def monotonic_s(self) -> float:
        return self.passed_ms / 1000

    def pass_ms(self, duration_ms: int) -> None:
        self.instant_ms += duration_ms
        self.passed_ms += duration_ms


class Stand(Hand):
    """An account on live quotes, from START on; `wait` lets time pass.

    What the feed tells is heard at once and bears that instant, unless another is given. `on_alarm` is done at each
    alarm, before the venue goes on.
    """

    venue: QuoteVenue

    def __init__(
        self,
        *,
        cash: str | Decimal = "1000",
        leverage: int = 10,
        costs: Costs = NO_FEES,
        state: VenueState | None = None,
        stale_after_ms: int = STALE_AFTER_MS,
    ) -> None:
        super().__init__()
        if state is None:
            state = VenueState(Account(Decimal(cash)), leverage=dict.fromkeys(INSTRUMENTS, leverage))
        self.time = HandTime()
        self.venue = QuoteVenue(state, INSTRUMENTS, costs, self.time, stale_after_ms=stale_after_ms)
        self.on_alarm: Callable[[Alarm], object] = lambda alarm: None

    @property
    def now(self) -> int:
        """The instant it is."""
        return self.time.instant_ms

    def wait(self, duration_ms: int) -> None:
        """Let time pass, with nothing told."""
        self.time.pass_ms(duration_ms)

    # What the feed tells.

    def quote(
        self,
        bid: Number,
        ask: Number,
        size: Number = 1000,
        *,
        ask_size: Number | None = None,
        symbol: str = "BTC",
        ts: int | None = None,
    ) -> list[VenueEvent]:
        """A quote, of `size` on both sides unless the offer has its own; gives what happened."""
        offered = size if ask_size is None else ask_size
        prices = Decimal(bid), Decimal(size), Decimal(ask), Decimal(offered)
        return self.tell(Quote(self.now if ts is None else ts, symbol, *prices))

    def mark(self, px: Number, *, symbol: str = "BTC", ts: int | None = None) -> list[VenueEvent]:
        """A mark; gives what happened."""
        return self.tell(Mark(self.now if ts is None else ts, symbol, Decimal(px)))

    def fund(
        self, rate: Number, price: Number, *, symbol: str = "BTC", ts: int | None = None
    ) -> list[VenueEvent]:
        """A settlement of funding; gives what happened."""
        at = self.now if ts is None else ts
        return self.tell(FundingSettled(at, symbol, Decimal(rate), Decimal(price)))

    def market(self, bid: Number, ask: Number, size: Number = 1000, *, symbol: str = "BTC") -> None:
        """A second later, the mark is in the middle of this quote, and the quote comes."""
        self.wait(1000)
        self.mark((Decimal(bid) + Decimal(ask)) / 2, symbol=symbol)
        self.quote(bid, ask, size, symbol=symbol)

    def tell(self, told: Told) -> list[VenueEvent]:
        """Have the venue hear something; gives what happened. Alarms are noted."""
        hear = {Quote: self.venue.quote, Mark: self.venue.marked, FundingSettled: self.venue.funding}
        first = len(self.events)
        for alarm in hear[type(told)](told):  # type: ignore[operator]
            self.alarms.append(alarm)
            self.on_alarm(alarm)
        self._hear()
        return self.events[first:]
