"""What goes wrong for one deployment changes nothing for the others: their ledgers are those of a life without it."""

from uuid import UUID

import msgspec

from db.connection import Connection
from db.deployments import list_deployments
from db.journal import load_entries
from db.pool import Database
from tests.chaos.lives import lived
from tests.chaos.plans import Asked, Fault, Kind, Plan
from tests.integration.simulator.samples import keep_market

ASKED = (
    Asked("random", "synthetic@7", 90, "keep"),
    Asked("random", "synthetic@7", 90, "keep"),
    Asked("random", "replay:2025-01-02..2025-01-06@3600x", 0.2, "keep"),
    Asked("sma-cross", "replay:2025-01-02..2025-01-06@max", 90, "keep"),
)
"""The first is hit; the second watches the same feed."""

FAULTS = (
    Fault(40, Kind.DOOMED),
    Fault(40, Kind.STORM, points=11),
    Fault(40, Kind.FLOOD),
    Fault(60, Kind.COMMAND, what="kill"),
)
SURVIVED = (Kind.STORM, Kind.FLOOD)
"""What even the one that is hit may come out of with the very same ledger."""
LASTS_S = 130

NAMES = {"client_id", "decision_id"}
"""What an account's own name goes into."""


def _without_names(entry: object) -> object:
    if isinstance(entry, dict):
        return {key: _without_names(value) for key, value in entry.items() if key not in NAMES}
    return [_without_names(one) for one in entry] if isinstance(entry, list | tuple) else entry


async def _ledgers(admin: Connection) -> list[object]:
    """The journals of those that were asked for last, in the order of `ASKED`."""
    rows = reversed(await list_deployments(admin, limit=len(ASKED)))
    return [_without_names(msgspec.to_builtins(await load_entries(admin, row.account_id))) for row in rows]


async def test_nobody_else_is_touched(database: Database, admin: Connection, owner: UUID) -> None:
    """To the last entry, whether they share a feed with the one that is hit or not."""
    await keep_market(database, hours=200)
    assert not (await lived(database, admin, owner, Plan(3, ASKED, LASTS_S, ()))).faults
    undisturbed = await _ledgers(admin)
    assert all(len(ledger) > 4 for ledger in undisturbed)
    for fault in FAULTS:
        assert not (await lived(database, admin, owner, Plan(3, ASKED, LASTS_S, (fault,)))).faults
        hit, *others = await _ledgers(admin)
        assert others == undisturbed[1:], str(fault)
        assert hit != undisturbed[0] or fault.kind in SURVIVED, str(fault)
