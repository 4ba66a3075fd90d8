"""A connection as the stores take it, and how values cross the border to the database.

Instants are UTC epoch ms (int) for `timestamptz`, in both directions. `jsonb` takes any JSON value, or bytes
that are JSON already, and gives plain Python values; a Decimal inside goes in as a string. `numeric` is
Decimal.
"""

from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
import orjson

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

_POSTGRES_EPOCH_MS = 946_684_800_000  # 2000-01-01, from which timestamptz counts microseconds
_JSONB_VERSION = b"\x01"


async def prepare_connection(connection: Connection) -> None:
    """Teach a new connection our types."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_json, decoder=_decode_json
    )
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=_encode_instant, decoder=_decode_instant
    )


def to_json(value: Any) -> bytes:
    """Write a value as JSON; bytes are JSON already. For arrays of jsonb, where a list would be taken apart."""
    return value if isinstance(value, bytes) else orjson.dumps(value, default=_plain)


def _encode_json(value: Any) -> bytes:
    return _JSONB_VERSION + to_json(value)


def _decode_json(raw: bytes) -> Any:
    return orjson.loads(raw[1:])


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be stored as JSON")


def _encode_instant(ts: int) -> tuple[int]:
    return ((ts - _POSTGRES_EPOCH_MS) * 1000,)


def _decode_instant(raw: tuple[int]) -> int:
    return raw[0] // 1000 + _POSTGRES_EPOCH_MS
