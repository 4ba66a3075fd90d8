"""`agentic sim bundle`, `import` and `replay`: hand a run on in one file, and see that it replays to the same bytes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli.boot import House, in_house
from cli.files import see_that_it_can_be_written, write_whole
from cli.output import AsJson, emit, progress, say

if TYPE_CHECKING:
    from control.run_check import Check

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the end of one, or `last`.")]
Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the replay's report here, as HTML.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `agentic sim`."""
    app.command("bundle")(bundle)
    app.command("import")(take_in)
    app.command("replay")(replay)


def bundle(
    run: Run,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write a run into one file, with all that a replay of it needs elsewhere."""
    from control import run_bundle, runs

    async def work(home: House) -> dict[str, Any]:
        row = await runs.find(home.database, home.user_id, run)
        held = await run_bundle.bundle(home.database, row, to)
        return {
            "file": to,
            "run_id": row.id,
            "digests": held.digests,
            "bars": sum(len(rows) for _, rows in held.series),
            "news": len(held.news),
            "calls": len(held.calls),
            "bytes": to.stat().st_size,
        }

    emit(in_house(work), as_json, _written)


def take_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `agentic sim bundle` wrote.")],
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Take a bundle in, replay its run, and say whether it came to the same bytes."""
    from control import run_bundle

    see_that_it_can_be_written(report)

    async def work(home: House) -> "Check":
        run_id, held = await run_bundle.take_in(home.database, home.user_id, file, home.clock.now_ms())
        return await _check(home, run_id, held.digests, held.run.manifest, report)

    _show(in_house(work), as_json)


def replay(
    run: Run,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Replay one of your runs from what is recorded, and say whether it came to the same bytes."""
    from control import run_check, runs

    see_that_it_can_be_written(report)

    async def work(home: House) -> "Check":
        row = await runs.find(home.database, home.user_id, run)
        again = await run_check.ask_again(home.database, home.user_id, row)
        return await _check(home, again, row.digests or {}, row.manifest or {}, report)

    _show(in_house(work), as_json)


async def _check(
    home: House, run_id: UUID, digests: dict[str, str], manifest: dict[str, Any], report: Path | None
) -> "Check":
    from control import run_check, runs

    with progress("replaying", 1.0) as tell:
        found = await run_check.replay_and_compare(
            home.database, run_id, home.provider, digests, manifest, lambda done, total: tell(done / total)
        )
    if report is not None:
        write_whole(report, await runs.report_html(home.database, home.user_id, run_id))
        say(f"report: {report}")
    return found


def _show(check: "Check", as_json: bool) -> None:
    """Print how a replay compares, and end with 1 where it is not the same."""
    document = {
        "run_id": check.run_id,
        "same": not check.differs,
        "differs": check.differs,
        "expected": check.expected,
        "digests": check.found,
        "why": check.why,
    }
    emit(document, as_json, lambda _: _said(check))
    if check.differs:
        raise typer.Exit(1)


def _said(check: "Check") -> str:
    if not check.differs:
        return f"the same to the byte: run {check.run_id}, ledger {check.found['ledger'][:16]}"
    lines = [
        f"not the same: the digest of the {' and of the '.join(check.differs)} differs (run {check.run_id})"
    ]
    return "\n".join([*lines, *(f"  {line}" for line in check.why)])


def _written(document: dict[str, Any]) -> str:
    held = [f"{document['bars']:,} rows of market data"]
    held += [f"{document[name]:,} {what}" for name, what in _HELD.items() if document[name]]
    return f"{document['file']}: {', '.join(held)} ({document['bytes']:,} bytes)"


_HELD = {"news": "stories", "calls": "answers of the model"}
