"""Real and made-up market data are kept apart: a symbol has one kind or the other, never both."""

from db.connection import Connection
from db.tape import IMPORT_TIMEOUT_S

SYNTHETIC = "synthetic"
"""The source of made-up data, which is how it is told from real data everywhere."""


async def lock_symbol(connection: Connection, symbol: str) -> None:
    """Make other writers of this symbol's data wait until the transaction ends."""
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended($1, 0))",
        f"agentic:symbol:{symbol}",
        timeout=IMPORT_TIMEOUT_S,
    )


async def real_source(connection: Connection, symbol: str) -> str | None:
    """Where the symbol's real bars, marks or funding came from; None when it has none."""
    source: str | None = await connection.fetchval(
        "select source from ("
        " (select source from bars where symbol = $1 and source <> $2 limit 1) union all"
        " (select source from mark_prices where symbol = $1 and source <> $2 limit 1) union all"
        " (select source from funding_rates where symbol = $1 and source <> $2 limit 1)) found limit 1",
        symbol,
        SYNTHETIC,
    )
    return source


async def forget_made_up(connection: Connection, symbol: str) -> int:
    """Delete the symbol's made-up bars, marks, funding and news, as the worker. Gives how many rows went."""
    await connection.execute(f"set local statement_timeout = '{IMPORT_TIMEOUT_S:.0f}s'")
    count: int = await connection.fetchval("select forget_made_up($1)", symbol, timeout=IMPORT_TIMEOUT_S)
    return count
