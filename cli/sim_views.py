"""How runs look on a terminal: the result of one, a list of many, several side by side."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cli.figures import figure, plain_table
from domain.time import DAY_MS, iso

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group, JustifyMethod
    from rich.table import Table

    from control.estimate import Estimate
    from db.runs import RunRow
    from simulator.record import Beside

SHORT_ID = 8
"""How many of an id's last characters name a run; the first ones are the time, and alike."""

LISTED = ("Run", "Skill", "From", "To", "Result", "Hold", "Sharpe", "Drop", "Trades")
FIRST_TO_GO = ("Drop", "Sharpe", "Trades", "Hold")
"""The columns that are left out where all do not fit, in this order; after them, names take several lines."""

MADE_UP, MASKED = "*", "†"
NOTES = {MADE_UP: "on made-up data", MASKED: "masked: names, dates and price levels were hidden"}

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

NET = ("Net return", "net_return", "net")
"""What is left of the total return after inference."""

SETTINGS = (
    ("Cash, USD", "cash"),
    ("Costs", "costs"),
    ("Funding", "funding"),
    ("Seed", "seed"),
    ("Execution bars", "execution_interval"),
    ("Sample", "sample"),
    ("Masked", "mask"),
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
    ("Inference, USD", "inference_cost", "cost"),
)
"""The figures that a run has alone."""


RESUMABLE = ("queued", "interrupted", "failed", "cancelled")
BY_HAND = "stopped by hand"
"""Why a run was interrupted with Ctrl-C, as it is kept; there is nothing to put right."""


def result(row: "RunRow", beside: "Beside | None" = None) -> "Group | str":
    """A finished run: its figures beside those of buying and holding, and of staying flat.

    A model's run also says what may be memory, what its thinking took, and what the runs `beside` it came to.
    """
    from rich.console import Group

    from cli import thinking_views
    from simulator.report.words import reach_of_a_year

    if row.metrics is None:
        why = f": {row.error}" if row.error else ""
        return f"run {row.id} is {status(row)}{why}{_what_now(row)}"
    table = plain_table()
    table.add_column("", no_wrap=True, min_width=22)
    for name in ("Skill", "Buy and hold", "Stay flat"):
        table.add_column(name, justify="right", no_wrap=True)
    others = row.metrics["baselines"]
    columns = [row.metrics, others["buy-and-hold"], others["flat"]]
    if row.metrics["inference_cost"] != "0":
        paid_nothing = (figure(column["total_return"], "percent") for column in columns[1:])
        table.add_row(NET[0], figure(row.metrics[NET[1]], NET[2]), *paid_nothing)
    for label, key, form in FIGURES:
        table.add_row(label, *(figure(column[key], form) for column in columns))
    table.add_section()
    for label, key, form in COUNTS:
        table.add_row(label, figure(row.metrics[key], form))
        if key == "refused":
            for cap, count in row.metrics["refusals"].items():
                table.add_row(f"  by {cap}", f"{count:,}")
    reach = reach_of_a_year(row.config["to_ts"] - row.config["from_ts"])
    annual = [f"Annualised figures reach far. {reach}"] if reach and row.metrics["fills"] else []
    parts = [table, *annual, *thinking_views.of_run(row), *thinking_views.of_batch(row, beside)]
    spaced = [each for part in parts for each in ("", part)]
    return Group(heading(row), *thinking_views.warnings(row), *spaced[1:])


def _what_now(row: "RunRow") -> str:
    """How a run without a result may come to one, in a line of its own."""
    if row.status == "running" or (row.status == "queued" and row.queued_ts is not None):
        return f"\n`agentic sim watch {short(row)}` follows it"
    once = "once that is put right, " if row.error and row.error != BY_HAND else ""
    return f"\n{once}`agentic sim resume {short(row)}` goes on with it" if row.status in RESUMABLE else ""


def listing(rows: "Sequence[RunRow]") -> "Listing | str":
    """Runs, newest first; where one has no result, its status stands instead."""
    return Listing(rows) if rows else "There are no runs yet. Start one: agentic sim run SKILL"


