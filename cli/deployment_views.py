"""How deployments look on a terminal, and as JSON: a line each, or all of one."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.figures import figure, plain_table
from cli.output import printable
from cli.sim_views import SHORT_ID
from domain.deployments import Status
from domain.feeds import parse_feed
from domain.time import iso, minute
from simulator.report.words import grouped

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from control.deployments import DeploymentLine
    from db.agent_logs import KeptLog
    from db.commands import CommandRow
    from db.deployments import DeploymentRow
    from db.figures import AccountFigures

SETTINGS = ("cash", "seed", "costs")
"""What of a deployment's settings is shown."""


def document(
    line: "DeploymentLine",
    figures: "AccountFigures | None" = None,
    told: "Sequence[CommandRow]" = (),
    lines: "Sequence[KeptLog]" = (),
) -> dict[str, Any]:
    """The stable fields of a deployment."""
    row, state = line.row, line.state
    return {
        "deployment_id": row.id,
        "account_id": row.account_id,
        "skill": row.skill_name,
        "version": row.skill_number,
        "mode": row.mode,
        "feed": row.feed,
        "synthetic": parse_feed(row.feed).kind == "synthetic",
        "status": row.status,
        "reason": row.reason,
        "created": iso(row.created_ts),
        "started": _instant(row.started_ts),
        "ended": _instant(row.ended_ts),
        "config": {name: row.config.get(name) for name in SETTINGS},
        "state": state and _state(line),
        **({} if figures is None else {"figures": _figures(line, figures)}),
        **({} if not told else {"commands": [_command(one) for one in told]}),
        **({} if not lines else {"log": [_log(one) for one in lines]}),
    }


def _state(line: "DeploymentLine") -> dict[str, Any]:
    state = line.state
    assert state is not None
    return {
        "seen": iso(state.beat_ts),
        "market_time": _instant(state.feed_ts),
        "last_tick": _instant(state.last_tick_ts),
        "next_tick": _instant(state.next_tick_ts),
        "equity": state.equity,
        "positions": state.positions,
        "ticks": state.counts,
        "stale": state.stale,
        "problem": state.last_error,
    }


def _figures(line: "DeploymentLine", figures: "AccountFigures") -> dict[str, Any]:
    equity = None if line.state is None else line.state.equity
    return {
        "start": figures.start_usd,
        "equity": equity,
        "return": _return(equity, figures.start_usd),
        "fills": figures.fills,
        "fees": figures.fees,
        "funding": figures.funding,
        "realized": figures.realized,
    }


def _command(one: "CommandRow") -> dict[str, Any]:
    return {
        "command_id": one.id,
        "kind": one.kind,
        "state": one.state,
        "sent": iso(one.created_ts),
        "result": one.result,
        "error": one.error,
    }


def _log(one: "KeptLog") -> dict[str, Any]:
    row = one.row
    return {"id": one.id, "at": iso(row.ts), "level": row.level, "event": row.event, "body": row.body}


def _instant(ts: int | None) -> str | None:
    return None if ts is None else iso(ts)


def _return(equity: Decimal | None, start: Decimal) -> float | None:
    return None if equity is None or not start else float(equity / start - 1)


# On a terminal.


def listing(lines: "Sequence[DeploymentLine]", everything: bool) -> "Table | str":
    """Deployments, newest first."""
    if not lines:
        more = "" if everything else " `agentic deployments --all` shows those that are over."
        return f"No deployment is open. Start one: agentic deploy SKILL --feed synthetic.{more}"
    table = plain_table()
    for name in ("Deployment", "Skill", "Feed", "Status"):
        table.add_column(name, no_wrap=name in ("Deployment", "Status"), overflow="fold")
    for name in ("Equity, USD", "Result", "Holds", "Last tick"):
        table.add_column(name, justify="left" if name == "Holds" else "right", overflow="fold")
    for line in lines:
        table.add_row(*_cells(line))
    return table


def _cells(line: "DeploymentLine") -> list[str]:
    row, state = line.row, line.state
    equity = None if state is None else state.equity
    return [
        short(row),
        f"{row.skill_name}@{row.skill_number}",
        row.feed,
        row.status.value,
        "" if equity is None else figure(equity, "usd"),
        "" if equity is None else figure(_return(equity, Decimal(row.config["cash"])), "percent"),
        _positions(state.positions) if state else "",
        minute(state.last_tick_ts) if state and state.last_tick_ts else "",
    ]


