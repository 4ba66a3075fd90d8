"""The audit of an account as the database has it: content with what the program wrote, not with what was altered."""

from decimal import Decimal
from uuid import UUID

import pytest

from actors.account import OpenAccount, open_account
from actors.leases import Leases
from brokers.paper.costs import Costs
from brokers.paper.quotes import QuoteVenue
from db.connection import Connection
from db.pool import Database
from domain.actions import ProposeOrder
from domain.caps import Caps
from domain.feeds import Mark, Quote
from domain.orders import Side
from domain.time import HOUR_MS, MINUTE_MS
from tests.audit.account import audit_account
from tests.integration.db.accounts import new_account
from tests.unit.brokers.live_samples import HandTime
from tests.unit.brokers.samples import INSTRUMENTS, START

D = Decimal
CAPS = Caps(max_leverage=D(10), allow_short=True, max_order_usd=D(30_000), daily_loss_pct=D(5))


class Trading:
    """An account that is traded in on quotes, by one process after another."""

    def __init__(self, database: Database, account_id: UUID) -> None:
        self.database, self.id, self.time = database, account_id, HandTime()
        self.decisions = 0
        self.account: OpenAccount

    async def open(self) -> None:
        """A process takes the account up, whatever became of the one before."""
        self.account = await open_account(
            self.database,
            Leases(self.database, "a process", lambda: 0.0),
            self.id,
            lambda state, place: QuoteVenue(state, INSTRUMENTS, Costs(), self.time),
            ("BTC",),
            CAPS,
            START,
            HOUR_MS,
        )

    async def market(self, px: int) -> None:
        """A second later, mark and quote are these."""
        self.time.pass_ms(1000)
        venue, engine, now = self.account.venue.inner, self.account.engine, self.time.now_ms()
        assert isinstance(venue, QuoteVenue)
        for alarms in (
            venue.marked(Mark(now, "BTC", D(px))),
            venue.quote(Quote(now, "BTC", *map(D, [px, 5, px, 5]))),
        ):
            for alarm in alarms:
                await engine.halt(alarm.ts, alarm.equity)
        await engine.observe(now)
        await self.account.ledger.commit()

    async def buy(self, size: str, **more: Decimal) -> None:
        """A tick decides to buy."""
        self.decisions += 1
        action, now = ProposeOrder("BTC", Side.BUY, D(size), **more), self.time.now_ms()
        verdict = await self.account.engine.submit(action, ts=now, decision=f"d{self.decisions}", index=0)
        assert verdict.approved, verdict


@pytest.fixture
async def trading(database: Database, owner: UUID) -> Trading:
    """An account with a past: entries with stops, a stop that fired, restarts, a halt that was flattened."""
    made = Trading(database, await new_account(database, owner))
    await made.open()
    await made.market(60_000)
    await made.buy("0.2", stop_px=D(59_500))
    await made.market(60_000)
    await made.market(59_400)
    await made.open()
    await made.market(59_400)
    await made.buy("0.45")
    await made.open()
    for px in (59_400, 59_400, 58_500, 58_400, 58_400):
        await made.market(px)
    return made


async def found(admin: Connection, trading: Trading) -> str:
    return "\n".join(await audit_account(admin, trading.id, CAPS, ("BTC",)))


async def test_an_account_that_was_traded_by_the_program_is_clean(
    admin: Connection, trading: Trading
) -> None:
    """Through two restarts, a stop and a halt; and there was something to look at."""
    assert await found(admin, trading) == ""
    assert trading.account.engine.is_shut
    fills = await admin.fetchval("select count(*) from fills where account_id = $1", trading.id)
    assert fills == 4


@pytest.mark.parametrize(
    ("alter", "fault"),
    [
        (
            "delete from fills where account_id = $1 and seq = (select max(seq) from fills)",
            "the table of fills",
        ),
        ("update fills set px = px + 1 where account_id = $1", "the table of fills"),
        ("update orders set filled = 0 where account_id = $1 and state = 'filled'", "the table of orders"),
        ("delete from journal_entries where account_id = $1 and seq = 3", "with a gap"),
        ("update trading_accounts set last_seq = last_seq + 1 where id = $1", "with a gap"),
        ("update trading_accounts set start_usd = 1 where id = $1", "by the books"),
        ("update paper_venues set state = null where account_id = $1", "the venue was never saved"),
        ("delete from trading_accounts where id = $1", "there is no account"),
    ],
)
async def test_what_was_altered_or_lost_is_found(
    admin: Connection, trading: Trading, alter: str, fault: str
) -> None:
    """A row less, another figure, another end: whatever no longer agrees."""
    await admin.execute(alter, trading.id)

    assert fault in await found(admin, trading)


async def test_a_venue_that_is_behind_the_journal_is_found(admin: Connection, trading: Trading) -> None:
    """As if its memory had been put back from a copy of a minute ago."""
    before = await admin.fetchval("select state from paper_venues where account_id = $1", trading.id)
    trading.time.pass_ms(24 * HOUR_MS + MINUTE_MS)
    await trading.market(58_400)
    await trading.buy("0.1")
    await trading.market(58_400)
    assert await found(admin, trading) == ""

    await admin.execute("update paper_venues set state = $2 where account_id = $1", trading.id, before)

    text = await found(admin, trading)
    assert "the venue holds" in text
    assert "cash is" in text
