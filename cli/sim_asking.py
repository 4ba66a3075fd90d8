"""What `agentic sim` is asked for, worked out: which runs it would be, what they would cost, whether that is meant."""

import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from cli.boot import House
from cli.references import platform_of, version_of
from control.errors import Refused

if TYPE_CHECKING:
    from control.estimate import Estimate
    from control.runs import RunRequest
    from db.skills import VersionRow
    from simulator.spec import RunSpec


async def asked(
    home: House, skill: str, request: "RunRequest", *, yes: bool
) -> "tuple[VersionRow, list[RunSpec]]":
    """Say which runs are asked for, of which version. Asks back, unless `yes`, before they cost much."""
    from control.estimate import estimate, is_free

    version = await version_of(home, skill)
    specs = await _specs(home, version, request)
    if not yes and not is_free(version, specs[0]):
        found = await estimate(home.database, home.user_id, version, specs, home.provider)
        _confirm(found, home.settings.confirm_above_usd)
    return version, specs


async def estimated(home: House, skill: str, request: "RunRequest") -> "Estimate":
    """Say what the runs that are asked for would probably cost."""
    from control.estimate import estimate

    version = await version_of(home, skill)
    specs = await _specs(home, version, request, needs_key=False)
    return await estimate(home.database, home.user_id, version, specs, home.provider)


async def _specs(
    home: House, version: "VersionRow", request: "RunRequest", *, needs_key: bool = True
) -> "list[RunSpec]":
    from control import runs

    return await runs.specs_of(
        home.database, home.user_id, version, request, platform_of(home), home.provider, needs_key=needs_key
    )


def _confirm(found: "Estimate", limit_usd: Decimal) -> None:
    """Ask before a run that is estimated to cost more than the limit; refuse where nobody can be asked."""
    if found.cost_usd is None or found.cost_usd <= limit_usd:
        return
    cost = f"about {found.cost_usd:,.2f} USD for {found.ticks * found.runs:,} ticks, and at most {found.most_usd:,.2f}"
    if not sys.stdin.isatty():
        raise Refused(f"this is estimated to cost {cost}; add --yes to run it, or see --estimate")
    if not typer.confirm(f"This is estimated to cost {cost}. Run it?", err=True):
        raise Refused("nothing was run")