class Listing:
    """A table of runs that leaves columns out before it breaks a name, and says what its marks mean."""

    def __init__(self, rows: "Sequence[RunRow]") -> None:
        paid = any(_was_paid_for(row) for row in rows)
        self._names = (*LISTED, "Cost") if paid else LISTED
        self._lines = [dict(zip((*LISTED, "Cost"), _cells(row), strict=True)) for row in rows]
        marks = "".join(_marks(row) for row in rows)
        self._notes = [f"{mark} {meaning}" for mark, meaning in NOTES.items() if mark in marks]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Table | str]":
        names = list(self._names)
        for name in FIRST_TO_GO:
            if sum(map(self._width, names)) + len(names) - 1 > options.max_width:
                names.remove(name)
        table = plain_table()
        for name in names:
            is_name = name == "Skill"
            justify: JustifyMethod = "left" if name in ("Run", "Skill", "From", "To") else "right"
            width = None if is_name else self._width(name)
            table.add_column(name, justify=justify, no_wrap=not is_name, min_width=width, overflow="fold")
        for line in self._lines:
            table.add_row(*(line[name] for name in names))
        yield table
        yield from self._notes

    def _width(self, name: str) -> int:
        return max(len(name), *(len(line[name]) for line in self._lines))


def _cells(row: "RunRow") -> list[str]:
    return [
        short(row),
        f"{row.skill_name}@{row.skill_number}",
        instant(row.config["from_ts"])[:10],
        instant(row.config["to_ts"])[:10],
        *_outcome(row),
        "" if row.metrics is None else figure(row.metrics["inference_cost"], "cost"),
    ]


def _marks(row: "RunRow") -> str:
    return (MADE_UP if row.is_synthetic else "") + (MASKED if row.config.get("mask") else "")


def _outcome(row: "RunRow") -> list[str]:
    """Return, the return of holding, Sharpe, the largest drawdown, trades; or how far a run came."""
    found = row.metrics
    if found is None:
        return [status(row) + _marks(row), "", "", "", ""]
    hold = found["baselines"]["buy-and-hold"]["total_return"]
    return [
        figure(found["total_return"], "rough") + _marks(row),
        figure(hold, "rough"),
        figure(found["sharpe"], "number"),
        figure(found["max_drawdown"], "rough"),
        figure(found["trades"], "count"),
    ]


def _was_paid_for(row: "RunRow") -> bool:
    """Whether a finished run's thinking cost something, be it unknown how much."""
    return row.metrics is not None and row.metrics["inference_cost"] != "0"


def plainly(value: Any) -> str:
    """A setting of a run in a word."""
    words = {True: "on", False: "off", None: "the finest"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def comparison(rows: "Sequence[RunRow]") -> "Table":
    """Finished runs side by side, a column each."""
    table = plain_table()
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
    for label, key, form in (NET, *FIGURES, *COUNTS):
        table.add_row(
            label, *("–" if row.metrics is None else figure(row.metrics[key], form) for row in rows)
        )
    return table


def heading(row: "RunRow") -> str:
    """What a run was about: its Skill, its symbols, its period, and whether the data were made up."""
    parts = [f"{row.skill_name}@{row.skill_number}"]
    if row.manifest:
        parts.append(", ".join(row.manifest["skill"]["market"]["symbols"]))
    parts.append(f"{instant(row.config['from_ts'])} to {instant(row.config['to_ts'])}")
    if row.is_synthetic:
        parts.append("made-up data")
    if row.config.get("mask"):
        parts.append("masked")
    return " · ".join(parts)


def short(row: "RunRow") -> str:
    """The end of a run's id, by which it can be named."""
    return str(row.id)[-SHORT_ID:]


def instant(ts: int) -> str:
    """An instant as people read it: a date, with the minute unless it is midnight."""
    return iso(ts)[:10] if ts % DAY_MS == 0 else iso(ts)[:16].replace("T", " ")


def status(row: "RunRow") -> str:
    """A run's status; while it runs, or goes on in its turn, how far it is."""
    is_under_way = row.status == "running" or (row.status == "queued" and row.progress > 0)
    return f"{row.status} {row.progress:.0%}" if is_under_way else row.status


def estimated(found: "Estimate") -> str:
    """What a run would probably cost."""
    runs = "one run" if found.runs == 1 else f"{found.runs} runs"
    if not found.calls:
        return f"{runs} of {found.ticks:,} ticks: no model is asked, so it costs nothing"
    how = (
        "measured on a run of this version"
        if found.is_measured
        else "guessed from the contexts of a few ticks"
    )
    cost = (
        "cost unknown: the price of its model is not known, so no budget in USD can hold it"
        if found.cost_usd is None
        else f"probably {figure(found.cost_usd, 'usd')} USD, at most {figure(found.most_usd, 'usd')}"
    )
    usage = found.usage
    return "\n".join(
        (
            f"{runs} of {found.ticks:,} ticks, {found.calls:.1f} calls a tick, {how}",
            f"{usage.prompt:,} tokens in, of them {usage.cache_read:,} from the cache; {usage.output:,} out, a tick",
            cost,
        )
    )
