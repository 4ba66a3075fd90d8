"""The calls of models and of tools outside, kept so that a run can be replayed, and what they cost.

A person's own rows have the origin ''. What came in with a file has that file's sha256 for its origin, and is
found under that origin alone. Amounts are USD. Written by the worker, read by their person.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import msgspec

from db.connection import Connection, to_json
from db.pool import Database
from domain.inference import (
    Budget,
    BudgetReached,
    CallRecord,
    Outcome,
    Parts,
    Recorded,
    Reply,
    ToolUse,
    Usage,
)

NEAREST_OF = 5_000
"""How many of the newest calls are looked through for the one that is nearest."""
MEAN_OF = 200
"""How many of a model's newest replies an average is of."""

_ALL, _DAY = "all:", "day:"  # everybody's day, and a person's

_decode_outcome = msgspec.json.Decoder(Outcome).decode
_decode_use = msgspec.json.Decoder(ToolUse).decode


class CallRow(NamedTuple):
    """One recorded call with all that is kept of it, as a bundle carries it."""

    route: str
    key: str
    sample: int
    model: str
    parts: Parts
    outcome: Outcome
    cost_usd: Decimal | None
    latency_ms: int
    recorded_ts: int


class ToolRow(NamedTuple):
    """One recorded answer of a tool outside, as a bundle carries it."""

    key: str
    use: ToolUse
    recorded_ts: int


class MeanUsage(msgspec.Struct, frozen=True):
    """The mean of a model's newest replies: tokens for a call, rounded up, and of how many it is."""

    calls: int
    usage: Usage
    latency_ms: int


_FIND_SQL = """
select outcome, cost_usd from model_calls
where user_id = $1 and origin = $2 and key = $3 and (route = $4 or $5)
order by route = $4 desc, recorded_at desc limit 1
"""
_NEAREST_SQL = f"""
select parts from (
  select parts, recorded_at from model_calls where user_id = $1 and origin = $2
  order by recorded_at desc limit {NEAREST_OF}
) newest, lateral (
  select count(*) as equal from jsonb_each($3::jsonb) part where newest.parts -> part.key = part.value
) counted
where equal > 0
order by equal desc, (select count(*) from jsonb_object_keys(newest.parts)), recorded_at desc limit 1
"""
_SPENT_BY_ALL_SQL = """
select coalesce(sum(spent_usd), 0) as spent_usd from inference_totals
where scope like 'day:%' and inference_totals.scope = replace({scope}, 'all:', 'day:')
"""
_SPENT_SQL = f"""
select scope, coalesce(case when starts_with(scope, 'all:') then ({_SPENT_BY_ALL_SQL.format(scope="scopes.scope")})
  else (select spent_usd from inference_totals own where user_id = $1 and own.scope = scopes.scope) end, 0)
from unnest($2::text[]) scopes (scope)
"""
_RESERVE_SQL = f"""
with everybody as (
  select days.scope, spent.spent_usd from unnest($4::text[]) days (scope),
  lateral ({_SPENT_BY_ALL_SQL.format(scope="days.scope")}) spent
), own as (
  insert into inference_totals (user_id, scope, spent_usd)
  select $1, scope, $3::numeric from unnest($2::text[]) scope
  on conflict (user_id, scope) do update set spent_usd = inference_totals.spent_usd + excluded.spent_usd
  returning scope, spent_usd - $3 as spent_usd
)
select scope, spent_usd from everybody union all select scope, spent_usd from own
"""
_SETTLE_SQL = "update inference_totals set spent_usd = spent_usd + $3 where user_id = $1 and scope = $2"
_KEEP_SQL = """
insert into model_calls (user_id, route, key, sample, model, parts, outcome, usage, cost_usd, latency_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (user_id, origin, key, route) do update set
  sample = excluded.sample, model = excluded.model, parts = excluded.parts, outcome = excluded.outcome,
  usage = excluded.usage, cost_usd = excluded.cost_usd, latency_ms = excluded.latency_ms,
  recorded_at = excluded.recorded_at
where model_calls.usage is null and excluded.usage is not null
returning true
"""
_KEEP_TOOL_SQL = """
insert into tool_results (user_id, key, body, came) values ($1, $2, $3, $4)
on conflict (user_id, origin, key) do update set
  body = excluded.body, came = excluded.came, recorded_at = excluded.recorded_at
where not tool_results.came and excluded.came
returning true
"""
_FIND_TOOL_SQL = "select body from tool_results where user_id = $1 and origin = $2 and key = $3"
_CALLS_SQL = """
select route, key, sample, model, parts, outcome, cost_usd, latency_ms, recorded_at
from model_calls where user_id = $1 and origin = $2 and key = any($3::text[])
order by key, recorded_at desc
"""
_IMPORT_CALLS_SQL = """
insert into model_calls (user_id, origin, route, key, sample, model, parts, outcome, usage, cost_usd,
  latency_ms, recorded_at)
select $1, $2, * from unnest($3::text[], $4::text[], $5::int[], $6::text[], $7::jsonb[], $8::json[], $9::jsonb[],
  $10::numeric[], $11::int[], $12::timestamptz[])
on conflict do nothing
"""
_IMPORT_TOOLS_SQL = """
insert into tool_results (user_id, origin, key, body, came, recorded_at)
select $1, $2, * from unnest($3::text[], $4::json[], $5::boolean[], $6::timestamptz[])
on conflict do nothing
"""
_MEAN_SQL = f"""
select count(*) as calls, coalesce(avg(latency_ms), 0)::int as latency_ms,
  {", ".join(f"ceil(avg((usage ->> '{name}')::bigint))::bigint as {name}" for name in Usage.__struct_fields__)}
from (
  select usage, latency_ms from model_calls
  where user_id = $1 and origin = '' and model = $2 and usage is not null
  order by recorded_at desc limit {MEAN_OF}
) newest
"""


