"""How processes and their children look on a terminal."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from cli.figures import plain_table
from cli.output import printable
from cli.running import Process
from domain.time import iso
from simulator.report.words import cut, plural, span
from supervisor.children import ChildView, State

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

LONGEST_ERROR = 80
_STYLES = {
    State.STARTING: "yellow",
    State.WAITING: "yellow",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
    State.FINISHED: "dim",
    State.FAILED: "bold red",
    State.LEFT_BEHIND: "bold red",
}
_HEADS = ("Child", "Group", "State", "For", "Restarts", "Waiting", "Oldest", "In hand", "Last error")
_RIGHT = ("Restarts", "Waiting", "Oldest")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A process in a few lines. `states` counts its children by their state."""

    host: str
    pid: int
    groups: list[str]
    started_ts: int
    seen_ts: int
    is_here: bool
    is_draining: bool
    states: dict[str, int]
    restarts: int
    problems: list[str]


def trees(processes: list[Process]) -> "Group":
    """Each process, and a line for each of its children."""
    from rich.console import Group

    shown: list[Any] = []
    for process in processes:
        shown += [_head(process), _table(process)]
        if process.left_out:
            shown.append(f"… and {process.left_out} more, which it shows on its own machine")
        shown.append("")
    return Group(*shown[:-1])


def summary(process: Process) -> Summary:
    """Count what there is to be counted of a process."""
    return Summary(
        host=process.host,
        pid=process.pid,
        groups=process.groups,
        started_ts=process.started_ts,
        seen_ts=process.seen_ts,
        is_here=process.is_here,
        is_draining=process.is_draining,
        states=dict(Counter(child.state.value for child in process.children)),
        restarts=sum(child.restarts for child in process.children),
        problems=process.problems,
    )


def summaries(found: list[Summary]) -> str:
    """All processes in a few lines each, and what is wrong with them."""
    return "\n\n".join("\n".join(_lines(one)) for one in found)


def ended(done: dict[str, Any]) -> str:
    """What came of stopping everything."""
    return "\n".join([*(f"Process {pid} has ended." for pid in done["stopped"]), *done["left"]])


def _lines(one: Summary) -> list[str]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(one.states.items()))
    lines = [
        f"{_place(one)} is up since {iso(one.started_ts // 1000 * 1000)} ({span(one.seen_ts - one.started_ts)})",
        f"  groups    {', '.join(one.groups)}",
        f"  children  {states or 'none'}; {plural(one.restarts, 'restart')}",
    ]
    problems = [f"  - {problem}" for problem in one.problems]
    return [*lines, "  problems  none"] if not problems else [*lines, "  problems", *problems]


def _place(one: Process | Summary) -> str:
    place = f"Process {one.pid} on {one.host}"
    return place if one.is_here else f"{place} (as it last showed itself, {iso(one.seen_ts // 1000 * 1000)})"


def _head(process: Process) -> str:
    ending = ", ending" if process.is_draining else ""
    up = span(process.seen_ts - process.started_ts)
    return f"{_place(process)}: {', '.join(process.groups)}, up {up}{ending}"


def _table(process: Process) -> "Table":
    from rich.text import Text

    table = plain_table()
    for head in _HEADS:
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=head != "Last error")
    for child in process.children:
        cells = _cells(child, process.seen_ts)
        table.add_row(*(Text(printable(cell)) for cell in cells), style=_STYLES.get(child.state, ""))
    return table


def _cells(child: ChildView, now_ts: int) -> tuple[str, ...]:
    is_actor = child.kind == "actor"
    return (
        child.name,
        child.group,
        child.state,
        span(max(0, now_ts - child.since_ts)),
        str(child.restarts),
        str(child.depth) if is_actor else "",
        "" if child.oldest_ms is None else span(child.oldest_ms),
        f"{child.in_hand} ({span(child.in_hand_ms)})"
        if child.in_hand and child.in_hand_ms is not None
        else "",
        cut(child.last_error or "", LONGEST_ERROR),
    )
