"""Reads all that the database has of a trading account, and says what can't be or does not agree."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from brokers.paper.kept import Kept
from db.accounts import AccountRow, load_account
from db.connection import Connection
from db.records import FillRow, JournalRow, OrderRow, fill_row, load_rows, order_row
from domain.caps import Caps
from domain.journal import Entry
from domain.orders import Fill, Order, OrderState
from tests.audit.caps import Marks
from tests.audit.journal import Auditor

_decode = msgspec.json.Decoder(Entry).decode
Shown = tuple[OrderState, Decimal]


async def audit_account(
    connection: Connection,
    account_id: UUID,
    caps: Caps,
    symbols: Sequence[str],
    *,
    marks: Marks = lambda symbol, ts: None,
    at_rest: bool = True,
) -> list[str]:
    """Say every fault of an account: in its journal, in its tables beside it, and at its paper venue.

    `connection` sees all people's rows. Give `at_rest=False` for an account that is being traded in.
    """
    account = await load_account(connection, account_id)
    if account is None:
        return [f"there is no account {account_id}"]
    journal = await load_rows(connection, JournalRow, account_id)
    auditor = Auditor(caps, symbols, account.start_usd, marks)
    entries = [_decode(msgspec.json.encode(row.body)) for row in journal]
    for entry in entries:
        auditor.read(entry)
    if at_rest:
        auditor.rest()
    faults = _numbers(journal, account)
    faults += _fills(await load_rows(connection, FillRow, account_id), entries)
    faults += _orders(await load_rows(connection, OrderRow, account_id), auditor)
    return [*auditor.faults, *faults, *beside_venue(auditor, account.venue, account.heard)]


def beside_venue(auditor: Auditor, saved: bytes | None, heard: int) -> list[str]:
    """Say where a paper venue, as it was saved, and the journal differ, once it has heard what it was not told yet.

    An order that is only written down may or may not have reached the venue.
    """
    if saved is None:
        return [] if not auditor.filled else ["the journal has fills, and the venue was never saved"]
    kept, known = msgspec.msgpack.decode(saved, type=Kept), len(auditor.faults)
    for event in kept.events[heard - kept.told :]:
        auditor.count += 1
        auditor.hear(event)
    faults = [f"told by the venue: {fault}" for fault in auditor.faults[known:]]
    there, here = _live(kept.state.orders), _live(auditor.orders)
    unsent = {n for n, (state, _) in here.items() if state is OrderState.RECORDED and n not in there}
    for number in sorted((there.keys() | here.keys()) - unsent):
        if there.get(number) != here.get(number):
            faults.append(f"order {number} is {there.get(number)} at the venue, {here.get(number)} here")
    if kept.state.positions != auditor.positions:
        faults.append(f"the venue holds {kept.state.positions}, the journal {auditor.positions}")
    if kept.state.account.cash != auditor.cash:
        faults.append(f"cash is {kept.state.account.cash} at the venue, {auditor.cash} here")
    return faults


def _live(orders: dict[int, Order]) -> dict[int, Shown]:
    return {number: (order.state, order.filled) for number, order in orders.items() if order.is_live}


def _numbers(journal: Sequence[JournalRow], account: AccountRow) -> list[str]:
    numbers = [row.seq for row in journal]
    if numbers != list(range(1, account.last_seq + 1)):
        return [f"{len(numbers)} entries, with a gap or beyond the last, which is {account.last_seq}"]
    return []


def _fills(rows: Sequence[FillRow], entries: Sequence[Entry]) -> list[str]:
    wanted = [fill_row(seq, entry) for seq, entry in enumerate(entries, 1) if isinstance(entry, Fill)]
    if rows == wanted:
        return []
    odd = sorted({row.seq for row in rows} ^ {row.seq for row in wanted})
    return [f"the table of fills is not the journal's: {odd or 'other figures'}"]


def _orders(rows: Sequence[OrderRow], auditor: Auditor) -> list[str]:
    found = {row.number: row[:-1] for row in rows}
    wanted = {number: order_row(order)[:-1] for number, order in auditor.orders.items()}
    odd = [n for n in sorted(found.keys() | wanted.keys()) if found.get(n) != wanted.get(n)]
    return [f"the table of orders is not the journal's: {odd}"] if odd else []