class PostgresLedger:
    """The `domain.inference.CallLedger` of one run or deployment.

    `route` names the way to the model (which provider or gateway): the same request by another way is another
    call. With `any_route` a call that went another way serves too, the newest of them; a replay asks so. With an
    `origin` it finds what came in with that file and nothing else. What it keeps is always the person's own.
    """

    def __init__(
        self, database: Database, user_id: UUID, *, route: str, origin: str = "", any_route: bool = False
    ) -> None:
        self._database = database
        self._user_id = user_id
        self._route = route
        self._origin = origin
        self._any_route = any_route

    async def find(self, key: str) -> Recorded | None:
        """The recorded outcome of a request."""
        async with self._database.as_worker_once() as connection:
            row = await connection.fetchrow(
                _FIND_SQL, self._user_id, self._origin, key, self._route, self._any_route
            )
        return Recorded(_decode_outcome(row["outcome"]), row["cost_usd"]) if row else None

    async def nearest(self, parts: Parts) -> Parts | None:
        """The one among the newest recorded requests that has most parts in common with this one."""
        async with self._database.as_worker() as connection:
            found: Parts | None = await connection.fetchval(
                _NEAREST_SQL, self._user_id, self._origin, dict(parts)
            )
        return found

    async def reserve(self, budgets: Sequence[Budget], worst_usd: Decimal) -> None:
        """Set the worst case of a call aside in all budgets or in none.

        Raises BudgetReached with the first budget that what is spent and the worst case would pass together. The disk
        is waited for when the locks are gone, so that runs side by side wait for it together and not in turn.
        """
        if not budgets:
            return
        async with self._database.as_worker_flushed() as connection:
            everybodys = await _alone_on_everybodys(connection, budgets)
            rows = await connection.fetch(
                _RESERVE_SQL, self._user_id, _rows_of(budgets), worst_usd, everybodys
            )
            spent = {row["scope"]: row["spent_usd"] for row in rows}
            for budget in budgets:
                if spent[budget.scope] + worst_usd > budget.limit_usd:
                    raise BudgetReached(budget, spent[budget.scope], worst_usd)  # and nothing was set aside

    async def settle(
        self, budgets: Sequence[Budget], worst_usd: Decimal, cost_usd: Decimal, call: CallRecord | None
    ) -> Recorded | None:
        """Put what a call did cost in the place of its worst case, and keep the call, both or neither.

        The budgets are those of the reservation, whatever day it is by now. A call whose outcome is kept already
        is paid and not kept again, unless it was a failure and this is a reply. Gives what is kept now.

        The disk is not waited for: what is decided because of the answer, and the next reservation, are committed
        after it and can't reach the disk before it. If the machine stops first, the worst case stays spent.
        """
        change = cost_usd - worst_usd
        scopes = _rows_of(budgets) if change else []
        if not scopes and call is None:
            return None
        async with self._database.as_worker(waits=False) as connection:
            if scopes:
                rows = [(self._user_id, scope, change) for scope in scopes]
                await connection.executemany(_SETTLE_SQL, rows)  # one by one: locked in the order of reserve
            if call is None:
                return None
            if await connection.fetchval(_KEEP_SQL, self._user_id, *self._columns(call)):
                return Recorded(call.outcome, call.cost_usd)
            row = await connection.fetchrow(_FIND_SQL, self._user_id, "", call.key, self._route, False)
        return Recorded(_decode_outcome(row["outcome"]), row["cost_usd"]) if row else None

    async def find_tool(self, key: str) -> ToolUse | None:
        """The recorded answer of a tool that lives outside."""
        async with self._database.as_worker_once() as connection:
            body = await connection.fetchval(_FIND_TOOL_SQL, self._user_id, self._origin, key)
        return None if body is None else _decode_use(body)

    async def keep_tool(self, key: str, use: ToolUse) -> ToolUse:
        """Keep the answer of a tool that lives outside. The first one stays, unless it was that none came.

        Gives what is kept now; `use` itself where that row was deleted at this very moment.
        """
        async with self._database.as_worker() as connection:
            if await connection.fetchval(_KEEP_TOOL_SQL, self._user_id, key, _text(use), not use.problem):
                return use
            body = await connection.fetchval(_FIND_TOOL_SQL, self._user_id, "", key)
        return use if body is None else _decode_use(body)

    def _columns(self, call: CallRecord) -> tuple[object, ...]:
        return (
            self._route,
            call.key,
            call.sample,
            call.model,
            dict(call.parts),
            _text(call.outcome),
            _usage(call.outcome),
            call.cost_usd,
            call.latency_ms,
        )


