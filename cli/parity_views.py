"""How a comparison of a deployment with its simulation looks on a terminal, and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cli.deployment_views import short
from cli.figures import figure, plain_table
from cli.output import printable
from domain.feeds import parse_feed
from domain.time import iso

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from control.parity import DeploymentParity
    from simulator.parity.report import Parity

SHOWN = 10
"""How many differences, and how many ticks, are shown one by one."""


def document(compared: "DeploymentParity") -> dict[str, Any]:
    """The stable fields of a comparison. Money is in USD; a difference is what the deployment has more."""
    row, found = compared.row, compared.found
    return {
        "deployment_id": row.id,
        "skill": row.skill_name,
        "version": row.skill_number,
        "feed": row.feed,
        "synthetic": parse_feed(row.feed).kind == "synthetic",
        "from": iso(found.from_ts),
        "to": iso(found.to_ts),
        "exact": found.is_exact,
        "divergence": {
            "usd": found.divergence_usd,
            "bps": round(found.divergence_bps, 4),
            "widest_usd": found.widest_usd,
        },
        "deployment": found.deployment,
        "simulation": found.simulation,
        "parts": found.parts,
        "ticks": found.ticks,
        "fills": found.fills,
        "differences": [
            {"at": iso(one.ts), "symbol": one.symbol, "cause": one.cause, "usd": one.usd, "text": one.text}
            for one in found.differences
        ],
        "equity": [
            {"at": iso(ts), "deployment": ours, "simulation": theirs} for ts, ours, theirs in found.equity
        ],
        "off_record": [iso(ts) for ts in compared.off_record],
        "warnings": list(compared.warnings),
    }


def shown(compared: "DeploymentParity") -> "Group":
    """The whole difference first, then its causes, then what differed."""
    from rich.console import Group

    from simulator.parity.page import headline

    found = compared.found
    parts: list[Any] = [_heading(compared), "", headline(found), "", _sides(found)]
    if found.parts:
        parts += ["", _causes(found)]
    return Group(*parts, *_ticks(found), *_differences(found), *_off_record(compared))


def _heading(compared: "DeploymentParity") -> str:
    row, found = compared.row, compared.found
    made_up = " (made-up prices)" if parse_feed(row.feed).kind == "synthetic" else ""
    period = f"{iso(found.from_ts)} to {iso(found.to_ts)}"
    return printable(f"{row.skill_name}@{row.skill_number} · {short(row)} · {row.feed}{made_up} · {period}")


def _sides(found: "Parity") -> "Table":
    table = plain_table()
    table.add_column("", no_wrap=True, min_width=22)
    for name in ("Deployment", "Simulation", "Difference"):
        table.add_column(name, justify="right", no_wrap=True)
    ours, theirs = found.deployment, found.simulation
    for label, name in (("Equity, USD", "equity"), ("Fees, USD", "fees"), ("Funding, USD", "funding")):
        one, other = getattr(ours, name), getattr(theirs, name)
        table.add_row(label, figure(one, "usd"), figure(other, "usd"), figure(one - other, "signed"))
    for label, name in (("Fills", "fills"), ("Refused", "refused")):
        one, other = getattr(ours, name), getattr(theirs, name)
        table.add_row(label, f"{one:,}", f"{other:,}", figure(one - other, "signed_tally"))
    return table


def _causes(found: "Parity") -> "Table":
    from simulator.parity.causes import IN_WORDS

    table = plain_table()
    table.add_column("Put down to", overflow="fold")
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("Times", justify="right", no_wrap=True)
    for part in found.parts:
        table.add_row(IN_WORDS[part.cause], figure(part.usd, "signed"), f"{part.count:,}")
    table.add_row("together", figure(found.divergence_usd, "signed"), "")
    return table


def _ticks(found: "Parity") -> Iterator[str]:
    from simulator.parity.page import prices_in_words

    ticks, fills = found.ticks, found.fills
    yield ""
    yield (
        f"Ticks: {ticks.due:,} due, {ticks.same:,} the same, {ticks.different:,} decided otherwise, "
        f"{ticks.missing:,} not taken or cut short, {ticks.refused_otherwise:,} refused otherwise"
    )
    price = f", {told}" if (told := prices_in_words(fills)) else ""
    yield (
        f"Orders filled: {fills.both:,} on both sides, {fills.only_deployment:,} by the deployment alone, "
        f"{fills.only_simulation:,} by the simulation alone{price}"
    )
    for one in ticks.listed[:SHOWN]:
        why = f" ({one.why})" if one.why else ""
        yield printable(f"  {iso(one.tick_ts)}{why}: {one.deployment}; simulated: {one.simulation}")
    if len(ticks.listed) > SHOWN:
        yield "  … more with --json"


def _differences(found: "Parity") -> Iterator[str]:
    from simulator.parity.page import that_count

    differences = that_count(found)
    if not differences:
        return
    yield ""
    yield "The largest differences, USD:"
    for one in differences[:SHOWN]:
        usd = figure(one.usd, "signed")
        yield printable(f"  {iso(one.ts)} {usd:>12} {one.cause.replace('_', ' ')}: {one.text}")
    if len(differences) > SHOWN:
        yield "  … more with --json"


def _off_record(compared: "DeploymentParity") -> Iterator[str]:
    if compared.off_record:
        yield ""
        yield (
            f"At {len(compared.off_record):,} ticks the model would have been shown another account than it was, so "
            "what it did then was taken from its record."
        )
