"""`agentic sim run --queue`, `resume --queue` and `watch`: runs that are left to the workers, and followed."""

from asyncio import CancelledError
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import sim_views as views
from cli.boot import House, in_house
from cli.files import see_that_it_can_be_written, write_whole
from cli.output import AsJson, emit, progress, say
from cli.sim_asking import asked
from cli.sim_outcome import document_of, warn
from control.errors import Refused

if TYPE_CHECKING:
    from uuid import UUID

    from control.runs import RunRequest
    from db.runs import RunRow
    from simulator.record import Beside

Queue = Annotated[bool, typer.Option("--queue", help="Leave it to the workers of `agentic up`.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="With --queue: wait until it is over, and show what came of it.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the end of one, or `last`.")]
Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report here, as one HTML file.")]

NOBODY = "no `agentic up` with sim workers is running: what is queued waits until one is started"
MOST_NAMED = 10


def register(app: typer.Typer) -> None:
    """Add the command to `agentic sim`."""
    app.command("watch")(watch)


def check(*, queue: bool, wait: bool, report: Path | None) -> None:
    """Refuse options that have no meaning together."""
    if wait and not queue:
        raise typer.BadParameter(
            "it goes with --queue; without it the run is carried out here", param_hint="--wait"
        )
    if queue and report is not None and not wait:
        raise typer.BadParameter(
            "with --queue it goes with --wait; later, `agentic sim show RUN --report FILE` writes it",
            param_hint="--report",
        )


def leave(
    skill: str, request: "RunRequest", report: Path | None, *, yes: bool, wait: bool, as_json: bool
) -> None:
    """Leave what is asked for to the workers; and wait for it, where that is wanted."""

    async def work(home: House) -> None:
        from control import queue

        version, specs = await asked(home, skill, request, yes=yes)
        run_ids = await queue.enqueue(home.database, home.user_id, version, specs)
        await _follow_or_tell(home, run_ids, report, wait=wait, as_json=as_json)

    in_house(work)


def leave_again(run: str, report: Path | None, *, wait: bool, as_json: bool) -> None:
    """Leave a run that was stopped to the workers; and wait for it, where that is wanted."""

    async def work(home: House) -> None:
        from control import queue, runs

        row = await runs.find(home.database, home.user_id, run)
        await queue.hand_over(home.database, home.user_id, row.id)
        await _follow_or_tell(home, [row.id], report, wait=wait, as_json=as_json)

    in_house(work)


def watch(run: Run, report: Report = None, as_json: AsJson = False) -> None:
    """Follow a run, and those asked for with it, until they are over, and show what came of it."""
    see_that_it_can_be_written(report)

    async def work(home: House) -> None:
        from control import runs

        row = await runs.find(home.database, home.user_id, run)
        together = await runs.together(home.database, home.user_id, row)
        await _follow(home, row.id, together, report, as_json=as_json)

    in_house(work)


async def _follow_or_tell(
    home: House, run_ids: "Sequence[UUID]", report: Path | None, *, wait: bool, as_json: bool
) -> None:
    from control import queue

    has_workers = await queue.has_workers(home.database)
    if not has_workers:
        say(NOBODY)
    if wait:
        await _follow(home, run_ids[0], run_ids, report, as_json=as_json)
        return
    document = {"run_id": run_ids[0], "status": "queued", "run_ids": run_ids, "workers": has_workers}
    emit(document, as_json, lambda _: _left(run_ids))
    say(f"`agentic sim watch {_short(run_ids[0])}` follows {'it' if len(run_ids) == 1 else 'them'}")


async def _follow(
    home: House, run_id: "UUID", together: "Sequence[UUID]", report: Path | None, *, as_json: bool
) -> None:
    """Wait until runs are over, and show one of them beside the others. Raises Refused where that one has no result."""
    from control import queue, runs

    try:
        with progress("waiting" if len(together) == 1 else f"waiting for {len(together)} runs", 1.0) as tell:
            rows = await queue.follow(home.database, home.user_id, together, tell)
    except CancelledError:
        say(f"not waited for any more; it goes on, and `agentic sim watch {_short(run_id)}` follows it")
        raise
    row = next(row for row in rows if row.id == run_id)
    if row.status != "done":
        raise Refused(_why_not(row))
    if not_done := [other for other in rows if other.status != "done"]:
        say(f"of {len(rows)} runs {len(not_done)} have no result; the first: {_why_not(not_done[0])}")
    if report is not None:
        write_whole(report, await runs.report_html(home.database, home.user_id, run_id))
    beside = await runs.beside(home.database, home.user_id, run_id)
    _show(row, beside, report, as_json)


def _show(row: "RunRow", beside: "Beside | None", report: Path | None, as_json: bool) -> None:
    warn(row.warnings, as_json)
    document: dict[str, Any] = {**document_of(row, beside), "report": report}
    emit(document, as_json, lambda _: views.result(row, beside))
    say(f"run {row.id}" + (f", report: {report}" if report is not None else ""))


def _why_not(row: "RunRow") -> str:
    return f"run {row.id} is {row.status}" + (f": {row.error}" if row.error else "")


def _left(run_ids: "Sequence[UUID]") -> str:
    lines = [f"queued run {run_id}" for run_id in run_ids[:MOST_NAMED]]
    more = len(run_ids) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def _short(run_id: "UUID") -> str:
    return str(run_id)[-views.SHORT_ID :]
