"""What the thinking of a run took, and how often it went wrong."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from domain.inference import Usage
from domain.money import USD_QUANTUM
from simulator.record import RunRecord


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run's thinking. Costs are USD, and None where the model's price is not known.

    `ticks` are those that were taken, `failed_ticks` those of them without a decision. `malformed` counts malformed
    replies and tool calls by kind, most often first; `malformed_per_call` is all of them over all calls, and may pass
    1, because one call may hold several. `ended` counts the ticks that did not end by themselves, by what ended them.
    """

    calls: int
    usage: Usage
    cost: Decimal | None
    ticks: int
    cost_per_tick: Decimal | None
    cost_per_trade: Decimal | None
    malformed: dict[str, int]
    malformed_per_call: float | None
    ended: dict[str, int]
    failed_ticks: int


def thinking(record: RunRecord, closed_trades: int) -> Thinking:
    """Work out the figures of a run's thinking; a baseline's are all 0."""
    found = record.inference
    ticks = sum(count for outcome, count in record.ticks.items() if outcome != "halted")
    malformed = sum(found.malformed.values())
    return Thinking(
        calls=found.calls,
        usage=found.usage,
        cost=found.cost_usd,
        ticks=ticks,
        cost_per_tick=_each(found.cost_usd, ticks),
        cost_per_trade=_each(found.cost_usd, closed_trades),
        malformed=often_first(found.malformed),
        malformed_per_call=malformed / found.calls if found.calls else None,
        ended=often_first(found.ended),
        failed_ticks=record.ticks.get("failed", 0),
    )


def often_first(counts: dict[str, int]) -> dict[str, int]:
    """Counts by name, the largest first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda kind: (-kind[1], kind[0])))


def _each(cost: Decimal | None, count: int) -> Decimal | None:
    """A cost shared evenly; None where it is not known, or there is nothing to share it among."""
    if cost is None or not count:
        return None
    return (cost / count).quantize(USD_QUANTUM, rounding=ROUND_HALF_EVEN)
