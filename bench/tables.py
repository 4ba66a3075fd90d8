"""The records as Markdown tables, and their place in docs/performance.md."""

from collections.abc import Mapping, Sequence

from bench.chores import Done
from bench.jobs import NAUTILUS, Record
from bench.measure import middle
from bench.verdicts import Goal

BEGIN = "<!-- made by `make bench ARGS=--write`: from here -->"
END = "<!-- made by `make bench ARGS=--write`: to here -->"
JOBS = (BEGIN, END)
THINKING = (BEGIN.replace("made", "thinking, made"), END.replace("made", "thinking, made"))
KERNEL = (BEGIN.replace("made", "kernel, made"), END.replace("made", "kernel, made"))
STORES = (BEGIN.replace("made", "stores, made"), END.replace("made", "stores, made"))
DEPLOYED = (BEGIN.replace("made", "deployments, made"), END.replace("made", "deployments, made"))
"""The markers around each part of the page that is written."""


def jobs_table(records: Sequence[Record], missing: Mapping[str, str], bars: int) -> str:
    """Show one size: medians over the rounds, the fastest loop first, and ratios to NautilusTrader."""
    at = [record for record in records if record.bars == bars]
    by_job: dict[str, list[Record]] = {}
    for record in at:
        by_job.setdefault(record.job, []).append(record)
    base = by_job.get(NAUTILUS, [])
    rows = sorted(by_job.items(), key=lambda item: -_rate(item[1]))
    head = [
        "",
        "loop, bars/s",
        f"× {NAUTILUS}",
        "process, s",
        f"× {NAUTILUS}",
        "CPU, s",
        "peak MB",
        "orders",
        "final equity",
    ]
    lines = [_job_row(name, own, base) for name, own in rows]
    lines += [[name, f"not available: {reason}", *[""] * 7] for name, reason in missing.items()]
    return f"### {bars:,} bars\n\n{markdown(head, lines)}\n\n{_noise(at)}"


def _rate(records: Sequence[Record]) -> float:
    return middle([record.bars_per_s for record in records])[0]


def _job_row(name: str, own: Sequence[Record], base: Sequence[Record]) -> list[str]:
    version = own[0].outcome.version
    rate, least, most = middle([record.bars_per_s for record in own])
    wall, shortest, longest = middle([record.process.wall_s for record in own])
    rate_ratio = wall_ratio = ""
    if base:
        rate_ratio = f"{rate / _rate(base):.2f}"
        wall_ratio = f"{middle([record.process.wall_s for record in base])[0] / wall:.2f}"
    return [
        f"{name} {version}".strip(),
        f"{rate:,.0f} ({least:,.0f}–{most:,.0f})",
        rate_ratio,
        f"{wall:.2f} ({shortest:.2f}–{longest:.2f})",
        wall_ratio,
        f"{middle([record.process.cpu_s for record in own])[0]:.2f}",
        f"{middle([record.process.peak_mb for record in own])[0]:,.0f}",
        f"{own[0].outcome.orders:,}",
        f"{own[0].outcome.final_equity:,.4f}",
    ]


def _noise(records: Sequence[Record]) -> str:
    if not records:
        return "Nothing was measured."
    usual, least, most = middle([record.calibration_ms for record in records])
    load = middle([record.load for record in records])[0]
    rounds = max(sum(record.job == other.job for other in records) for record in records)
    return (
        f"Rounds: {rounds}; calibration loop {usual:.1f} ms ({least:.1f}–{most:.1f}); load average {load:.1f} "
        "before a run."
    )


def chores_table(done: Sequence[Done]) -> str:
    """Show each chore beside its limit, or why there is nothing to show."""
    return markdown(["", "s", "goal", "limit", "s", "×"], [_chore_row(one) for one in done])


def _chore_row(done: Done) -> list[str]:
    chore = done.chore
    if done.reason:
        return [chore.name, f"not available: {done.reason}", "", chore.limit_name, "", ""]
    ours, limit = middle(done.ours_s), middle(done.limit_s)
    goal = f"< {chore.goal_s:g}, {'held' if ours[0] < chore.goal_s else 'MISSED'}"
    return [chore.name, _spread(ours), goal, chore.limit_name, _spread(limit), f"{ours[0] / limit[0]:.1f}"]


def _spread(values: tuple[float, float, float]) -> str:
    digits = 2 if values[2] >= 0.1 else 4
    return "{:.{d}f} ({:.{d}f}–{:.{d}f})".format(*values, d=digits)


def goals_table(goals: Sequence[Goal]) -> str:
    """Show the goals and whether each was held."""
    lines = [[goal.what, goal.wanted, goal.found, "held" if goal.is_held else "MISSED"] for goal in goals]
    return markdown(["goal", "wanted", "found", ""], lines)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table; a cell's own bars are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def put_between_markers(document: str, text: str, markers: tuple[str, str] = JOBS) -> str:
    """Replace what stands between the two markers. Raises ValueError when they are not there, once, in order."""
    begin, end = markers
    before, begun, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended or begin in after or end in after:
        raise ValueError(f"the document must have the line {begin} and below it the line {end}, once each")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"
