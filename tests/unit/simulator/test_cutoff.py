"""A run is split where its model's knowledge ends, and says first how much of it may be memory."""

from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Floats
from domain.time import DAY_MS, HOUR_MS, parse_ts
from simulator.curves import Curve
from simulator.cutoff import Side, Split, warning
from simulator.metrics import as_dict, compute
from simulator.record import RunRecord
from tests.unit.simulator.samples import START, Entry, equity_record, record_of, walk

EXAMPLE = np.array([10_000.0, 10_200.0, 9_996.0, 10_098.0])
"""The worked example of docs/metrics.md, a close a day."""

HOLD = np.array([10_000.0, 11_000.0, 12_100.0, 11_495.0])


def split_at(record: RunRecord, cutoff_ts: int | None) -> Split:
    """A run's split at a cutoff."""
    found = compute(msgspec.structs.replace(record, cutoff_ts=cutoff_ts)).split
    assert found is not None
    return found


def example(cutoff_ts: int | None) -> Split:
    """The worked example's split."""
    record = equity_record(EXAMPLE, DAY_MS)
    return split_at(msgspec.structs.replace(record, baselines={"buy-and-hold": HOLD}), cutoff_ts)


def sides(found: Split) -> tuple[Side, Side]:
    """Both sides of a split that has two."""
    assert found.before is not None
    assert found.after is not None
    return found.before, found.after


def test_the_worked_example_of_the_docs_is_split_as_they_say() -> None:
    """A cutoff at noon of the second day: the sides meet at that day's close, and each starts anew from there."""
    found = example(START + DAY_MS + 12 * HOUR_MS)
    before, after = sides(found)

    assert found.share_before == before.share == pytest.approx(2 / 3)
    assert (before.from_ts, before.to_ts, after.to_ts) == (START, START + 2 * DAY_MS, START + 3 * DAY_MS)
    assert after.from_ts == before.to_ts
    assert (before.total_return, after.total_return) == pytest.approx((-0.0004, 10_098 / 9_996 - 1))
    assert (before.max_drawdown, after.max_drawdown) == pytest.approx((-0.02, 0.0))
    assert (before.final_equity, after.final_equity) == (9_996, 10_098)


def test_a_side_has_the_sharpe_ratio_of_its_own_returns() -> None:
    """+2 % and −2 % have no mean; the one return after has no deviation."""
    before, after = sides(example(START + DAY_MS + 1))

    assert before.sharpe == pytest.approx(0.0, abs=1e-9)
    assert after.sharpe is None


def test_buying_and_holding_is_split_alike() -> None:
    """Its start is taken anew too: +21 % before, −5 % after."""
    before, after = sides(example(START + 2 * DAY_MS))

    assert before.hold is not None
    assert after.hold is not None
    assert (before.hold.total_return, after.hold.total_return) == pytest.approx((0.21, -0.05))


@pytest.mark.parametrize(
    ("cutoff_ts", "share"),
    [
        (START - 1, 0.0),
        (START, 0.0),
        (START + 1, 1 / 3),
        (START + DAY_MS, 1 / 3),
        (START + DAY_MS + 1, 2 / 3),
        (START + 2 * DAY_MS + 1, 1.0),
        (START + 9 * DAY_MS, 1.0),
        (None, 1.0),
    ],
)
def test_an_interval_is_before_if_it_begins_before_the_cutoff(cutoff_ts: int | None, share: float) -> None:
    """Also the one that the cutoff falls into, all where nobody knows; a side without an interval is not there."""
    found = example(cutoff_ts)

    assert found.share_before == pytest.approx(share)
    assert (found.before is None) == (share == 0)
    assert (found.after is None) == (share == 1)


def test_a_trader_that_remembers_nothing_has_no_split() -> None:
    """A baseline has read no news."""
    assert compute(equity_record(EXAMPLE)).split is None


@pytest.mark.parametrize(("cutoff_ts", "share"), [(START, 0.0), (START + 1, 1.0), (None, 1.0)])
def test_a_run_of_one_instant_lies_on_one_side(cutoff_ts: int | None, share: float) -> None:
    """There is nothing to figure, and yet it may be memory."""
    found = split_at(equity_record(EXAMPLE[:1]), cutoff_ts)

    assert (found.share_before, found.before, found.after) == (share, None, None)


