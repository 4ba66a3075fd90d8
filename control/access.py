"""What the page needs to reach data, as one thing to be handed on, and the error that it may meet there."""

import msgspec

from db.errors import DatabaseError, Unavailable
from db.health import check_health
from db.pool import Database
from domain.time import Clock

__all__ = ["Access", "DatabaseError", "Unavailable"]


class Access(msgspec.Struct, frozen=True):
    """The open database and the clock. Whose rows are seen is said with each call."""

    database: Database
    clock: Clock

    async def check(self) -> None:
        """See whether the database answers and has this program's schema. Raises DatabaseError."""
        async with self.database.as_worker() as connection:
            await check_health(connection)
