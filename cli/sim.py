"""`agentic sim`: run a Skill over history, and look at its results."""

import sys
from asyncio import CancelledError
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from msgspec.structs import replace

from cli import sim_bundle
from cli import sim_views as views
from cli.boot import House, in_house
from cli.files import read_skill, see_that_it_can_be_written, write_whole
from cli.output import AsJson, emit, progress, say
from cli.values import instant, interval_name
from control.errors import Refused
from domain.time import iso

if TYPE_CHECKING:
    from uuid import UUID

    from control.estimate import Estimate
    from control.runs import RunRequest
    from db.runs import RunRow
    from db.skills import VersionRow
    from domain.caps import Caps
    from simulator.record import Beside
    from simulator.run import Finished
    from simulator.spec import RunSpec

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
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Run SKILL over history, and show what came of it."""
    from control.runs import RunRequest

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
        found = in_house(lambda home: _only_estimate(home, skill, request))
        emit(found, as_json, lambda _: views.estimated(found))
        return
    done = in_house(lambda home: _ask_and_run(home, skill, request, report, yes=yes))
    _show(done, report, as_json)


@app.command()
def resume(
    run: Run,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was stopped, from where it was."""
    see_that_it_can_be_written(report)
    _show(in_house(lambda home: _resume(home, run, report)), report, as_json)


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

    async def work(home: House) -> "tuple[RunRow, Beside | None]":
        row = await runs.find(home.database, home.user_id, run)
        if report is not None:
            write_whole(report, await runs.report_html(home.database, home.user_id, row.id))
        return row, await runs.beside(home.database, home.user_id, row.id)

    row, beside = in_house(work)
    _warn(row.warnings, as_json)
    emit(_document(row, beside), as_json, lambda _: views.result(row, beside))
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


class Done(NamedTuple):
    """What a command carried out: a run, with those that were made beside it, and what was paid for their thinking.

    That is None where a model without a price was asked.
    """

    finished: "Finished"
    row: "RunRow"
    beside: "Beside | None"
    spent_usd: Decimal | None


async def _version(home: House, skill: str) -> "VersionRow":
    """Find the version that is named; a file is saved first."""
    from control import skills

    reference = skill
    if skill.endswith(".md") and Path(skill).is_file():
        data, models = read_skill(Path(skill)), home.provider.table
        saved = await skills.save(home.database, home.user_id, data, where=skill, models=models)
        reference = f"{saved.name}@{saved.version}"
        for warning in saved.warnings:
            say(f"warning: {warning}")
    return await skills.find(home.database, home.user_id, reference)


def _platform(home: House) -> "Caps":
    from skills.schema import platform_caps

    return platform_caps(home.settings.platform_caps, where="AGENTIC_PLATFORM_CAPS")


async def _specs(
    home: House, version: "VersionRow", request: "RunRequest", *, needs_key: bool = True
) -> "list[RunSpec]":
    from control import runs

    return await runs.specs_of(
        home.database, home.user_id, version, request, _platform(home), home.provider, needs_key=needs_key
    )


async def _only_estimate(home: House, skill: str, request: "RunRequest") -> "Estimate":
    from control.estimate import estimate

    version = await _version(home, skill)
    specs = await _specs(home, version, request, needs_key=False)
    return await estimate(home.database, home.user_id, version, specs, home.provider)


async def _ask_and_run(
    home: House, skill: str, request: "RunRequest", report: Path | None, *, yes: bool
) -> Done:
    from control import runs
    from control.estimate import estimate, is_free

    version = await _version(home, skill)
    specs = await _specs(home, version, request)
    if not yes and not is_free(version, specs[0]):
        found = await estimate(home.database, home.user_id, version, specs, home.provider)
        _confirm(found, home.settings.confirm_above_usd)
    run_ids = await runs.keep(home.database, home.user_id, version, specs)
    return await _carry_out(home, run_ids, report)


def _confirm(found: "Estimate", limit_usd: Decimal) -> None:
    """Ask before a run that is estimated to cost more than the limit; refuse where nobody can be asked."""
    if found.cost_usd is None or found.cost_usd <= limit_usd:
        return
    cost = f"about {found.cost_usd:,.2f} USD for {found.ticks * found.runs:,} ticks, and at most {found.most_usd:,.2f}"
    if not sys.stdin.isatty():
        raise Refused(f"this is estimated to cost {cost}; add --yes to run it, or see --estimate")
    if not typer.confirm(f"This is estimated to cost {cost}. Run it?", err=True):
        raise Refused("nothing was run")


async def _resume(home: House, run: str, report: Path | None) -> Done:
    from control import runs

    row = await runs.find(home.database, home.user_id, run)
    return await _carry_out(home, [row.id], report)


async def _carry_out(home: House, run_ids: "list[UUID]", report: Path | None) -> Done:
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


def _show(done: Done, report: Path | None, as_json: bool) -> None:
    row, timing = done.row, done.finished.timing
    rate = timing.bars / timing.loop_s if timing.loop_s else None
    measured = {"bars": timing.bars, "loop_s": round(timing.loop_s, 4), "bars_per_s": rate and round(rate)}
    _warn(row.warnings, as_json)
    document = {
        **_document(row, done.beside),
        "spent_usd": done.spent_usd,
        "report": report,
        "timing": measured,
    }
    emit(document, as_json, lambda _: views.result(row, done.beside))
    say(f"run {row.id}" + (f", report: {report}" if report is not None else ""))


def _warn(warnings: Sequence[str], as_json: bool) -> None:
    if not as_json:
        for warning in warnings:
            say(f"warning: {warning}")


def _document(row: "RunRow", beside: "Beside | None" = None) -> dict[str, Any]:
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


sim_bundle.register(app)
