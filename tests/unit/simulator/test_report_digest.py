"""The report's digest is equal for equal runs, and different as soon as a report would show a difference."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from domain.events import Liquidated
from domain.inference import Inference, Usage
from domain.time import HOUR_MS
from simulator.metrics import compute
from simulator.record import Beside, RunRecord, Sibling
from simulator.report import report_digest
from tests.unit.simulator.samples import START, Entry, record_of, walk

BARS = walk(100)
MADE = [Entry(5, Decimal("0.1"), why="it rose"), Entry(50, Decimal("-0.1"), why="it fell")]
MANIFEST = {
    "run_id": "one",
    "started_at": "2026-01-01T00:00:00Z",
    "code": {"version": "0.1.0", "host": "here"},
    "data": {"BTC": {"digest": "abc"}},
}


def run(**changes: Any) -> RunRecord:
    """The same run again, or one that differs in these fields."""
    return msgspec.structs.replace(record_of({"BTC": BARS}, MADE, manifest=MANIFEST), **changes)


def digest(record: RunRecord) -> str:
    """A run's digest."""
    return report_digest(record, compute(record))


def test_equal_runs_have_equal_digests() -> None:
    """Sixty-four hexadecimal digits, the same each time."""
    assert digest(run()) == digest(run())
    assert len(digest(run())) == 64


def test_when_and_where_it_ran_does_not_count() -> None:
    """Another id, time and machine, also where they stand deep in the manifest, and other names of decisions."""
    elsewhere = {
        **MANIFEST,
        "run_id": "two",
        "started_at": "2027",
        "wall_s": 3,
        "code": {"version": "0.1.0", "host": "there"},
    }
    renamed = {f"other-{name}": decision for name, decision in run().decisions.items()}
    orders = {order: f"other-{name}" for order, name in run().order_decisions.items()}

    assert digest(run(run_id="two", manifest=elsewhere)) == digest(run())
    assert digest(run(decisions=renamed, order_decisions=orders)) == digest(run())


def test_what_other_runs_came_to_does_not_count() -> None:
    """A batch may grow after a run of it is done."""
    other = Sibling("two", 1, 1, Decimal(1), -1.0, -1.0, None, -1.0, 0, 0, None)

    assert digest(run(beside=Beside((other,), other))) == digest(run())


def test_the_number_of_a_version_does_not_count() -> None:
    """Somebody else, to whom the run was handed on, has other versions of the Skill; its digest is in the manifest."""
    assert digest(run(skill_version=8)) == digest(run())


def test_equal_costs_count_alike_however_they_are_written() -> None:
    """A cost that was kept and read back may trail other zeros."""
    written, read = (Inference(cost_usd=Decimal(text)) for text in ("0.50", "0.5"))

    assert digest(run(inference=written)) == digest(run(inference=read))


def changed_curve() -> np.ndarray[Any, Any]:
    """The run's equity with one point one cent higher."""
    equity = run().equity.copy()
    equity[50] += 0.01
    return equity


FIRST, SECOND = run().decisions.values()
CHANGES: dict[str, dict[str, Any]] = {
    "name": {"skill_name": "other"},
    "model": {"model": "other"},
    "schedule": {"schedule": "4h"},
    "seed": {"seed": 1},
    "start": {"from_ts": START - 1},
    "final equity": {"final_equity": run().final_equity + Decimal("0.01")},
    "a point of equity": {"equity": changed_curve()},
    "a point of a baseline": {"baselines": {**run().baselines, "flat": changed_curve()}},
    "no baseline": {"baselines": {}},
    "an instant": {"ts": run().ts + 1},
    "a price": {"prices": {"BTC": msgspec.structs.replace(BARS, close=BARS.close + 1)}},
    "a price's decimals": {"prices": {"BTC": msgspec.structs.replace(BARS, tick=BARS.tick / 10)}},
    "a fill": {"fills": (msgspec.structs.replace(run().fills[0], fee=Decimal(1)), *run().fills[1:])},
    "a fill's cause": {"fills": (msgspec.structs.replace(run().fills[0], cause="stop"), *run().fills[1:])},
    "funding": {"funding": run().funding[:-1]},
    "a liquidation": {"liquidations": (Liquidated(START, Decimal(1), Decimal(2), {}, backstop=False),)},
    "a refusal": {"refusals": {"max_order_usd": 1}},
    "a tick": {"ticks": {"hold": 99, "acted": 1}},
    "a reason": {
        "decisions": {**run().decisions, SECOND.id: msgspec.structs.replace(SECOND, note="because")},
    },
    "how a tick was ended": {
        "decisions": {**run().decisions, SECOND.id: msgspec.structs.replace(SECOND, ended="timeout")},
    },
    "whose reason it was": {"order_decisions": {1: SECOND.id, 2: FIRST.id}},
    "the ledger": {"ledger_digest": "abc"},
    "a warning": {"warnings": ("careful",)},
    "inference": {"inference": Inference(cost_usd=Decimal("0.01"))},
    "inference unknown": {"inference": Inference(cost_usd=None)},
    "calls": {"inference": Inference(calls=1)},
    "tokens": {"inference": Inference(usage=Usage(cache_read=1))},
    "what was malformed": {"inference": Inference(malformed={"prose": 1})},
    "how ticks ended": {"inference": Inference(ended={"deadline": 1})},
    "what the model knows": {"cutoff_ts": START + 50 * HOUR_MS},
    "that nobody knows what it knows": {"cutoff_ts": None},
    "what was hidden": {"masked": True},
    "the data": {"manifest": {**MANIFEST, "data": {"BTC": {"digest": "abd"}}}},
    "the code": {"manifest": {**MANIFEST, "code": {"version": "0.1.1"}}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference_that_is_shown_changes_the_digest(change: str) -> None:
    """Whatever a reader could see, down to a cent of one point and the reason of one order."""
    assert digest(run(**CHANGES[change])) != digest(run())


def test_every_field_of_a_record_is_covered() -> None:
    """A field that is added later has to be thought of: it is tried above, or known not to be shown."""
    tried = {name for change in CHANGES.values() for name in change}

    assert set(RunRecord.__struct_fields__) - tried == {
        "run_id",  # left out on purpose, as are the number of a version, and what other runs came to
        "skill_version",
        "beside",
        "symbols",
        "to_ts",
        "interval_ms",
        "start_usd",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("symbols", ("ETH",)), ("to_ts", 1), ("interval_ms", 1), ("start_usd", Decimal(9_999))],
)
def test_the_frame_of_a_run_counts(name: str, value: Any) -> None:
    """What it traded, until when, how finely and with how much: figures that are given stay as they are."""
    metrics = compute(run())

    assert report_digest(run(**{name: value}), metrics) != report_digest(run(), metrics)
