"""Market data that comes in by itself: what a source is, and how what it gave is kept.

A source is asked again and again, each time with the cursor that it gave last, so that it can go on from there. What
it gives and its new cursor are kept together or not at all: a pull that is repeated changes nothing.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from db.connection import Connection
from db.ingest_cursors import save_cursor
from db.made_up import lock_symbol
from db.news import NewsRow, copy_in_news
from domain.instruments import Instrument
from market.importing import Kind, copy_in, make_room, refuse_another_source
from market.instruments import keep_instrument
from market.tidy.series import Rows


class NewRows(msgspec.Struct, frozen=True):
    """Rows of one series, with the fields that `market.tidy` reads from files. Funding has no interval.

    `first_seen_at` (UTC ms) is when they came in, for rows that were waited for: those that were late count as known
    from then. None for rows of the past, which were known at their time.
    """

    kind: Kind
    instrument: Instrument
    interval_ms: int | None
    rows: Rows
    first_seen_at: int | None = None


class Pulled(msgspec.Struct, frozen=True):
    """What a source gave, and its new cursor: any JSON value of at most 10,000 characters.

    `is_more` says that there was too much for once: it is asked again at once.
    """

    cursor: Any
    series: Sequence[NewRows] = ()
    news: Sequence[NewsRow] = ()
    is_more: bool = False


class Source(Protocol):
    """Somewhere that market data comes from. Its name is the `source` of its rows, and new to each source."""

    @property
    def name(self) -> str: ...

    @property
    def every_ms(self) -> int:
        """How often it is asked."""

    async def pull(self, cursor: Any) -> Pulled:
        """Give what is new since a cursor, which is None at the beginning.

        What it raises is written down and shown to people, so no key may stand in it; it is asked again later.
        """


class SourceLost(Exception):
    """Another process reads the source by now; nothing was kept."""


async def keep_pulled(connection: Connection, source: str, owner: str, pulled: Pulled, now_ms: int) -> int:
    """Keep what a source gave with its cursor, in the connection's transaction. Gives how many rows were new or other.

    Raises TidyError where a series has another source already, SourceLost where another process has taken over; the
    transaction is to be left by that error.
    """
    count = 0
    for new in sorted(
        pulled.series, key=lambda new: new.instrument.symbol
    ):  # so that no two wait for each other
        count += await _keep(connection, source, new, now_ms)
    if pulled.news:
        counts = await copy_in_news(connection, pulled.news)
        count += counts.new
    if not await save_cursor(connection, source, owner, pulled.cursor, count):
        raise SourceLost(f"{source} is read by another process")
    return count


async def _keep(connection: Connection, source: str, new: NewRows, now_ms: int) -> int:
    symbol = new.instrument.symbol
    await lock_symbol(connection, symbol)
    await keep_instrument(connection, new.instrument, now_ms)
    await make_room(connection, symbol, source)
    counts = await copy_in(
        connection, new.kind, symbol, new.interval_ms, new.rows, source, now_ms, new.first_seen_at
    )
    if counts.revised:
        await refuse_another_source(connection, new.kind, symbol, new.interval_ms, source, counts.revised)
    return counts.new + counts.revised
