"""`agentic sim`: run a Skill over history, and look at its results."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import sim_bundle, sim_queue
from cli import sim_views as views
from cli.boot import House, in_house
from cli.files import see_that_it_can_be_written, write_whole
from cli.output import AsJson, emit, say
from cli.sim_asking import asked, estimated
from cli.sim_outcome import Done, carry_out, document_of, show_done, warn
from cli.values import instant, interval_name, money

if TYPE_CHECKING:
    from db.runs import RunRow
    from simulator.record import Beside

app = typer.Typer(
    no_args_is_help=True, help="Simulations: run a Skill over history, and look at its results."
)


class CostModel(StrEnum):
    """What `--costs` takes."""

    DEFAULT = "default"
    NONE = "none"


class Source(StrEnum):
    """What `--mode` takes."""

    RECORD = "record"
    LIVE = "live"
    REPLAY = "replay"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


Cash = Annotated[Decimal, typer.Option(parser=money, metavar="USD", help="What the account begins with.")]
Costs = Annotated[CostModel, typer.Option(help="none: without spread, impact and participation.")]
Execution = Annotated[
    str | None,
    typer.Option(parser=interval_name, metavar="1h", help="Bars that fills are made on; else the finest."),
]
Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report here, as one HTML file.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the end of one, or `last`.")]


@app.command()
def run(
    skill: Annotated[
        str, typer.Argument(metavar="SKILL", help="NAME, NAME@N, or a SKILL.md file, which is saved.")
    ],
    from_ts: Annotated[
        int | None,
        typer.Option("--from", parser=instant, metavar="TIME", help="From when on; else all there is."),
    ] = None,
    to_ts: Annotated[
        int | None, typer.Option("--to", parser=instant, metavar="TIME", help="Until when; not included.")
    ] = None,
    cash: Cash = Decimal(10_000),
    costs: Costs = CostModel.DEFAULT,
    funding: Annotated[Switch, typer.Option(help="Whether funding is paid.")] = Switch.ON,
    seed: Annotated[int, typer.Option(help="For whatever is random.")] = 0,
    execution_interval: Execution = None,
    mode: Annotated[
        Source,
        typer.Option(
            help="A model's outputs: recorded ones used and new ones recorded, all new, or recorded only."
        ),
    ] = Source.RECORD,
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", help="Make it N times with new outputs, and show the band.")
    ] = 1,
    mask: Annotated[
        bool, typer.Option("--mask", help="Make it once more with names, dates and price levels hidden.")
    ] = False,
    cutoff_ts: Annotated[
        int | None,
        typer.Option("--cutoff", parser=instant, metavar="TIME", help="When the model's knowledge ends."),
    ] = None,
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would probably cost, and run nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Don't ask, whatever it is estimated to cost.")
    ] = False,
    queue: sim_queue.Queue = False,
    wait: sim_queue.Wait = False,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Run SKILL over history, and show what came of it."""
    from control import runs as runs_of
    from control.runs import RunRequest

    sim_queue.check(queue=queue, wait=wait, report=report)
    see_that_it_can_be_written(report)
    request = RunRequest(
        from_ts,
        to_ts,
        cash,
        costs.value,
        funding is Switch.ON,
        seed,
        execution_interval,
        mode.value,
        runs,
        mask,
        cutoff_ts,
    )
    if only_estimate:
        found = in_house(lambda home: estimated(home, skill, request))
        emit(found, as_json, lambda _: views.estimated(found))
        return
    if queue:
        sim_queue.leave(skill, request, report, yes=yes, wait=wait, as_json=as_json)
        return

    async def work(home: House) -> Done:
        version, specs = await asked(home, skill, request, yes=yes)
        run_ids = await runs_of.keep(home.database, home.user_id, version, specs)
        return await carry_out(home, run_ids, report)

    show_done(in_house(work), report, as_json)


@app.command()
def resume(
    run: Run,
    queue: sim_queue.Queue = False,
    wait: sim_queue.Wait = False,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was stopped, from where it was."""
    from control import runs

    sim_queue.check(queue=queue, wait=wait, report=report)
    see_that_it_can_be_written(report)
    if queue:
        sim_queue.leave_again(run, report, wait=wait, as_json=as_json)
        return

    async def work(home: House) -> Done:
        row = await runs.find(home.database, home.user_id, run)
        return await carry_out(home, [row.id], report)

    show_done(in_house(work), report, as_json)


@app.command("list")
def list_runs(
    skill: Annotated[str | None, typer.Option(metavar="NAME", help="Those of one Skill.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs."""
    from control import runs

    rows = in_house(lambda home: runs.newest(home.database, home.user_id, limit=limit, skill=skill))
    emit([document_of(row) for row in rows], as_json, lambda _: views.listing(rows))


@app.command()
def show(
    run: Run,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Show a run's figures, and write its report."""
    from control import runs

    async def work(home: House) -> "tuple[RunRow, Beside | None]":
        row = await runs.find(home.database, home.user_id, run)
        if report is not None:
            write_whole(report, await runs.report_html(home.database, home.user_id, row.id))
        return row, await runs.beside(home.database, home.user_id, row.id)

    row, beside = in_house(work)
    warn(row.warnings, as_json)
    emit(document_of(row, beside), as_json, lambda _: views.result(row, beside))
    if report is not None:
        say(f"report: {report}")


@app.command()
def compare(
    several: Annotated[list[str], typer.Argument(metavar="RUN…", help="Two or more runs.")],
    as_json: AsJson = False,
) -> None:
    """Show the figures of several runs side by side."""
    from control import runs

    async def work(home: House) -> "list[RunRow]":
        return [await runs.find(home.database, home.user_id, each) for each in several]

    rows = in_house(work)
    emit([document_of(row) for row in rows], as_json, lambda _: views.comparison(rows))


@app.command()
def export(
    run: Run,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A folder, made if need be.")],
    as_json: AsJson = False,
) -> None:
    """Write a run's equity, fills, trades, decisions and report into a folder."""
    from control import runs
    from control.run_export import export_run

    async def work(home: House) -> list[Path]:
        row = await runs.find(home.database, home.user_id, run)
        return export_run(await runs.record(home.database, home.user_id, row.id), row, to)

    written = in_house(work)
    emit({"files": written}, as_json, lambda _: "\n".join(map(str, written)))


@app.command()
def cancel(run: Run, as_json: AsJson = False) -> None:
    """Cancel a run that is waiting or running."""
    from control import runs

    async def work(home: House) -> "RunRow":
        row = await runs.find(home.database, home.user_id, run)
        await runs.cancel(home.database, home.user_id, row.id)
        return row

    row = in_house(work)
    emit({"run_id": row.id, "status": "cancelled"}, as_json, lambda _: f"cancelled run {row.id}")


@app.command()
def delete(run: Run, as_json: AsJson = False) -> None:
    """Throw a run away with all that it recorded."""
    from control import runs

    async def work(home: House) -> "RunRow":
        row = await runs.find(home.database, home.user_id, run)
        await runs.delete(home.database, home.user_id, row.id)
        return row

    row = in_house(work)
    emit({"run_id": row.id, "status": "deleted"}, as_json, lambda _: f"deleted run {row.id}")


sim_queue.register(app)
sim_bundle.register(app)
