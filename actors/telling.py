"""What of an account's journal people are told: fills, halts, and that it is flat. Pure."""

from collections.abc import Iterator
from uuid import UUID

from actors.messages import Happened
from domain.journal import HaltCause, HaltChanged, HaltPhase
from domain.notices import Filled, Flattened, Halted, HaltLatched, Notice
from domain.orders import Fill


def notices_of(happened: Happened, account_id: UUID, deployment: str) -> Iterator[tuple[str, Notice]]:
    """Each notice with the key under which it is told once. Fills that came together are one."""
    fills = [(seq, entry) for seq, entry in happened.noted if isinstance(entry, Fill)]
    if fills:
        told = tuple(fill for _, fill in fills)
        yield f"fill:{account_id}:{fills[0][0]}", Filled(ts=told[-1].ts, deployment=deployment, fills=told)
    for seq, entry in happened.noted:
        if isinstance(entry, HaltChanged):
            notice = _of_halt(entry, happened.lifts, deployment)
            if notice is not None:
                yield f"halt:{account_id}:{seq}", notice


def _of_halt(halt: HaltChanged, lifts: str, deployment: str) -> Notice | None:
    if halt.cause is HaltCause.BY_HAND:
        is_flat = halt.phase is HaltPhase.ACTIVE
        return Flattened(ts=halt.ts, deployment=deployment, equity=halt.equity) if is_flat else None
    if halt.phase is HaltPhase.FLATTENING:
        return HaltLatched(
            ts=halt.ts, deployment=deployment, cause=halt.cause, equity=halt.equity, level=halt.level
        )
    if halt.phase is HaltPhase.HALTED:
        return Halted(ts=halt.ts, deployment=deployment, cause=halt.cause, equity=halt.equity, lifts=lifts)
    return None
