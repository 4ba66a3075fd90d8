"""What deployments show of themselves while they run: one row each, written again and again, many at a time."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from db.connection import Connection
from db.storable import storable_json, storable_text

MOST_JSON_BYTES = 64_000
MOST_ERROR = 1_000


class StateRow(msgspec.Struct, frozen=True):
    """How a deployment is. Instants are UTC ms; `feed_ts` is up to when it has seen its market, `equity` in USD.

    `owner` is the process that carries it out, `beat_ts` when it said so last. `positions` and `counts` are what is
    shown of its account and its ticks, `lateness_ms` how late its ticks begin, `stale` symbols without a fresh price.
    """

    deployment_id: UUID
    user_id: UUID
    owner: str
    beat_ts: int
    last_tick_ts: int | None
    next_tick_ts: int | None
    feed_ts: int | None
    equity: Decimal | None
    positions: dict[str, Any]
    counts: dict[str, Any]
    lateness_ms: float | None
    restarts: int
    last_error: str | None
    stale: list[str]


_TYPES = {
    "deployment_id": "uuid",
    "user_id": "uuid",
    "owner": "text",
    "beat_at": "timestamptz",
    "last_tick_at": "timestamptz",
    "next_tick_at": "timestamptz",
    "feed_at": "timestamptz",
    "equity": "numeric",
    "positions": "jsonb",
    "counts": "jsonb",
    "lateness_ms": "float8",
    "restarts": "int",
    "last_error": "text",
    "stale": "jsonb",
}
"""The columns in the order of the row's fields, and what they are of."""
_COLUMNS = ", ".join(_TYPES)
_ARRAYS = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_TYPES.values(), 1))
_CHANGED = ", ".join(
    f"{name} = excluded.{name}" for name in _TYPES if name not in ("deployment_id", "user_id")
)
_SAVE_SQL = f"""
insert into agent_state as there ({_COLUMNS})
select given.* from unnest({_ARRAYS}) given ({_COLUMNS})
join deployments d on d.id = given.deployment_id and d.user_id = given.user_id
order by given.deployment_id
on conflict (deployment_id) do update set {_CHANGED}
  where there.beat_at <= excluded.beat_at or there.beat_at > excluded.beat_at + interval '1 minute'
"""


async def save_states(connection: Connection, states: Sequence[StateRow]) -> None:
    """Write how deployments are, as the worker, in one statement for any number of them.

    Each at most once. What is older than what is there is left out, unless by more than a minute: then a clock was set
    back. So is what is said of no deployment. What is too long is cut, and what can't be stored as text is marked, so
    that none keeps another from being shown.
    """
    if states:
        await connection.execute(_SAVE_SQL, *zip(*map(_values, states), strict=True))


def _values(state: StateRow) -> list[Any]:
    values = dict(zip(_TYPES, msgspec.structs.astuple(state), strict=True))
    for name, kind in _TYPES.items():
        if kind == "jsonb":
            values[name] = storable_json(values[name], MOST_JSON_BYTES)
    values["last_error"] = state.last_error and storable_text(state.last_error, MOST_ERROR)
    return list(values.values())


async def load_states(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, StateRow]:
    """Give what these deployments show of themselves, of those that one can see and that have shown anything."""
    rows = await connection.fetch(f"select {_COLUMNS} from agent_state where deployment_id = any ($1)", ids)
    return {row["deployment_id"]: StateRow(*row) for row in rows}
