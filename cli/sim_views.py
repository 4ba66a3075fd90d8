"""How runs look on a terminal: the result of one, a list of many, several side by side."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain.time import DAY_MS, iso

if TYPE_CHECKING:
    from rich.console import Group, JustifyMethod
    from rich.table import Table

    from db.runs import RunRow

SHORT_ID = 8
"""How many of an id's last characters name a run; the first ones are the time, and alike."""

LISTED = ("Run", "Skill", "From", "To", "Result", "Hold", "Sharpe", "Drop", "Trades")

MADE_UP = "*"
MADE_UP_NOTE = f"{MADE_UP} on made-up data"

FIGURES = (
    ("Total return", "total_return", "percent"),
    ("Annual return", "annual_return", "percent"),
    ("Volatility", "volatility", "share"),
    ("Sharpe", "sharpe", "number"),
    ("Sortino", "sortino", "number"),
    ("Calmar", "calmar", "number"),
    ("Max drawdown", "max_drawdown", "percent"),
    ("Final equity, USD", "final_equity", "usd"),
)
"""The figures that a run shares with its baselines."""

LARGEST = 10_000
"""No larger gain, as a multiple, is written out: that of an hour, annualised, may have eighty digits."""

SETTINGS = (
    ("Cash, USD", "cash"),
    ("Costs", "costs"),
    ("Funding", "funding"),
    ("Seed", "seed"),
    ("Execution bars", "execution_interval"),
)
"""What may differ between runs besides the Skill and the period; a comparison shows what does."""

COUNTS = (
    ("Trades", "trades", "count"),
    ("Fills", "fills", "count"),
    ("Win rate", "win_rate", "share"),
    ("Profit factor", "profit_factor", "number"),
    ("Exposure", "exposure", "share"),
    ("Refused", "refused", "count"),
    ("Liquidations", "liquidations", "count"),
    ("Fees, USD", "fees", "usd"),
    ("Slippage, USD", "slippage", "usd"),
    ("Funding, USD", "funding", "usd"),
)
"""The figures that a run has alone."""


RESUMABLE = ("interrupted", "failed", "cancelled")


def result(row: "RunRow") -> "Group | str":
    """A finished run: its figures beside those of buying and holding, and of staying flat."""
    from rich.console import Group

    if row.metrics is None:
        why = f": {row.error}" if row.error else ""
        how = f"\n`agentic sim resume {short(row)}` goes on with it" if row.status in RESUMABLE else ""
        return f"run {row.id} is {status(row)}{why}{how}"
    table = _table()
    table.add_column("", no_wrap=True, min_width=22)
    for name in ("Skill", "Buy and hold", "Stay flat"):
        table.add_column(name, justify="right", no_wrap=True)
    beside = row.metrics["baselines"]
    columns = [row.metrics, beside["buy-and-hold"], beside["flat"]]
    for label, key, form in FIGURES:
        table.add_row(label, *(figure(column[key], form) for column in columns))
    table.add_section()
    for label, key, form in COUNTS:
        table.add_row(label, figure(row.metrics[key], form))
    for cap, count in row.metrics["refusals"].items():
        table.add_row(f"  by {cap}", f"{count:,}")
    return Group(heading(row), table)


def listing(rows: "Sequence[RunRow]") -> "Group | Table | str":
    """Runs, newest first; where one has no result, its status stands instead."""
    from rich.console import Group

    if not rows:
        return "There are no runs yet. Start one: agentic sim run SKILL"
    lines = [
        [
            short(row),
            f"{row.skill_name}@{row.skill_number}",
            instant(row.config["from_ts"])[:10],
            instant(row.config["to_ts"])[:10],
            *_outcome(row),
        ]
        for row in rows
    ]
    table = _table()
    for number, name in enumerate(LISTED):
        is_name = name == "Skill"  # where it is narrow, names take several lines
        width = None if is_name else max(len(line[number]) for line in lines)
        justify: JustifyMethod = "left" if number < LISTED.index("Result") else "right"
        table.add_column(name, justify=justify, no_wrap=not is_name, min_width=width, overflow="fold")
    for line in lines:
        table.add_row(*line)
    return Group(table, MADE_UP_NOTE) if any(row.is_synthetic for row in rows) else table


def _outcome(row: "RunRow") -> list[str]:
    """Return, the return of holding, Sharpe, the largest drawdown, trades; or how far a run came."""
    found = row.metrics
    if found is None:
        return [status(row), "", "", "", ""]
    hold = found["baselines"]["buy-and-hold"]["total_return"]
    return [
        figure(found["total_return"], "rough") + (MADE_UP if row.is_synthetic else ""),
        figure(hold, "rough"),
        figure(found["sharpe"], "number"),
        figure(found["max_drawdown"], "rough"),
        figure(found["trades"], "count"),
    ]


def plainly(value: Any) -> str:
    """A setting of a run in a word."""
    words = {True: "on", False: "off", None: "the finest"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def comparison(rows: "Sequence[RunRow]") -> "Table":
    """Finished runs side by side, a column each."""
    table = _table()
    table.add_column("", no_wrap=True)
    for row in rows:
        table.add_column(f"{row.skill_name}@{row.skill_number}\n{short(row)}", justify="right")
    for label, key in (("From", "from_ts"), ("To", "to_ts")):
        table.add_row(label, *(instant(row.config[key]) for row in rows))
    for label, key in SETTINGS:
        values = [plainly(row.config.get(key)) for row in rows]
        if len(set(values)) > 1:
            table.add_row(label, *values)
    if any(row.is_synthetic for row in rows):
        table.add_row("Data", *("made up" if row.is_synthetic else "recorded" for row in rows))
    for label, key, form in (*FIGURES, *COUNTS):
        table.add_row(label, *(figure((row.metrics or {}).get(key), form) for row in rows))
    return table


def heading(row: "RunRow") -> str:
    """What a run was about: its Skill, its symbols, its period, and whether the data were made up."""
    parts = [f"{row.skill_name}@{row.skill_number}"]
    if row.manifest:
        parts.append(", ".join(row.manifest["skill"]["market"]["symbols"]))
    parts.append(f"{instant(row.config['from_ts'])} to {instant(row.config['to_ts'])}")
    if row.is_synthetic:
        parts.append("made-up data")
    return " · ".join(parts)


def short(row: "RunRow") -> str:
    """The end of a run's id, by which it can be named."""
    return str(row.id)[-SHORT_ID:]


def _table() -> "Table":
    from rich.table import Table

    return Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")


def instant(ts: int) -> str:
    """An instant as people read it: a date, with the minute unless it is midnight."""
    return iso(ts)[:10] if ts % DAY_MS == 0 else iso(ts)[:16].replace("T", " ")


def status(row: "RunRow") -> str:
    """A run's status; while it runs, how far it is."""
    return f"{row.status} {row.progress:.0%}" if row.status == "running" else row.status


def figure(value: Any, form: str) -> str:
    """A figure as people read it: a change has its sign, a share has none, what is undefined is a dash."""
    if value is None:
        return "–"
    if form == "percent" and value > LARGEST:
        return f"over +{LARGEST * 100:,}%"
    number = Decimal(str(value))
    forms = {
        "percent": f"{number * 100:+,.2f}%",
        "rough": f"{number * 100:+,.1f}%",
        "share": f"{number * 100:,.2f}%",
        "count": f"{number:,.0f}",
    }
    text = forms.get(form, f"{number:,.2f}")
    return (text if text.strip("+-0.%") else text.lstrip("+-")).replace("-", "−")