def test_there_is_no_side_after_all_was_lost() -> None:
    """Nothing can be earned on nothing; how much lies before is still told."""
    found = split_at(equity_record(np.array([10_000.0, 0.0, 0.0])), START + HOUR_MS)

    assert found.share_before == 0.5
    assert found.before is not None
    assert found.before.total_return == -1.0
    assert found.after is None


def test_a_side_that_is_the_whole_run_has_its_figures() -> None:
    """Return, risk and drawdowns are those of the run."""
    record = record_of({"BTC": walk(100)}, [Entry(5, Decimal("0.1"))], cutoff_ts=START)
    found = compute(record)
    assert found.split is not None
    assert found.split.after is not None

    names = set(Curve.__struct_fields__) - {"final_equity"}
    whole = {name: getattr(found, name) for name in names}
    assert {name: getattr(found.split.after, name) for name in names} == pytest.approx(whole)
    assert found.split.after.share == 1.0
    assert found.split.after.trades == found.trades


curves = st.lists(st.floats(100.0, 1e6), min_size=3, max_size=60).map(np.array)


@given(curves, st.integers(-2, 62), st.integers(0, HOUR_MS - 1))
def test_both_sides_make_up_the_run(equity: Floats, hour: int, inside: int) -> None:
    """Their growth multiplies to the run's, and their shares add up to 1, wherever the cutoff falls."""
    record = equity_record(equity)
    found = split_at(record, START + hour * HOUR_MS + inside)
    there = [side for side in (found.before, found.after) if side is not None]

    assert np.prod([1 + side.total_return for side in there]) == pytest.approx(equity[-1] / equity[0])
    assert sum(side.share for side in there) == pytest.approx(1)
    assert [left.to_ts == right.from_ts for left, right in pairwise(there)] in ([], [True])


@given(st.integers(0, 61))
def test_a_trade_is_on_the_side_on_which_it_was_begun(hour: int) -> None:
    """What was entered on memory is memory, whenever it ends; what is still open is no trade yet."""
    made = [
        Entry(5, Decimal("0.1")),
        Entry(20, Decimal("-0.1")),
        Entry(30, Decimal("0.1")),
        Entry(50, Decimal("-0.1")),
    ]
    record = record_of({"BTC": walk(60)}, [*made, Entry(55, Decimal("0.1"))])
    found = split_at(record, START + hour * HOUR_MS)

    begun_before = sum(at < hour for at in (5, 30))
    assert (found.before.trades if found.before else 0) == begun_before
    assert (found.after.trades if found.after else 0) == 2 - begun_before


def test_json_has_the_split_with_its_sides() -> None:
    """Money is text in there too, and what is not there is null."""
    written = as_dict(compute(msgspec.structs.replace(equity_record(EXAMPLE, DAY_MS), cutoff_ts=START)))[
        "split"
    ]

    assert (written["cutoff_ts"], written["share_before"], written["before"]) == (START, 0.0, None)
    assert written["after"]["final_equity"] == "10098"
    assert written["after"]["hold"] is None


CUTOFF = parse_ts("2026-02-01")


@pytest.mark.parametrize(
    ("share", "cutoff_ts", "expected"),
    [
        (0.62, CUTOFF, "62% of this run lies before the model's knowledge ends (2026-02-01)."),
        (1.0, CUTOFF, "All of this run lies before the model's knowledge ends (2026-02-01)."),
        (0.999, CUTOFF, "Over 99% of this run lies before the model's knowledge ends (2026-02-01)."),
        (0.001, CUTOFF, "Under 1% of this run lies before the model's knowledge ends (2026-02-01)."),
        (1.0, None, "Nobody knows when this model's knowledge ends."),
    ],
)
def test_the_warning_says_how_much_may_be_memory(share: float, cutoff_ts: int | None, expected: str) -> None:
    """Nearly all is not rounded to all, and hardly any not to nothing."""
    told = warning(share, cutoff_ts)

    assert told is not None
    assert told[0] == expected


def test_nothing_is_said_of_a_run_that_lies_after() -> None:
    """There is nothing to warn of."""
    assert warning(0.0, CUTOFF) is None
