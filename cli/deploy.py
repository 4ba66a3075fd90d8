"""`agentic deploy`: let a Skill run, on paper, on history or on prices as they come."""

import asyncio
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli import deployment_views as views
from cli.boot import House, in_house
from cli.output import AsJson, emit, progress, say
from cli.references import platform_of, version_of
from cli.values import money
from domain.feeds import FeedSpec, parse_feed

if TYPE_CHECKING:
    from uuid import UUID

    from control.deployments import DeploymentLine
    from db.figures import AccountFigures

app = typer.Typer()

LOOK_EVERY_S = 0.25
"""How often somebody who watches looks how far it is."""

LAST_WORD_S = 3.0
"""How long the last word of one that is over is waited for: it is written down a second later than its end."""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class Mode(StrEnum):
    """What `--mode` takes."""

    PAPER = "paper"
    TESTNET = "testnet"
    MAINNET = "mainnet"


class CostModel(StrEnum):
    """What `--costs` takes."""

    DEFAULT = "default"
    NONE = "none"


def _feed(text: str) -> FeedSpec:
    try:
        return parse_feed(str(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command()
def deploy(
    skill: Annotated[
        str, typer.Argument(metavar="SKILL", help="NAME, NAME@N, or a SKILL.md file, which is saved.")
    ],
    mode: Annotated[Mode, typer.Option(help="With what money.")] = Mode.PAPER,
    feed: Annotated[
        FeedSpec,
        typer.Option(
            parser=_feed,
            metavar="FEED",
            help="replay:FROM..TO@60x or @max rehearses it on history; synthetic makes prices up as time passes.",
        ),
    ] = "live",  # type: ignore[assignment]  # Typer has the default parsed, too
    cash: Annotated[
        Decimal, typer.Option(parser=money, metavar="USD", help="What a paper account begins with.")
    ] = Decimal(10_000),
    seed: Annotated[int, typer.Option(help="For whatever is random.")] = 0,
    costs: Annotated[
        CostModel, typer.Option(help="none: without spread, impact and participation.")
    ] = CostModel.DEFAULT,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--no-follow",
            help="Watch until it ends. By itself: a replay @max, and whatever has to run here.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let SKILL run. Where no `agentic up` is running, it runs here, in the foreground."""
    from control.deployments import DeployRequest

    request = DeployRequest(feed, mode.value, cash, seed, costs.value)

    async def work(home: House) -> "tuple[DeploymentLine, AccountFigures]":
        from control import deployments

        version = await version_of(home, skill)
        deployment_id = await deployments.deploy(
            home.database, home.user_id, version, request, platform_of(home), home.provider
        )
        say(f"deployment {deployment_id}")
        await _see_it_run(home, deployment_id, request.feed, follow)
        return await deployments.seen(home.database, home.user_id, deployment_id)

    line, figures = in_house(work)
    emit(views.document(line, figures), as_json, lambda _: views.deployed(line, figures))


async def _see_it_run(home: House, deployment_id: "UUID", feed: FeedSpec, follow: bool | None) -> None:
    """Run a deployment here where nobody else does, and watch it, as far as that is wanted."""
    from control import deployments

    if await deployments.is_anybody_running(home.database):
        if feed.is_unpaced if follow is None else follow:
            await _watch(home, deployment_id, feed)
    elif follow is False:
        say("no `agentic up` is running; it begins when one does")
    else:
        await _carry_out(home, deployment_id, feed)


async def _carry_out(home: House, deployment_id: "UUID", feed: FeedSpec) -> None:
    """Run a deployment here, until it ends or this process is told to stop."""
    from cli.foreground import carried_out_here

    say("no `agentic up` is running, so it runs here until it ends or Ctrl-C")
    async with carried_out_here(home, deployment_id) as stop:
        waits = [asyncio.ensure_future(one) for one in (_watch(home, deployment_id, feed), _told(stop))]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
    for one in done:
        one.result()
    if stop.is_set():
        say("stopped here; it stays open, and the next `agentic up` goes on with it")
        raise typer.Exit(INTERRUPTED)


async def _told(stop: asyncio.Event) -> None:
    await stop.wait()


async def _watch(home: House, deployment_id: "UUID", feed: FeedSpec) -> None:
    """Show how far a deployment is, until it is over and has said where it stands at last."""
    from control import deployments

    span = float(feed.to_ts - feed.from_ts) if feed.is_replay else None
    looks_left = int(LAST_WORD_S / LOOK_EVERY_S)
    with progress("running", span) as tell:
        while looks_left:
            row = await deployments.load(home.database, home.user_id, deployment_id)
            state = await deployments.state(home.database, home.user_id, deployment_id)
            if state is not None and state.feed_ts is not None:
                tell(state.feed_ts - feed.from_ts)
            if row.status.is_over:
                looks_left -= 1
                if state is not None and row.ended_ts is not None and state.beat_ts >= row.ended_ts:
                    return
            await asyncio.sleep(LOOK_EVERY_S)
