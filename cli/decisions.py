"""`agentic decisions`: why a run did what it did."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.boot import House, in_house
from cli.output import AsJson, emit, say
from cli.values import instant
from domain.time import iso

if TYPE_CHECKING:
    from uuid import UUID

    from control.decisions import DecisionPage
    from db.runs import RunRow
    from domain.snapshots import DecisionSnapshot

app = typer.Typer(help="Why a run did what it did: its decisions, or the whole story of one.")


@app.command()
def decisions(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the end of one, or `last`.")],
    tick: Annotated[
        int | None,
        typer.Option(
            parser=instant,
            metavar="TIME",
            help="Tell all of this tick: what it was shown, said, called, and what it cost.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many are listed, the newest first.")] = 20,
    before: Annotated[
        int | None, typer.Option(parser=instant, metavar="TIME", help="List those of earlier ticks.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a run did what it did: each decision in a line, or with --tick the whole story of one."""
    from cli import decision_views as views

    if tick is not None:
        run_id, decision = in_house(lambda home: _load(home, run, tick))
        emit(views.document(run_id, decision), as_json, lambda _: views.story(run_id, decision))
    else:
        run_id, page = in_house(lambda home: _list(home, run, limit, before))
        listed = {"run_id": run_id, "decisions": page.decisions, "before_ts": views.instant(page.before_ts)}
        emit(listed, as_json, lambda _: views.listing(run, page))


async def _load(home: House, run: str, tick_ts: int) -> "tuple[UUID, DecisionSnapshot]":
    from control.decisions import load_decision
    from control.runs import find

    row = await find(home.database, home.user_id, run)
    _tell_of_mask(row)
    return row.id, await load_decision(home.database, home.user_id, row.id, tick_ts)


async def _list(home: House, run: str, limit: int, before: Any) -> "tuple[UUID, DecisionPage]":
    from control.decisions import list_decisions
    from control.runs import find

    row = await find(home.database, home.user_id, run)
    _tell_of_mask(row)
    return row.id, await list_decisions(home.database, home.user_id, row.id, limit=limit, before=before)


def _tell_of_mask(row: "RunRow") -> None:
    """A masked run's ticks are on other days than those it was asked for."""
    if row.config.get("mask") and row.manifest:
        day, shown = (iso(run["from_ts"])[:10] for run in (row.config, row.manifest["run"]))
        say(f"masked: times, names and prices are those that the model was shown, {shown} for {day}")
