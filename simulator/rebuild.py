"""A finished run read back, as far as its market data is still what it was, with the runs that were made beside it."""

import msgspec

from db.pool import Database
from db.runs import RunRow, batch_runs
from domain.inference import Inference
from simulator.archive import record_of
from simulator.baselines import yardsticks
from simulator.prepare import load_history, world_of
from simulator.record import Beside, RunRecord
from simulator.spec import SimulationError, from_config
from simulator.spread import sibling


async def rebuild(database: Database, row: RunRow) -> RunRecord:
    """Read a finished run back as a record. Raises SimulationError when its market data is not what it was."""
    if row.manifest is None or row.metrics is None:
        raise SimulationError(f"run {row.id} is {row.status}; it has no results")
    world = await world_of(database, row)
    skill, spec, market = world.skill, world.spec, world.market
    async with database.as_worker() as connection:
        history = await load_history(connection, row.id)
    if market.digest != row.manifest["data_digest"]:
        raise SimulationError(
            f"the market data of run {row.id} has changed since; run it again, its figures stay as they were"
        )
    ticks, refusals = row.metrics["ticks"], row.metrics["refusals"]
    final = msgspec.convert(row.metrics["final_equity"], type=type(spec.cash))
    record = record_of(
        str(row.id),
        skill,
        row.skill_number,
        spec,
        market,
        row.manifest,
        history,
        yardsticks(skill, spec, market),
        final,
        ticks,
        refusals,
        msgspec.convert(row.metrics["inference_totals"], Inference, strict=False),
    )
    ledger = (row.digests or {})["ledger"]
    beside = await beside_of(database, row)
    return msgspec.structs.replace(record, warnings=tuple(row.warnings), ledger_digest=ledger, beside=beside)


async def beside_of(database: Database, row: RunRow) -> Beside | None:
    """The finished runs that were asked for together with this one, or None where it was asked for alone."""
    if row.batch is None:
        return None
    async with database.as_worker() as connection:
        rows = await batch_runs(connection, row.user_id, row.batch)
    done = [(from_config(one.config), one) for one in rows if one.metrics is not None]
    of_each = [
        (spec.mask, sibling(str(one.id), spec.sample, spec.seed, one.metrics or {})) for spec, one in done
    ]
    controls = [run for is_masked, run in of_each if is_masked]
    return Beside(
        tuple(run for is_masked, run in of_each if not is_masked), controls[0] if controls else None
    )
