"""What the engine refused: how often by each rule, and the latest refusals with their reasons."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from domain.actions import in_words
from domain.time import iso
from simulator.metrics import Metrics
from simulator.record import RunRecord
from simulator.report import words
from simulator.report.trade_rows import When

LATEST = 4
"""How many refusals are shown with their reasons."""


class Bar(msgspec.Struct, frozen=True):
    """A count, and its share of the largest in percent."""

    name: str
    count: str
    width: float


class Refused(msgspec.Struct, frozen=True):
    """An action in words, when it was proposed, and every reason against it."""

    when: When
    action: str
    reasons: tuple[str, ...]


def refusals(metrics: Metrics) -> list[Bar]:
    """What was refused, by the rule that refused it, most often first."""
    return meters(metrics.refusals)


def meters(counts: dict[str, int]) -> list[Bar]:
    """Counts as bars, in the order they come in; what never happened has none."""
    most = max(counts.values(), default=1) or 1
    return [Bar(name, f"{count:,}", round(100 * count / most, 2)) for name, count in counts.items() if count]


def proposed(record: RunRecord) -> int:
    """How many actions were proposed."""
    return sum(len(decision.actions) for decision in record.decisions.values())


def latest(record: RunRecord) -> list[Refused]:
    """The last refusals, newest first."""
    return list(islice(_backwards(record), LATEST))


def _backwards(record: RunRecord) -> Iterator[Refused]:
    for decision in reversed(record.decisions.values()):
        answered = list(zip(decision.actions, decision.verdicts, strict=False))
        for action, verdict in reversed(answered):
            if not verdict.approved:
                when = When(words.minute(decision.tick_ts), iso(decision.tick_ts))
                yield Refused(when, in_words(action, words.grouped), tuple(map(str, verdict.refusals)))
