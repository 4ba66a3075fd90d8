"""The report's digest: equal for two runs of the same thing, whenever and wherever they ran."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from domain.snapshots import DecisionSnapshot
from simulator.metrics import Metrics, as_dict
from simulator.record import RunRecord
from simulator.report.manifest import lasting

NOT_SHOWN = frozenset(
    {
        "run_id",
        "skill_version",
        "ts",
        "funding",
        "equity",
        "baselines",
        "decisions",
        "order_decisions",
        "prices",
        "manifest",
        "beside",
        "inference",
    }
)
"""Fields of a record that are left out, or that enter in a form of their own. A version's number is a person's own."""


def report_digest(record: RunRecord, metrics: Metrics) -> str:
    """Give the sha256 of all that a report shows, without the run's id, wall-clock times and machine.

    It is taken over content, not over HTML: figures as canonical JSON, series as little-endian bytes. Names
    made of the run's id (of decisions and orders) count by their place; single funding rows are in the ledger's.
    """
    digest = hashlib.sha256()
    for part in _parts(record, metrics):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(record: RunRecord, metrics: Metrics) -> Iterator[bytes]:
    plain = {name: getattr(record, name) for name in record.__struct_fields__ if name not in NOT_SHOWN}
    yield _canonical({**plain, "metrics": as_dict(metrics), "manifest": lasting(record.manifest)})
    places = {name: place for place, name in enumerate(record.decisions)}
    yield _canonical([_shown(decision) for decision in record.decisions.values()])
    yield _canonical(sorted((order, places.get(name, -1)) for order, name in record.order_decisions.items()))
    yield np.ascontiguousarray(record.ts, "<i8").tobytes()
    yield np.ascontiguousarray(record.equity, "<f8").tobytes()
    for name, equity in sorted(record.baselines.items()):
        yield name.encode()
        yield np.ascontiguousarray(equity, "<f8").tobytes()
    for symbol, bars in sorted(record.prices.items()):
        yield _canonical([symbol, bars.interval_ms, bars.tick])
        yield np.ascontiguousarray(bars.ts, "<i8").tobytes()
        yield np.ascontiguousarray(bars.close, "<i8").tobytes()


def _shown(decision: DecisionSnapshot) -> list[Any]:
    return [
        decision.tick_ts,
        decision.outcome,
        decision.trader,
        decision.actions,
        decision.verdicts,
        decision.note,
        decision.ended,
    ]


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
