"""What people see of Skills on a terminal."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import printable
from control.skill_check import CapLine, SkillReport
from control.skills import Saved
from db.skills import SkillRow, VersionRow
from domain.time import iso
from skills.diff import Change

DIGEST_SHOWN = 12


def report(found: SkillReport, file: Path) -> RenderableType:
    """A checked file: its remarks first, what it is, when it ticks, and every cap with whose it is."""
    remarks = [_remark(file, remark.line, remark.path, remark.message) for remark in found.remarks]
    facts = _table("", "")
    facts.show_header = False
    facts.add_row("Skill", f"{found.name}, {found.description}")
    facts.add_row("Model", found.model)
    facts.add_row("Sees", f"{', '.join(found.symbols)} in bars of {found.interval}")
    facts.add_row("May call", ", ".join(found.tools) or "nothing")
    facts.add_row("Ticks", f"{found.schedule}; next {', '.join(map(iso, found.next_ticks_ts)) or 'never'}")
    facts.add_row("Digest", found.digest)
    verdict = f"{file} can be saved: agentic skill save {file}"
    return Group(*remarks, facts, "", _caps(found.caps), "", verdict)


def saved(done: Saved) -> str:
    """What saving came to."""
    what = "Saved" if done.is_new else "Nothing new, it says the same as"
    return f"{what} {done.name}@{done.version} ({done.digest[:DIGEST_SHOWN]})."


def listing(rows: list[SkillRow]) -> RenderableType:
    """The saved Skills, or what to do when there are none."""
    if not rows:
        return "No Skill is saved yet. Start one: agentic skill new btc-trend"
    table = _table("Skill", "Newest", "Digest", "Since")
    for row in rows:
        name = row.name if row.archived_ts is None else f"{row.name} (in the archive)"
        digest = (row.latest_digest or "")[:DIGEST_SHOWN]
        table.add_row(name, f"@{row.latest_number}", digest, iso(row.created_ts // 1000 * 1000))
    return table


def version(row: VersionRow, every: list[VersionRow]) -> RenderableType:
    """One version: the versions there are, then its file as it is kept."""
    table = _table("", "Version", "Digest", "Saved")
    for each in every:
        mark = ">" if each.id == row.id else ""
        saved_at = iso(each.created_ts // 1000 * 1000)
        table.add_row(mark, f"{each.name}@{each.number}", each.digest[:DIGEST_SHOWN], saved_at)
    return Group(table, "", Text(row.body.removesuffix("\n")))


def changes(found: list[Change], before: str, after: str) -> RenderableType:
    """What changed: a line for each key, and the prompt's lines."""
    if not found:
        return f"{before} and {after} say the same."
    return Group(*(line for change in found for line in _change(change)))


def _change(change: Change) -> Iterator[RenderableType]:
    if change.diff:
        yield Text("prompt:")
        yield from (Text(f"  {line}", style=_diff_style(line)) for line in change.diff.split("\n")[2:])
    else:
        yield Text(f"{change.path}: {change.before or 'nothing'} → {change.after or 'nothing'}")


def _diff_style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")


def _caps(caps: list[CapLine]) -> Table:
    table = _table("Cap", "Holds at", "Because")
    for cap in caps:
        match cap.origin:
            case "platform":
                because = f"the platform is tighter than the Skill's {_shown(cap.asked)}"
            case "skill":
                because = "the Skill says so"
            case _:
                because = "default"
        table.add_row(cap.name, _shown(cap.value), because, style="dim" if cap.origin == "default" else "")
    return table


def _shown(value: str | None) -> str:
    return "no such cap" if value is None else value


def _remark(file: Path, line: int | None, path: str, message: str) -> Text:
    place = f"{file}:{line}" if line else str(file)
    return Text(printable(f"warning: {place}: {path} {message}"), style="yellow")


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
