"""The thinking of a run: what was asked and paid, what came back malformed, which ticks did not end by themselves."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import msgspec

from domain.time import iso
from simulator.metrics import Metrics
from simulator.record import RunRecord
from simulator.report import words
from simulator.report.refused import Bar, meters
from simulator.report.tables import Entry
from simulator.report.trade_rows import When

LATEST = 4
"""How many ticks that were ended are shown with their reasons."""

SHORT_NOTE = 300


class Ended(msgspec.Struct, frozen=True):
    """A tick that did not end by itself: when, what ended it in a word, and what there is to say about it."""

    when: When
    kind: str
    note: str


class Thought(msgspec.Struct, frozen=True):
    """What the page says of a run's thinking."""

    entries: tuple[Entry, ...]
    malformed: tuple[Bar, ...]
    share: str
    ended: tuple[Bar, ...]
    latest: tuple[Ended, ...]


def thought(record: RunRecord, metrics: Metrics) -> Thought | None:
    """Lay out a run's thinking; None for a baseline, which does not think."""
    if metrics.split is None and not metrics.inference.calls:
        return None
    found = metrics.inference
    return Thought(
        entries=tuple(_entries(metrics)),
        malformed=tuple(meters(_spoken(found.malformed))),
        share=f"{sum(found.malformed.values()):,} in {words.plural(found.calls, 'call')}",
        ended=tuple(meters(_spoken(found.ended))),
        latest=tuple(islice(_ended(record), LATEST)),
    )


def _spoken(counts: dict[str, int]) -> dict[str, int]:
    """Kinds as people write them: "unknown tool"."""
    return {kind.replace("_", " "): count for kind, count in counts.items()}


def _entries(metrics: Metrics) -> list[Entry]:
    found, usage = metrics.inference, metrics.inference.usage
    written = usage.cache_write_5m + usage.cache_write_1h
    return [
        Entry("Calls", f"{found.calls:,}"),
        Entry("Prompt tokens", f"{usage.prompt:,}"),
        Entry("of them read from the cache", f"{usage.cache_read:,}", is_part=True),
        Entry("of them written to it", f"{written:,}", is_part=True),
        Entry("Answer tokens", f"{usage.output:,}"),
        Entry("Failed ticks", f"{found.failed_ticks:,} of {found.ticks:,}"),
        Entry("Cost of a tick", _cost(found.cost, found.cost_per_tick)),
        Entry("Cost of a trade", _cost(found.cost, found.cost_per_trade)),
        Entry("Cost", _cost(found.cost, found.cost), is_sum=True),
    ]


def _cost(whole: Decimal | None, cost: Decimal | None) -> str:
    """A cost in dollars; a share of a known one may be undefined, which is something else than unknown."""
    if whole is None:
        return words.UNKNOWN
    return words.UNDEFINED if cost is None else words.inference(cost)


def _ended(record: RunRecord) -> Iterator[Ended]:
    """The ticks that did not end by themselves, the last first."""
    for decision in reversed(record.decisions.values()):
        if decision.ended:
            yield Ended(
                When(words.minute(decision.tick_ts), iso(decision.tick_ts)),
                decision.ended.replace("_", " "),
                words.cut(decision.note, SHORT_NOTE),
            )
