"""`agentic decisions`: why a run, or a deployment, did what it did."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cli.boot import House, in_house
from cli.output import AsJson, emit, say
from cli.values import instant
from control.errors import NotFound
from domain.time import iso

if TYPE_CHECKING:
    from uuid import UUID

    from control.decisions import DecisionPage
    from db.runs import RunRow
    from domain.snapshots import DecisionSnapshot

app = typer.Typer(help="Why a run or a deployment did what it did, decision by decision.")


class Decider(NamedTuple):
    """Whose decisions they are: a run's, or a deployment's. `account_id` is where they are kept."""

    kind: str
    id: "UUID"
    account_id: "UUID"


@app.command()
def decisions(
    which: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DEPLOYMENT",
            help="Its id, or the end of one; `last` for the last run; a Skill's name for its deployment.",
        ),
    ],
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
    """Say why a run or a deployment did what it did: each decision in a line, or with --tick one's whole story."""
    from cli import decision_views as views

    if tick is not None:
        decider, decision = in_house(lambda home: _load(home, which, tick))
        emit(views.document(decider, decision), as_json, lambda _: views.story(decider, decision))
    else:
        decider, page = in_house(lambda home: _list(home, which, limit, before))
        listed = {
            f"{decider.kind}_id": decider.id,
            "decisions": page.decisions,
            "before_ts": views.instant(page.before_ts),
        }
        emit(listed, as_json, lambda _: views.listing(which, page))


async def _load(home: House, which: str, tick_ts: int) -> "tuple[Decider, DecisionSnapshot]":
    from control.decisions import load_decision

    decider = await _find(home, which)
    return decider, await load_decision(home.database, home.user_id, decider.account_id, tick_ts)


async def _list(home: House, which: str, limit: int, before: int | None) -> "tuple[Decider, DecisionPage]":
    from control.decisions import list_decisions

    decider = await _find(home, which)
    return decider, await list_decisions(
        home.database, home.user_id, decider.account_id, limit=limit, before=before
    )


async def _find(home: House, which: str) -> Decider:
    """Find a run of this name, else a deployment."""
    from control import deployments, runs

    try:
        run = await runs.find(home.database, home.user_id, which)
    except NotFound:
        try:
            found = await deployments.find(home.database, home.user_id, which)
        except NotFound:
            raise NotFound(
                f"there is no run or deployment {which}; see `agentic sim list` and `agentic deployments --all`"
            ) from None
        return Decider("deployment", found.id, found.account_id)
    _tell_of_mask(run)
    return Decider("run", run.id, run.id)


def _tell_of_mask(row: "RunRow") -> None:
    """A masked run's ticks are on other days than those it was asked for."""
    if row.config.get("mask") and row.manifest:
        day, shown = (iso(run["from_ts"])[:10] for run in (row.config, row.manifest["run"]))
        say(f"masked: times, names and prices are those that the model was shown, {shown} for {day}")
