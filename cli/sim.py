"""`agentic sim`: run a Skill over history, and look at its results."""

from asyncio import CancelledError
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import sim_views as views
from cli.boot import House, in_house
from cli.files import read_skill, write_whole
from cli.output import AsJson, emit, progress, say
from cli.values import instant, interval_name
from control.errors import Refused
from domain.time import iso

if TYPE_CHECKING:
    from db.runs import RunRow
    from simulator.run import Finished

app = typer.Typer(
    no_args_is_help=True, help="Simulations: run a Skill over history, and look at its results."
)


class CostModel(StrEnum):
    """What `--costs` takes."""

    DEFAULT = "default"
    NONE = "none"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def _money(text: str) -> Decimal:
    try:
        return Decimal(str(text).replace("_", ""))
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not an amount; write it like 10000") from None


Cash = Annotated[Decimal, typer.Option(parser=_money, metavar="USD", help="What the account begins with.")]
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
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Run SKILL over history, and show what came of it."""
    from control.runs import RunRequest

    _see_that_it_can_be_written(report)
    request = RunRequest(from_ts, to_ts, cash, costs.value, funding is Switch.ON, seed, execution_interval)
    finished, row = in_house(lambda home: _ask_and_run(home, skill, request, report))
    _show(finished, row, report, as_json)


@app.command()
def resume(
    run: Run,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was stopped, from where it was."""
    _see_that_it_can_be_written(report)
    finished, row = in_house(lambda home: _resume(home, run, report))
    _show(finished, row, report, as_json)


@app.command("list")
def list_runs(
    skill: Annotated[str | None, typer.Option(metavar="NAME", help="Those of one Skill.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs."""
    from control import runs

    rows = in_house(lambda home: runs.newest(home.database, home.user_id, limit=limit, skill=skill))
    emit([_document(row) for row in rows], as_json, lambda _: views.listing(rows))


@app.command()
def show(
    run: Run,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Show a run's figures, and write its report."""
    from control import runs

    async def work(home: House) -> "RunRow":
        row = await runs.find(home.database, home.user_id, run)
        if report is not None:
            write_whole(report, await runs.report_html(home.database, home.user_id, row.id))
        return row

    row = in_house(work)
    _warn(row.warnings, as_json)
    emit(_document(row), as_json, lambda _: views.result(row))
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
    emit([_document(row) for row in rows], as_json, lambda _: views.comparison(rows))


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


async def _ask_and_run(
    home: House, skill: str, request: Any, report: Path | None
) -> "tuple[Finished, RunRow]":
    from control import runs, skills
    from skills.schema import platform_caps

    reference = skill
    if skill.endswith(".md") and Path(skill).is_file():
        saved = await skills.save(home.database, home.user_id, read_skill(Path(skill)), where=skill)
        reference = f"{saved.name}@{saved.version}"
        for warning in saved.warnings:
            say(f"warning: {warning}")
    version = await skills.find(home.database, home.user_id, reference)
    platform = platform_caps(home.settings.platform_caps, where="AGENTIC_PLATFORM_CAPS")
    run_id = await runs.ask(home.database, home.user_id, version, request, platform)
    return await _carry_out(home, run_id, report)


async def _resume(home: House, run: str, report: Path | None) -> "tuple[Finished, RunRow]":
    from control import runs

    row = await runs.find(home.database, home.user_id, run)
    return await _carry_out(home, row.id, report)


async def _carry_out(home: House, run_id: Any, report: Path | None) -> "tuple[Finished, RunRow]":
    from control import runs

    try:
        with progress("replaying", 1.0) as tell:
            finished = await runs.carry_out(home.database, run_id, lambda done, total: tell(done / total))
    except CancelledError:
        say(f"stopped; `agentic sim resume {str(run_id)[-views.SHORT_ID :]}` goes on from where it was")
        raise
    if report is not None:
        from simulator.report import render

        html = render(finished.record, finished.metrics)
        try:
            write_whole(report, html)
        except OSError as error:
            named = str(run_id)[-views.SHORT_ID :]
            raise Refused(
                f"run {run_id} is done, but its report could not be written to {report}: {error.strerror}; "
                f"once there is room: agentic sim show {named} --report {report}"
            ) from error
    return finished, await runs.find(home.database, home.user_id, str(run_id))


def _see_that_it_can_be_written(report: Path | None) -> None:
    """Find out before a long run, rather than after it, that there is no place for its report."""
    if report is not None and (report.is_dir() or not report.parent.is_dir()):
        what = "is a folder" if report.is_dir() else f"can't be written: there is no folder {report.parent}"
        raise typer.BadParameter(f"{report} {what}", param_hint="--report")


def _show(finished: "Finished", row: "RunRow", report: Path | None, as_json: bool) -> None:
    timing = finished.timing
    rate = timing.bars / timing.loop_s if timing.loop_s else None
    measured = {"bars": timing.bars, "loop_s": round(timing.loop_s, 4), "bars_per_s": rate and round(rate)}
    _warn(row.warnings, as_json)
    emit({**_document(row), "report": report, "timing": measured}, as_json, lambda _: views.result(row))
    say(f"run {row.id}" + (f", report: {report}" if report is not None else ""))


def _warn(warnings: Sequence[str], as_json: bool) -> None:
    if not as_json:
        for warning in warnings:
            say(f"warning: {warning}")


def _document(row: "RunRow") -> dict[str, Any]:
    """A run as `--json` gives it."""
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
    }