async def spent(connection: Connection, user_id: UUID, scope: str) -> Decimal:
    """Give what is spent or set aside in a scope, 0 where nothing was.

    "all:<day>" is everybody's day, of which a person sees their own part and the worker the whole.
    """
    return (await spent_in(connection, user_id, [scope]))[scope]


async def spent_in(connection: Connection, user_id: UUID, scopes: Sequence[str]) -> dict[str, Decimal]:
    """Give that of many scopes."""
    return {row[0]: row[1] for row in await connection.fetch(_SPENT_SQL, user_id, scopes)}


async def totals(connection: Connection, user_id: UUID, prefix: str = "") -> dict[str, Decimal]:
    """Give what a person spent in every scope that begins like this ("day:2026-11"), by scope in order."""
    rows = await connection.fetch(
        "select scope, spent_usd from inference_totals where user_id = $1 and starts_with(scope, $2)"
        ' order by scope collate "C"',
        user_id,
        prefix,
    )
    return {row["scope"]: row["spent_usd"] for row in rows}


async def mean_usage(connection: Connection, user_id: UUID, model: str) -> MeanUsage | None:
    """Give the mean of a model's newest replies to this person; None when it has not answered yet."""
    row = await connection.fetchrow(_MEAN_SQL, user_id, model)
    if row is None or not row["calls"]:
        return None
    usage = Usage(**{name: row[name] or 0 for name in Usage.__struct_fields__})
    return MeanUsage(row["calls"], usage, row["latency_ms"])


async def calls_of_keys(
    connection: Connection, user_id: UUID, keys: Sequence[str], *, origin: str = ""
) -> list[CallRow]:
    """Give the recorded calls with these keys, by key; one for each way that it went, the newest first."""
    rows = await connection.fetch(_CALLS_SQL, user_id, origin, list(keys))
    return [CallRow(*row)._replace(outcome=_decode_outcome(row["outcome"])) for row in rows]


async def tool_results(
    connection: Connection, user_id: UUID, keys: Sequence[str], *, origin: str = ""
) -> list[ToolRow]:
    """Give the recorded answers of tools with these keys, by key."""
    rows = await connection.fetch(
        "select key, body, recorded_at from tool_results where user_id = $1 and origin = $2"
        " and key = any($3::text[]) order by key",
        user_id,
        origin,
        list(keys),
    )
    return [ToolRow(row["key"], _decode_use(row["body"]), row["recorded_at"]) for row in rows]


async def import_calls(connection: Connection, user_id: UUID, origin: str, rows: Iterable[CallRow]) -> None:
    """Keep calls that came in with a file, as the worker: `origin` is its sha256. Those there are stay as they are.

    Raises Refused where a row is larger than the table takes.
    """
    columns = [
        (*row[:4], to_json(dict(row.parts)), _text(row.outcome), _usage(row.outcome), *row[6:])
        for row in rows
    ]
    await _import(connection, _IMPORT_CALLS_SQL, user_id, origin, columns)


async def import_tool_results(
    connection: Connection, user_id: UUID, origin: str, rows: Iterable[ToolRow]
) -> None:
    """Keep answers of tools that came in with a file, as `import_calls` does."""
    columns = [(row.key, _text(row.use), not row.use.problem, row.recorded_ts) for row in rows]
    await _import(connection, _IMPORT_TOOLS_SQL, user_id, origin, columns)


async def _import(
    connection: Connection, sql: str, user_id: UUID, origin: str, rows: Sequence[tuple[object, ...]]
) -> None:
    if not origin:
        raise ValueError("what comes in with a file is kept under the file's sha256, and none was given")
    if rows:
        await connection.execute(sql, user_id, origin, *map(list, zip(*rows, strict=True)))


def _rows_of(budgets: Sequence[Budget]) -> list[str]:
    """The scopes that have a row, in the order in which every process locks them.

    Everybody's day is not one of them: it is made of the days of each.
    """
    return sorted({budget.scope.replace(_ALL, _DAY, 1) for budget in budgets})


async def _alone_on_everybodys(connection: Connection, budgets: Sequence[Budget]) -> list[str]:
    """Give everybody's days among the budgets, nobody else setting aside any of them from here on.

    The lock is taken before any row's, and what is spent is read after it, so that has all that was set aside before.
    """
    scopes = sorted({budget.scope for budget in budgets if budget.scope.startswith(_ALL)})
    for scope in scopes:
        await connection.execute(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))", f"agentic:inference:{scope}"
        )
    return scopes


def _text(value: Outcome | ToolUse) -> str:
    return msgspec.json.encode(value).decode()


def _usage(outcome: Outcome) -> bytes | None:
    return msgspec.json.encode(outcome.usage) if isinstance(outcome, Reply) else None
