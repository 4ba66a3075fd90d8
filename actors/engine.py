"""The engine of one trading account as an actor: one message at a time, which is the only lock there is.

It owns the account's lease, venue and journal, and goes on watching whatever the account holds when nobody trades in
it any more. A crash loses nothing: it is opened again from what was committed, and asks the venue about the rest.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from actors.account import OpenAccount
from actors.attending import attend
from actors.kernel import Actor, Done, Failed, handles
from actors.messages import (
    Adopt,
    Beat,
    ByHand,
    CancelRaising,
    CloseBar,
    Flatten,
    Happened,
    Look,
    LookedUp,
    Moved,
    OpenBar,
    ResetHalt,
    Seen,
    Standing,
    Submit,
    Submitted,
    Where,
    seen_of,
)
from brokers.paper.quotes import QuoteVenue
from brokers.paper.replay import Alarm, ReplayVenue
from db.journal import Tried
from domain.actions import CancelOrder
from domain.feeds import FeedEvent, FundingSettled, Mark, Quote
from domain.journal import HaltCause
from domain.time import MINUTE_MS, SECOND_MS, floor_to
from domain.verdicts import Verdict
from engine.engine import Engine
from engine.watch import IllegalHalt

log = logging.getLogger(__name__)

COMMIT_EVERY_MS = SECOND_MS
"""How long a change that nobody waits for may stay uncommitted."""
LOOK_UP_AFTER_MS = 10 * SECOND_MS
"""How long after its hour a rate that was not told is looked up."""
LOOK_UP_EVERY_MS = MINUTE_MS

_PRICES = (Quote, Mark, FundingSettled)
"""What an engine's venue goes by."""


