"""How a model's run looks on a terminal: what it may remember, what thinking took, and the runs made beside it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cli.figures import figure, plain_table
from domain.time import iso

if TYPE_CHECKING:
    from rich.table import Table

    from db.runs import RunRow
    from simulator.record import Beside

SIDE = (
    ("Total return", "total_return", "percent"),
    ("Sharpe", "sharpe", "number"),
    ("Volatility", "volatility", "share"),
    ("Max drawdown", "max_drawdown", "percent"),
)
"""The figures of a side of the cutoff that it shares with buying and holding."""

THINKING = (
    ("Calls", "calls", "count"),
    ("Cost of a tick, USD", "cost_per_tick", "cost"),
    ("Cost of a trade, USD", "cost_per_trade", "cost"),
    ("Failed ticks", "failed_ticks", "count"),
)

COMPARED = (
    ("Net return", "net_return", "net", "points"),
    ("Total return", "total_return", "percent", "points"),
    ("Sharpe", "sharpe", "number", "signed"),
    ("Max drawdown", "max_drawdown", "percent", "points"),
    ("Trades", "trades", "tally", "signed_tally"),
)
"""The figures of a batch: how each is written, and how a difference of two is."""


def warnings(row: "RunRow") -> Iterator[str]:
    """What must be read before any figure: how much its model may remember, and how often it decided nothing."""
    from simulator.cutoff import warning

    metrics = row.metrics or {}
    split, thought = metrics.get("split"), metrics.get("inference", {})
    told = warning(split["share_before"], _cutoff(row)) if split else None
    if told:
        yield " ".join(told)
    if failed := thought.get("failed_ticks"):
        why = f"`agentic decisions {str(row.id)[-8:]}` says why"
        yield f"{failed:,} of {thought['ticks']:,} ticks failed. No decision was made there; {why}."


def _cutoff(row: "RunRow") -> int | None:
    """The real cutoff: a masked run's own figures have one as much later as all else of it."""
    cutoff_ts: int | None = row.config.get("cutoff_ts")
    return cutoff_ts


def of_run(row: "RunRow") -> Iterator["Table"]:
    """The tables of a run that thought; none for a baseline's."""
    found = row.metrics or {}
    if split := found.get("split"):
        yield from _sides(split, _cutoff(row))
    if found.get("inference", {}).get("calls"):
        yield _thinking(found["inference"])


def _sides(split: Mapping[str, Any], cutoff_ts: int | None) -> Iterator["Table"]:
    """Both sides of the cutoff, or the only one there is, each beside buying and holding."""
    day = "" if cutoff_ts is None else iso(cutoff_ts)[:10]
    names = {"before": f"Before {day}" if day else "All, may be memory", "after": f"From {day}"}
    there = [(names[name], split[name]) for name in names if split[name]]
    if not there:
        return
    table = plain_table()
    table.add_column("Split at the cutoff", no_wrap=True, min_width=22)
    for name, _ in there:
        table.add_column(name, justify="right")
        table.add_column("Hold", justify="right")
    for label, key, form in SIDE:
        curves = [curve for _, side in there for curve in (side, side["hold"])]
        table.add_row(label, *(figure(curve[key], form) if curve else "" for curve in curves))
    for label, key, form in (("Trades", "trades", "count"), ("Share of the run", "share", "share")):
        table.add_row(label, *(text for _, side in there for text in (figure(side[key], form), "")))
    yield table


def _thinking(found: Mapping[str, Any]) -> "Table":
    """Calls, tokens, costs, and how often something was malformed or ended early."""
    usage = found["usage"]
    table = plain_table()
    table.add_column("Thinking", no_wrap=True, min_width=22)
    table.add_column("", justify="right")
    prompt = sum(count for kind, count in usage.items() if kind != "output")
    table.add_row("Tokens in", f"{prompt:,}")
    table.add_row("  from the cache", f"{usage['cache_read']:,}")
    table.add_row("Tokens out", f"{usage['output']:,}")
    for label, key, form in THINKING:
        is_undefined = form == "cost" and found["cost"] is not None
        table.add_row(label, "–" if is_undefined and found[key] is None else figure(found[key], form))
    for label, counts in (("Malformed", found["malformed"]), ("Ended early", found["ended"])):
        table.add_row(label, f"{sum(counts.values()):,}")
        for kind, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            table.add_row(f"  {kind.replace('_', ' ')}", f"{count:,}")
    return table


def of_batch(row: "RunRow", beside: "Beside | None") -> Iterator["Table | str"]:
    """The band over the runs of a batch, whether they agree, and the masked one with its gap."""
    from simulator.spread import verdict

    if beside is None or not beside.runs:
        return
    if len(beside.runs) > 1:
        yield _band(beside)
        hold = (row.metrics or {}).get("baselines", {}).get("buy-and-hold")
        yield " ".join(verdict(beside.runs, hold and hold["total_return"]))
    if beside.control is not None:
        yield _control(beside)


def _band(beside: "Beside") -> "Table":
    from simulator.spread import bands

    found, count = bands(beside.runs), len(beside.runs)
    table = plain_table()
    table.add_column(f"Over {count} runs", no_wrap=True, min_width=22)
    for name in ("Least", "Median", "Most", "Mean", "Deviation"):
        table.add_column(name, justify="right")
    for label, key, form, apart in COMPARED:
        if band := found.get(key):
            of = "" if band.n == count else f", {band.n} of {count}"
            texts = [figure(value, form) for value in (band.min, band.median, band.max, band.mean)]
            table.add_row(f"{label}{of}", *texts, figure(band.deviation, apart).lstrip("+"))
    return table


def _control(beside: "Beside") -> "Table":
    from simulator.spread import bands, gap

    plain, gaps = bands(beside.runs), gap(beside)
    table = plain_table()
    table.add_column("Masked control", no_wrap=True, min_width=22)
    for name in ("Plain", "Masked", "Gap"):
        table.add_column(name, justify="right")
    for label, key, form, apart in COMPARED:
        masked = figure(getattr(beside.control, key), form)
        both = plain[key].median if key in plain else None
        is_unknown = form == "net" and gaps[key] is None
        table.add_row(
            label, figure(both, form), masked, "unknown" if is_unknown else figure(gaps[key], apart)
        )
    return table
