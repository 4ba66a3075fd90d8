"""How runs look on a terminal: the result of one, a list of many, several side by side."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain.time import DAY_MS, iso

if TYPE_CHECKING:
    from rich.table import Table

    from db.runs import RunRow

SHORT_ID = 8
"""How many of an id's last characters name a run; the first ones are the time, and alike."""

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


def result(row: "RunRow") -> "Table | str":
    """A finished run: its figures beside those of buying and holding, and of staying flat."""
    from rich.table import Table

    if row.metrics is None:
        return f"run {row.id} is {row.status}{f': {row.error}' if row.error else ''}"
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(heading(row), min_width=30)
    beside = row.metrics["baselines"]
    columns = [row.metrics, beside["buy-and-hold"], beside["flat"]]
    for name in (f"{row.skill_name}@{row.skill_number}", "buy and hold", "stay flat"):
        table.add_column(name, justify="right")
    for label, key, form in FIGURES:
        table.add_row(label, *(figure(column[key], form) for column in columns))
    table.add_section()
    for label, key, form in COUNTS:
        table.add_row(label, figure(row.metrics[key], form))
    for cap, count in row.metrics["refusals"].items():
        table.add_row(f"  refused by {cap}", f"{count:,}")
    return table


def listing(rows: "Sequence[RunRow]") -> "Table | str":
    """Runs, newest first."""
    from rich.table import Table

    if not rows:
        return "There are no runs yet. Start one: agentic sim run SKILL"
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("Run", "Skill", "From", "To", "Status"):
        table.add_column(name, no_wrap=True)
    for name in ("Return", "Hold", "Sharpe", "Drawdown", "Trades"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        found = row.metrics or {}
        hold = (found.get("baselines") or {}).get("buy-and-hold", {})
        table.add_row(
            str(row.id)[-SHORT_ID:],
            f"{row.skill_name}@{row.skill_number}",
            instant(row.config["from_ts"]),
            instant(row.config["to_ts"]),
            status(row),
            *(figure(found.get(key), form) if found else "" for key, form in (("total_return", "percent"),)),
            figure(hold.get("total_return"), "percent") if found else "",
            figure(found.get("sharpe"), "number") if found else "",
            figure(found.get("max_drawdown"), "percent") if found else "",
            figure(found.get("trades"), "count") if found else "",
        )
    return table


def comparison(rows: "Sequence[RunRow]") -> "Table":
    """Finished runs side by side, a column each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for row in rows:
        table.add_column(f"{row.skill_name}@{row.skill_number}\n{str(row.id)[-SHORT_ID:]}", justify="right")
    for label, key in (("From", "from_ts"), ("To", "to_ts")):
        table.add_row(label, *(instant(row.config[key]) for row in rows))
    for label, key, form in (*FIGURES, *COUNTS):
        table.add_row(label, *(figure((row.metrics or {}).get(key), form) for row in rows))
    return table


def heading(row: "RunRow") -> str:
    """What a run was about: its symbols and its period."""
    symbols = ", ".join(row.manifest["skill"]["market"]["symbols"]) if row.manifest else row.skill_name
    return f"{symbols}, {instant(row.config['from_ts'])} to {instant(row.config['to_ts'])}"


def instant(ts: int) -> str:
    """An instant as people read it: a date, with the minute unless it is midnight."""
    return iso(ts)[:10] if ts % DAY_MS == 0 else iso(ts)[:16].replace("T", " ")


def status(row: "RunRow") -> str:
    """A run's status; while it runs, how far it is."""
    return f"{row.status} {row.progress:.0%}" if row.status == "running" else row.status


def figure(value: Any, form: str) -> str:
    """A figure as people read it: a change in percent has its sign, a share has none, what is undefined is a dash."""
    if value is None:
        return "–"
    number = Decimal(str(value))
    forms = {"percent": f"{number * 100:+,.2f}%", "share": f"{number * 100:,.2f}%", "count": f"{number:,.0f}"}
    return forms.get(form, f"{number:,.2f}").replace("-", "−").replace("+0.00%", "0.00%")
