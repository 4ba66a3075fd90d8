"""What an account came to, added up from its fills and its journal."""

from decimal import Decimal
from uuid import UUID

import msgspec

from db.connection import Connection
from domain.money import ZERO


class AccountFigures(msgspec.Struct, frozen=True):
    """Sums over an account's life, USD. `realized` is before fees; `funding` is positive when received."""

    start_usd: Decimal = ZERO
    fills: int = 0
    fees: Decimal = ZERO
    realized: Decimal = ZERO
    funding: Decimal = ZERO


async def account_figures(connection: Connection, account_id: UUID) -> AccountFigures:
    """Add an account up. One that is not there comes to nothing."""
    row = await connection.fetchrow(
        "select a.start_usd, f.fills, f.fees, f.realized,"
        " coalesce((select sum((body->>'amount')::numeric) from journal_entries"
        "   where account_id = $1 and kind = 'funding'), 0) as funding"
        " from trading_accounts a, (select count(*) as fills, coalesce(sum(fee), 0) as fees,"
        "   coalesce(sum(realized), 0) as realized from fills where account_id = $1) f where a.id = $1",
        account_id,
    )
    return AccountFigures() if row is None else AccountFigures(*row)
