"""A row of every table, for tests that walk through all of them, and rows for the stores."""

from decimal import Decimal
from uuid import UUID

import numpy as np

from db.connection import Connection
from db.pool import Database
from db.records import DecisionRow, FillRow, JournalRow, OrderRow
from db.runs import Chunk, create_run
from db.series import Series
from db.skills import VersionRow, save_version
from domain.time import HOUR_MS

T0 = 1_735_689_600_000
"""2025-01-01 00:00 UTC."""

SHARED = frozenset({"instruments", "bars", "mark_prices", "funding_rates", "news"})
"""Market data: they belong to nobody, and everybody signed in may read them."""

PRIVATE = frozenset({"heartbeats", "ingest_cursors"})
"""The program's own: they belong to nobody, and no person may even look."""

ALSO_NOBODYS = frozenset({"agent_logs"})
"""Tables with people's rows in which a row without a person is the program's own, and seen by none."""

SHARED_ROWS = {
    "instruments": "insert into instruments values ('BTC', 5, 40, '[]', false, 'test', now())",
    "bars": "insert into bars values ('BTC', 3600000, 0, 3600000, 1, 2, 1, 2, 5, 'test')",
    "mark_prices": "insert into mark_prices values ('BTC', 3600000, 0, 3600000, 1, 2, 1, 2, 'test')",
    "funding_rates": "insert into funding_rates values ('BTC', 0, 0, 0, 0.0001, 'test')",
    "news": "insert into news (source, id, published_at, available_at, title) values ('test', '1', 0, 0, 'x')",
}
"""A row of each shared table."""

USER_ROWS = {
    "profiles": "insert into profiles (user_id) values ($1) on conflict do nothing",
    "skills": "insert into skills (id, user_id, name) values (sample($1, 'skill'), $1, 'sample')",
    "skill_versions": "insert into skill_versions (id, user_id, skill_id, number, digest, body, spec)"
    " values (sample($1, 'version'), $1, sample($1, 'skill'), 1, 'd', 'b', '{}')",
    "sim_runs": "insert into sim_runs (id, user_id, skill_version_id, config)"
    " values (sample($1, 'run'), $1, sample($1, 'version'), '{}')",
    "sim_results": "insert into sim_results (run_id, user_id, metrics, digests)"
    " values (sample($1, 'run'), $1, '{}', '{}')",
    "sim_series": "insert into sim_series values ($1, sample($1, 'run'), 0, 0, '{0}', '{1.5}', '{0}')",
    "journal_entries": "insert into journal_entries values ($1, sample($1, 'run'), 1, now(), 'intent', '{}')",
    "orders": "insert into orders (user_id, account_id, number, client_id, symbol, side, kind, size, state,"
    " reduce_only, created_ts) values ($1, sample($1, 'run'), 1, 'c', 'BTC', 'buy', 'market', 1, 'open',"
    " false, now())",
    "fills": "insert into fills (user_id, account_id, seq, ts, symbol, side, size, px, fee, realized, kind)"
    " values ($1, sample($1, 'run'), 1, now(), 'BTC', 'buy', 1, 1, 0, 0, 'trade')",
    "decision_snapshots": "insert into decision_snapshots values ('d', $1, sample($1, 'run'), now(), 'hold', '{}')",
    "model_calls": "insert into model_calls (user_id, route, key, model, parts, outcome)"
    " values ($1, 'r', 'k', 'm', '{}', '{}')",
    "tool_results": "insert into tool_results (user_id, key, body) values ($1, 'k', '{}')",
    "mcp_tools": "insert into mcp_tools (user_id, server, tool, digest, definition)"
    " values ($1, 's', 't', repeat('0', 64), '{}')",
    "inference_totals": "insert into inference_totals values ($1, 'day:2025-01-01', 1)",
    "trading_accounts": "insert into trading_accounts (id, user_id, mode, start_usd)"
    " values (sample($1, 'account'), $1, 'paper', 1000)",
    "account_leases": "insert into account_leases values (sample($1, 'account'), $1, 'o', 1, now())",
    "notifications": "insert into notifications (id, user_id, key, kind, severity, deployment, title, body, created_at,"
    " next_try_at) values (sample($1, 'notification'), $1, 'k', 'halt', 'urgent', 'd', 't', 'b', now(), now())",
    "paper_venues": "insert into paper_venues (account_id, user_id) values (sample($1, 'account'), $1)",
    "deployments": "insert into deployments (id, user_id, skill_version_id, account_id, mode, feed, config)"
    " values (sample($1, 'deployment'), $1, sample($1, 'version'), sample($1, 'account'), 'paper', 'synthetic', '{}')",
    "agent_commands": "insert into agent_commands (id, user_id, deployment_id, kind, deadline_at)"
    " values (sample($1, 'command'), $1, sample($1, 'deployment'), 'stop', now())",
    "agent_state": "insert into agent_state (deployment_id, user_id, owner, beat_at)"
    " values (sample($1, 'deployment'), $1, 'o', now())",
    "agent_logs": "insert into agent_logs (user_id, deployment_id, at, level, event)"
    " values ($1, sample($1, 'deployment'), now(), 'info', 'e')",
    "equity_points": "insert into equity_points values (sample($1, 'account'), $1, now(), 1000.5)",
    "seen_bars": "insert into seen_bars values (sample($1, 'deployment'), $1, 'BTC', 60000, 0, 60000, 1, 2, 1, 2, 5)",
}
"""A person's row of each table with people's rows, in the order in which they lean on each other.

A new table needs its line here; until then the walk through the tables fails.
"""

SAMPLE_ID_SQL = """
create function sample(person uuid, thing text) returns uuid language sql immutable
  return md5(person::text || thing)::uuid
"""
"""Gives the ids of the rows above. Made by the administrator; goes with the test's database."""


async def make_version(
    connection: Connection, user_id: UUID, name: str = "trend", digest: str = "d1", body: str = "You trade."
) -> VersionRow:
    """Save a version of a skill, whose text is of no interest here."""
    version, _ = await save_version(
        connection,
        user_id,
        name=name,
        digest=digest,
        body=body,
        spec={"name": name, "model": "baseline:hold"},
    )
    return version


async def ask_for_run(database: Database, user_id: UUID, name: str = "trend") -> UUID:
    """Ask for a run of a skill's version, as its person."""
    async with database.as_user(user_id) as connection:
        version = await make_version(connection, user_id, name)
        return await create_run(connection, user_id, version.id, {"symbols": ["BTC"]})


def chunk(number: int) -> Chunk:
    """What a run adds at its `number`-th checkpoint, from 0: one row of everything."""
    ts = T0 + number * HOUR_MS
    one = Decimal(1)
    return Chunk(
        progress=min(1.0, (number + 1) / 10),
        checkpoint=b"checkpoint %d" % number,
        journal=[JournalRow(number, ts, "intent", {"size": Decimal("0.10"), "n": number})],
        orders=[_order(number, ts)],
        fills=[FillRow(number, ts, number, "BTC", "buy", one, one, one, one, None, "trade", "taker")],
        decisions=[DecisionRow(f"decision {number}", ts, "acted", {"why": "because"})],
        series=Series(np.array([ts]), np.array([1000.5 + number]), np.array([number], np.int16)),
    )


def _order(number: int, ts: int) -> OrderRow:
    return OrderRow(
        number=number,
        client_id=f"c{number}",
        symbol="BTC",
        side="buy",
        kind="market",
        size=Decimal(1),
        limit_px=None,
        state="open",
        reduce_only=False,
        filled=Decimal(0),
        created_ts=ts,
        closed_ts=None,
        reason=None,
        decision_id=None,
        body={},
    )