def deployed(line: "DeploymentLine", figures: "AccountFigures") -> str:
    """What a deployment came to once it is over, or how to go on with one that is not."""
    row = line.row
    if row.status is Status.FAILED:
        return f"It failed: {row.reason}. See agentic deployments show {short(row)}"
    if not row.status.is_over:
        return f"It is {row.status}. See agentic deployments show {short(row)}; stop it: agentic stop {short(row)}"
    return "\n".join((heading(line), *_account(line, figures), *_next(row)))


def shown(
    line: "DeploymentLine",
    figures: "AccountFigures",
    told: "Sequence[CommandRow]",
    lines: "Sequence[KeptLog]",
) -> "Group":
    """All of one deployment."""
    from rich.console import Group

    parts: list[Any] = [heading(line), *_standing(line), *_account(line, figures)]
    if told:
        parts += ["", "Told:", *(f"  {_in_a_line(one)}" for one in told)]
    if lines:
        parts += ["", "Log:", *(f"  {_log_line(one)}" for one in lines)]
    return Group(*parts, *_next(line.row))


def heading(line: "DeploymentLine") -> str:
    """What a deployment is: its Skill, its money, its market, its status."""
    row = line.row
    made_up = " (made-up prices)" if parse_feed(row.feed).kind == "synthetic" else ""
    why = f": {row.reason}" if row.reason else ""
    parts = (
        f"{row.skill_name}@{row.skill_number}",
        short(row),
        row.mode,
        f"{row.feed}{made_up}",
        f"{row.status}{why}",
    )
    return printable(" · ".join(parts))


def _standing(line: "DeploymentLine") -> Iterator[str]:
    state = line.state
    if state is None:
        yield "Nothing has been heard of it yet; `agentic up` carries deployments out."
        return
    ticks = ", ".join(f"{count:,} {name}" for name, count in sorted(state.counts.items()))
    market = "" if state.feed_ts is None else f", its market is at {iso(state.feed_ts)}"
    yield f"Last heard of {iso(state.beat_ts)}{market}"
    yield f"Ticks since it was started: {ticks or 'none'}" + (
        f"; next {iso(state.next_tick_ts)}" if state.next_tick_ts and not line.row.status.is_over else ""
    )
    if state.stale:
        yield f"No fresh price of {', '.join(state.stale)}"
    if state.last_error:
        yield printable(f"Last problem: {state.last_error}")


def _account(line: "DeploymentLine", figures: "AccountFigures") -> Iterator[str]:
    state = line.state
    equity = None if state is None else state.equity
    if equity is not None:
        result = figure(_return(equity, figures.start_usd), "percent")
        yield f"Equity {figure(equity, 'usd')} USD, {result} of {figure(figures.start_usd, 'usd')}"
    yield (
        f"{figures.fills:,} fills, {figure(figures.fees, 'usd')} USD of fees, "
        f"{figure(figures.funding, 'signed')} USD of funding"
    )
    held = {} if state is None else state.positions
    yield f"Holds {_positions(held) or 'nothing'}"


def _positions(held: dict[str, Any]) -> str:
    return ", ".join(f"{grouped(Decimal(size))} {symbol}" for symbol, size in sorted(held.items()))


def _next(row: "DeploymentRow") -> Iterator[str]:
    yield f"Why it did what it did: agentic decisions {short(row)}"
    yield f"Beside the simulator: agentic parity {short(row)}"


def _in_a_line(one: "CommandRow") -> str:
    why = f": {one.error}" if one.error else ""
    return printable(f"{iso(one.created_ts)} {one.kind} {one.state}{why}")


def _log_line(one: "KeptLog") -> str:
    row = one.row
    body = " ".join(f"{name}={value}" for name, value in row.body.items())
    return printable(f"{iso(row.ts)} {row.level:<7} {row.event} {body}".rstrip().replace("\n", " "))


def short(row: "DeploymentRow") -> str:
    """The end of an id, by which it can be named."""
    return str(row.id)[-SHORT_ID:]
