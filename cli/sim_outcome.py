"""Runs that are carried out here, and what came of runs, as `agentic sim` shows it."""

from asyncio import CancelledError
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from cli import sim_views as views
from cli.boot import House
from cli.files import write_whole
from cli.output import emit, progress, say
from control.errors import Refused
from domain.time import iso

if TYPE_CHECKING:
    from uuid import UUID

    from db.runs import RunRow
    from simulator.record import Beside
    from simulator.run import Finished


class Done(NamedTuple):
    """What a command carried out: a run, with those that were made beside it, and what was paid for their thinking.

    That is None where a model without a price was asked.
    """

    finished: "Finished"
    row: "RunRow"
    beside: "Beside | None"
    spent_usd: Decimal | None


async def carry_out(home: House, run_ids: "list[UUID]", report: Path | None) -> Done:
    """Carry runs out in this process, with a progress bar, and write the first one's report."""
    from control import runs

    named = str(run_ids[0])[-views.SHORT_ID :]
    try:
        with progress("running", 1.0) as tell:
            finished = await runs.carry_out_all(home.database, run_ids, home.provider, tell)
    except CancelledError:
        others = ", and so do the others that `agentic sim list` shows" if len(run_ids) > 1 else ""
        say(f"stopped; `agentic sim resume {named}` goes on from where it was{others}")
        raise
    row = await runs.load(home.database, home.user_id, run_ids[0])
    beside = await runs.beside(home.database, home.user_id, row.id)
    if report is not None:
        _write_report(finished[0], beside, row, report)
    asked = row.config["mode"] != "replay"
    is_known = not asked or all(one.record.inference.cost_usd is not None for one in finished)
    spent_usd = await runs.spent(home.database, home.user_id, run_ids) if is_known else None
    return Done(finished[0], row, beside, spent_usd)


def _write_report(finished: "Finished", beside: "Beside | None", row: "RunRow", report: Path) -> None:
    from simulator.report import render

    html = render(replace(finished.record, beside=beside), finished.metrics)
    try:
        write_whole(report, html)
    except OSError as error:
        named = views.short(row)
        raise Refused(
            f"run {row.id} is done, but its report could not be written to {report}: {error.strerror}; "
            f"once there is room: agentic sim show {named} --report {report}"
        ) from error


def show_done(done: Done, report: Path | None, as_json: bool) -> None:
    """Print what was carried out."""
    row, timing = done.row, done.finished.timing
    rate = timing.bars / timing.loop_s if timing.loop_s else None
    measured = {"bars": timing.bars, "loop_s": round(timing.loop_s, 4), "bars_per_s": rate and round(rate)}
    warn(row.warnings, as_json)
    document = {
        **document_of(row, done.beside),
        "spent_usd": done.spent_usd,
        "report": report,
        "timing": measured,
    }
    emit(document, as_json, lambda _: views.result(row, done.beside))
    say(f"run {row.id}" + (f", report: {report}" if report is not None else ""))


def warn(warnings: Sequence[str], as_json: bool) -> None:
    """Show a run's warnings, where they are not part of the document."""
    if not as_json:
        for warning in warnings:
            say(f"warning: {warning}")


def document_of(row: "RunRow", beside: "Beside | None" = None) -> dict[str, Any]:
    """A run as `--json` gives it, with those beside it."""
    from simulator.spread import as_document

    config = {
        name: value for name, value in row.config.items() if name not in ("from_ts", "to_ts", "platform")
    }
    return {
        "run_id": row.id,
        "status": row.status,
        "skill": row.skill_name,
        "version": row.skill_number,
        "from": iso(row.config["from_ts"]),
        "to": iso(row.config["to_ts"]),
        "config": config,
        "synthetic": row.is_synthetic,
        "progress": row.progress,
        "error": row.error,
        "metrics": row.metrics,
        "digests": row.digests,
        "warnings": row.warnings,
        **({} if beside is None else as_document(beside)),
    }
