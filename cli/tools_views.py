"""What people see of tools on a terminal. What a server says of its tools is a stranger's text, never markup."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import printable
from control.tools import Approval, ToolLine
from domain.tools import PinnedTool, canonical_json

DIGEST_SHOWN = 12
_STYLES = {
    "new": "yellow",
    "changed": "red",
    "gone": "red",
    "refused": "red",
    "unreachable": "red",
    "built-in": "dim",
}


def listing(lines: list[ToolLine]) -> RenderableType:
    """All tools, then both texts of those that changed, and what can be done next."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("Tool", "State", "Digest", "What it says of itself"):
        table.add_column(head, overflow="fold")
    for line in lines:
        pinned = line.offered or line.approved
        digest = pinned.digest[:DIGEST_SHOWN] if pinned else ""
        says = line.note or (
            line.description.partition(". ")[0] if line.state == "built-in" else line.description
        )
        cells = (line.name, line.state, digest, says)
        table.add_row(*(Text(printable(cell)) for cell in cells), style=_STYLES.get(line.state, ""))
    changed = [text for line in lines if line.state == "changed" for text in _changed(line)]
    waiting = sorted({line.name.partition(".")[0] for line in lines if line.state in ("new", "changed")})
    steps = [f"Approve what you have read: agentic tools approve {server} TOOL…" for server in waiting]
    return Group(table, *changed, *(["", *steps] if steps else []))


def _changed(line: ToolLine) -> Iterator[Text]:
    assert line.approved is not None
    assert line.offered is not None
    yield from (Text(), Text(f"{line.name} has changed since you approved it:"))
    yield from _change(line.approved, line.offered)


def approvals(done: list[Approval]) -> RenderableType:
    """What was approved, word for word, beside what was before."""
    return Group(*(text for approval in done for text in _approval(approval)))


def _approval(approval: Approval) -> Iterator[Text]:
    tool, before = approval.tool, approval.before
    yield Text(f"Approved {tool.full_name} ({tool.digest[:DIGEST_SHOWN]}).")
    if before is None or before.digest == tool.digest:
        yield from _texts(tool, "  ")
    else:
        yield from _change(before, tool)


def _change(before: PinnedTool, after: PinnedTool) -> Iterator[Text]:
    """Old and new, word for word; where they read the same, that is what is strange."""
    yield from _texts(before, "- ", "red")
    yield from _texts(after, "+ ", "green")
    if (before.description, before.schema) == (after.description, after.schema):
        yield Text(
            "  Both read the same: what differs are characters that can't be seen, or the place of the instant."
        )


def _texts(tool: PinnedTool, mark: str, style: str = "") -> Iterator[Text]:
    for line in [*tool.description.splitlines(), f"takes {canonical_json(tool.schema).decode()}"]:
        yield Text(printable(mark + line), style=style)
