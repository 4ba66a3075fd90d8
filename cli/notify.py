"""`agentic notify`: what people were told of their deployments, and a test of whether telling works."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.boot import in_house
from cli.output import AsJson, emit, printable, run
from config.settings import load_settings, notification_urls
from control.notifications import STATES, Tried, list_notifications, send_test
from domain.time import SystemClock, minute

if TYPE_CHECKING:
    from rich.console import RenderableType

    from db.notifications import NotificationRow

app = typer.Typer(no_args_is_help=True, help="Notifications: what you were told, and a test of the way out.")

_STYLES = {"failed": "red", "suppressed": "dim", "queued": "yellow"}


@app.command("list")
def list_told(
    most: Annotated[int, typer.Option("--limit", metavar="N", help="How many, the newest first.")] = 20,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help=f"Only these: {', '.join(STATES)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what happened to your deployments, and whether you were told."""
    rows = in_house(lambda home: list_notifications(home.database, home.user_id, most=most, state=state))
    emit(rows, as_json, _listing)


@app.command("test")
def send(as_json: AsJson = False) -> None:
    """Send a test to every receiver of AGENTIC_NOTIFY_URLS."""

    async def work() -> list[Tried]:
        return await send_test(notification_urls(load_settings().notify_urls), SystemClock().now_ms())

    tried = run(work())
    emit(tried, as_json, lambda tried: "\n".join(map(_tried, tried)))
    if any(one.problem for one in tried):
        raise typer.Exit(1)


def _tried(one: Tried) -> str:
    return f"{one.receiver}: {one.problem or 'it took the message'}"


def _listing(rows: "list[NotificationRow]") -> "RenderableType":
    from rich.text import Text

    from cli.figures import plain_table

    if not rows:
        return "There is nothing yet."
    table = plain_table()
    for head in ("Time (UTC)", "Kind", "What", "State", "Why"):
        table.add_column(head, overflow="fold", no_wrap=head == "Time (UTC)")
    for row in rows:
        cells = (minute(row.created_ts), row.kind, row.title, row.state, row.error or "")
        table.add_row(*(Text(printable(cell)) for cell in cells), style=_STYLES.get(row.state, ""))
    return table
