"""Runs as a list shows them: one line each, with what is known of it so far."""

from uuid import UUID

import msgspec

from control import runs
from control.errors import Invalid
from db import runs as store
from db.pool import Database
from db.runs import RunRow

MOST_RUNS = 200


class RunLine(msgspec.Struct, frozen=True):
    """One run in a list. Instants are UTC ms; returns and the drawdown are fractions, the drawdown ≤ 0.

    `net_return` is after inference, and None where the price of that is not known. A masked run's symbols are those
    that its model was shown. `failed_ticks` had no decision.

    What a run does not know yet, or what is undefined for it, is None.
    """

    id: UUID
    skill: str
    version: int
    status: str
    progress: float
    created_ts: int
    finished_ts: int | None
    symbols: list[str]
    from_ts: int | None
    to_ts: int | None
    is_synthetic: bool
    is_masked: bool
    failed_ticks: int
    total_return: float | None
    net_return: float | None
    hold_return: float | None
    sharpe: float | None
    max_drawdown: float | None
    trades: int | None
    warnings: int
    error: str | None


class RunPage(msgspec.Struct, frozen=True):
    """Some runs, newest first, and where the next page starts; None on the last one."""

    runs: list[RunLine]
    before: UUID | None


async def list_runs(
    database: Database, user_id: UUID, *, limit: int = 50, before: UUID | None = None
) -> RunPage:
    """Give a person's newest runs. Raises Invalid for a limit that is out of bounds."""
    if not 1 <= limit <= MOST_RUNS:
        raise Invalid(f"limit is {limit}; it must be from 1 to {MOST_RUNS}")
    async with database.as_user(user_id) as connection:
        rows = await store.list_runs(connection, limit=limit + 1, before=before)
    shown = rows[:limit]
    return RunPage([line_of(row) for row in shown], shown[-1].id if len(rows) > limit else None)


async def load_run(database: Database, user_id: UUID, run_id: UUID) -> RunLine:
    """Give one run of a person's. Raises NotFound."""
    return line_of(await runs.load(database, user_id, run_id))


def line_of(row: RunRow) -> RunLine:
    """Make a run's line of all that is kept of it."""
    metrics, manifest = row.metrics or {}, row.manifest or {}
    hold = metrics.get("baselines", {}).get("buy-and-hold", {})
    return RunLine(
        id=row.id,
        skill=row.skill_name,
        version=row.skill_number,
        status=row.status,
        progress=row.progress,
        created_ts=row.created_ts,
        finished_ts=row.finished_ts,
        symbols=manifest.get("skill", {}).get("market", {}).get("symbols", []),
        from_ts=row.config.get("from_ts"),
        to_ts=row.config.get("to_ts"),
        is_synthetic=row.is_synthetic,
        is_masked=bool(row.config.get("mask")),
        failed_ticks=metrics.get("inference", {}).get("failed_ticks", 0),
        total_return=metrics.get("total_return"),
        net_return=metrics.get("net_return"),
        hold_return=hold.get("total_return"),
        sharpe=metrics.get("sharpe"),
        max_drawdown=metrics.get("max_drawdown"),
        trades=metrics.get("trades"),
        warnings=len(row.warnings),
        error=row.error,
    )