class EngineActor(Actor):
    """One account. `open_it` opens it, `let_go` gives it up at the end.

    `tried` says how often a decision of this name was intended before; `tell` hears of fills and halts.
    """

    def __init__(
        self,
        open_it: Callable[[], Awaitable[OpenAccount]],
        tried: Callable[[str], Awaitable[Tried]],
        tell: Callable[[Happened], None],
        let_go: Callable[[], Awaitable[None]],
    ) -> None:
        self._open_it = open_it
        self._tried = tried
        self._tell = tell
        self._let_go = let_go
        self._account: OpenAccount | None = None
        self._committed_at = 0
        self._pointed_at = 0
        self._looked_up_at = 0
        self._newest: dict[tuple[type[FeedEvent], str], FeedEvent] = {}
        self._turned_at = 0

    async def started(self) -> None:
        """Open the account, and go on with a flattening that was begun."""
        self._account = account = await self._open_it()
        self._committed_at = self.time.now_ms()
        if account.feed is not None:
            self.child(attend(account.feed, self._hear, _PRICES))
        if account.row.engine is None:
            account.ledger.point(self._now(), account.row.start_usd)
        if self._tape is None:
            await self._engine.pursue(self._now())
            self._turned_at = self._turn(self._committed_at)
            self.every(SECOND_MS, Beat(), key="beat", offset_ms=self._turn_ms)
        await self._done()

    async def stopping(self) -> None:
        """Write what is not written yet, and leave the account to others."""
        if self._account is not None:
            await self._account.ledger.commit()
            await self._let_go()

    # What a tick needs.

    @handles(Look)
    async def look(self, message: Look) -> Seen:
        await self._catch_up()
        return self._seen(message.ts)

    @handles(Submit)
    async def submit(self, message: Submit) -> Submitted:
        await self._catch_up()
        verdict = await self._engine.submit(
            message.action, ts=message.ts, decision=message.decision, index=message.index
        )
        await self._done()
        return Submitted(verdict, self._seen(message.ts))

    # What a person or a deployment wants.

    @handles(Where)
    async def where(self, message: Where) -> Standing:
        return self._standing()

    @handles(Flatten)
    async def flatten(self, message: Flatten) -> Standing:
        await self._engine.flatten(self._now())
        await self._done()
        return self._standing()

    @handles(CancelRaising)
    async def cancel_raising(self, message: CancelRaising) -> int:
        count = await self._engine.cancel_raising(self._now(), message.decision)
        await self._done()
        return count

    @handles(ByHand)
    async def by_hand(self, message: ByHand) -> Verdict:
        """Do what a person wants, once. What was written down, and not sent as the process ended then, is done anew."""
        action, tried = message.action, await self._tried(message.decision)
        is_gone = isinstance(action, CancelOrder) and action.order not in self._engine.book.orders
        if tried.was_sent or (tried.times and is_gone):
            return Verdict(note="this was done already")
        await self._catch_up()
        verdict = await self._engine.submit(
            action, ts=self._now(), decision=message.decision, index=tried.times
        )
        await self._done()
        return verdict

    @handles(ResetHalt)
    async def reset(self, message: ResetHalt) -> str:
        try:
            await self._engine.reset_halt(self._now())
        except IllegalHalt:
            return f"there is no halt that could be lifted: the account is {self._engine.state.watch.phase}"
        await self._done()
        return ""

    @handles(Adopt)
    async def adopt(self, message: Adopt) -> None:
        self._engine.adopt(message.symbols, message.caps)

    # The market, bar by bar: a rehearsal drives it.

    @handles(OpenBar)
    async def open_bar(self, message: OpenBar) -> Standing:
        tape = self._tape
        assert tape is not None
        index = tape.standing.index
        with self._step():
            await self._judge(lambda: tape.open_bar(index))
        await self._done(at_once=False)
        return self._standing()

    @handles(CloseBar)
    async def close_bar(self, message: CloseBar) -> Standing:
        """Pass the open bar to its close: its path, its funding, the equity point, halts."""
        tape = self._tape
        assert tape is not None
        with self._step():
            await self._judge(tape.close_bar)
            tape.settle_funding()
            await self._engine.observe(tape.now)
        self._point(tape.now)
        await self._done(at_once=False)
        return self._standing()

    # The market as it moves.

    def _hear(self, event: FeedEvent) -> None:
        """Hear of a move of the market.

        Where nothing is held or ordered it changes nothing, so the newest of a kind is kept until prices are wanted. A
        thousand accounts that wait for a signal then don't all work at the moment at which prices come.
        """
        venue = self._quotes
        assert venue is not None
        state = venue.state
        if state.positions or state.orders or isinstance(event, FundingSettled):
            self.me.tell(Moved(event))
        else:
            self._newest[type(event), event.symbol] = event

    async def _catch_up(self) -> None:
        """Take in what was kept, in the order in which it came."""
        if self._newest:
            kept, self._newest = self._newest, {}
            for event in kept.values():
                await self._take_in(event)

    @handles(Moved)
    async def moved(self, message: Moved) -> None:
        await self._catch_up()
        await self._take_in(message.event)

    async def _take_in(self, event: FeedEvent) -> None:
        """Take a move of the market in: fills, triggers, funding, and halts on the way."""
        venue = self._quotes
        assert venue is not None
        match event:
            case Quote() as quote:
                alarms = venue.quote(quote)
            case Mark() as mark:
                alarms = venue.marked(mark)
            case FundingSettled() as settled:
                alarms = venue.funding(settled)
            case _:
                return
        for alarm in alarms:  # a day that is due begins first, and the loss is held against it
            await self._engine.observe(alarm.ts)
        self._engine.absorb()
        if self._opened.ledger.is_dirty:
            await self._done()

    @handles(Beat)
    async def beat(self, message: Beat) -> None:
        """Judge the account once a second, and keep an equity point once a minute.

        The point is committed in the account's own turn of the minute, so that not all commit at its beginning.
        """
        await self._catch_up()
        venue, now = self._quotes, self._now()
        if venue is not None and venue.owed:
            self._look_up(venue.owed, now)
        if venue is not None and not venue.is_known:
            await self._engine.pursue(
                now
            )  # equity is a guess: nobody is judged by it; what has a price gets out
        else:
            await self._engine.observe(now)
            self._point_of_minute(now)
        if (turn := self._turn(now)) > self._turned_at or self._opened.ledger.is_dirty:
            self._turned_at = turn
            await self._done()

    def _point_of_minute(self, now: int) -> None:
        minute = floor_to(now, MINUTE_MS)
        if minute > self._pointed_at:
            self._pointed_at = minute
            self._opened.ledger.point(minute, self._engine.equity)

    @property
    def _turn_ms(self) -> int:
        """When in each minute this account has its turn: each at another moment, and always at the same."""
        return self._opened.row.id.int % MINUTE_MS

    def _turn(self, ts: int) -> int:
        """The last turn at or before an instant."""
        return floor_to(ts - self._turn_ms, MINUTE_MS) + self._turn_ms

    def _look_up(self, owed: Mapping[str, Sequence[int]], now: int) -> None:
        """Have the rates looked up that nobody told, as of hours in which this program was down."""
        feed = self._opened.feed
        overdue = {
            symbol: [hour for hour in hours if hour + LOOK_UP_AFTER_MS <= now]
            for symbol, hours in owed.items()
        }
        if feed is None or not any(overdue.values()) or now < self._looked_up_at + LOOK_UP_EVERY_MS:
            return
        self._looked_up_at = now
        self.child(feed.feed.settled(overdue), then=LookedUp)

    @handles(LookedUp)
    async def looked_up(self, message: LookedUp) -> None:
        match message.outcome:
            case Failed(error):
                log.warning("funding that is owed could not be looked up: %s", error)
            case Done(rates):
                for rate in rates:
                    await self._take_in(rate)

    # Inside.

    @property
    def _opened(self) -> OpenAccount:
        assert self._account is not None
        return self._account

    @property
    def _engine(self) -> Engine:
        return self._opened.engine

    @property
    def _quotes(self) -> QuoteVenue | None:
        venue = self._opened.venue.inner
        return venue if isinstance(venue, QuoteVenue) else None

    @property
    def _tape(self) -> ReplayVenue | None:
        venue = self._opened.venue.inner
        return venue if isinstance(venue, ReplayVenue) else None

    def _now(self) -> int:
        """The instant of what is done now: the tape's where there is one, else the clock's."""
        return self.time.now_ms() if self._tape is None else self._tape.now

    def _point(self, ts: int) -> None:
        tape = self._tape
        if tape is not None and (ts - tape.start_ts) % self._opened.point_ms == 0:
            self._opened.ledger.point(ts, self._engine.equity)

    @contextmanager
    def _step(self) -> Iterator[None]:
        """What happens inside a bar is kept whole, or is done again the same after a crash."""
        account = self._opened
        account.ledger.journal.is_held = True
        try:
            with account.venue.step():
                yield
        finally:
            account.ledger.journal.is_held = False

    async def _judge(self, go_on: Callable[[], Alarm | None]) -> None:
        """Let the venue go on, and the engine judge each alarm on the way."""
        while (alarm := go_on()) is not None:
            await self._engine.halt(alarm.ts, alarm.equity)

    async def _done(self, *, at_once: bool = True) -> None:
        """Commit what was done, and tell of it once it is safe."""
        ledger, now = self._opened.ledger, self.time.now_ms()
        self._engine.absorb()
        if at_once or ledger.is_dirty or now - self._committed_at >= COMMIT_EVERY_MS:
            await ledger.commit()
            self._committed_at = now
        if noted := ledger.take_noted():
            self._tell(Happened(noted, self._standing(), self._lifts()))

    def _lifts(self) -> str:
        """How a halt of this account ends, for people."""
        engine = self._engine
        is_daily = engine.state.watch.cause is HaltCause.DAILY_LOSS
        is_next_day = is_daily and engine.caps.halt_lifts == "next_day"
        return "at 00:00 UTC" if is_next_day else "when a person resets it (agentic halt reset)"

    def _seen(self, ts: int) -> Seen:
        engine = self._engine
        return seen_of(engine.account(ts), engine.desk(ts), engine.state.watch, engine.symbols)

    def _standing(self) -> Standing:
        engine, venue = self._engine, self._opened.venue
        tape = self._tape
        place = None if tape is None else tape.standing
        book, watch = engine.book, engine.state.watch
        return Standing(
            seq=self._opened.ledger.journal.last_seq,
            ts=self._now(),
            phase=watch.phase,
            cause=watch.cause,
            equity=venue.equity(),
            positions={symbol: held.size for symbol, held in book.positions.items()},
            orders=len(book.orders),
            decided=book.decided,
            index=0 if place is None else place.index,
            is_open=place is not None and place.is_open,
            length=0 if tape is None else tape.length,
        )
