"""Whether the database can be worked with: it answers, and its schema is the one this program was written for."""

from functools import cache

from db.connection import Connection
from db.errors import OlderSchema
from db.migrate import APPLIED_SQL, Migration, pending, read_migrations


async def check_health(connection: Connection) -> None:
    """Look, as the worker. Raises NewerSchema, ChangedMigration, or OlderSchema."""
    if missing := pending(_known(), dict(await connection.fetch(APPLIED_SQL))):
        raise OlderSchema(
            f"the database is older than this program: {missing[-1].file_name} was not applied; start it again"
        )


@cache
def _known() -> tuple[Migration, ...]:
    """The migrations of this program, read once."""
    return read_migrations()
