"""Words, axes and the manifest's text: what the report's parts promise by themselves."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.actions import ProposeOrder
from domain.orders import Side
from domain.snapshots import AccountView, DecisionSnapshot, TickOutcome
from domain.time import DAY_MS, HOUR_MS, YEAR_MS, parse_ts
from domain.verdicts import Refusal, Verdict
from simulator.metrics import compute
from simulator.record import RunRecord
from simulator.report import manifest, refused, words
from simulator.report.axes import POINTS, TimeScale, percent_ticks, scale_for, tag_label, thin, value_ticks
from simulator.report.months import spans
from simulator.report.trade_rows import SHORT_WHY, TradeRow, trade_rows
from simulator.trades import trades
from tests.unit.simulator.samples import START, Entry, equity_record, record_of, walk


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.number(Decimal("1359.254"), signed=True), "+1,359.25"),
        (words.number(-41.86), "−41.86"),
        (words.number(None), "undefined"),
        (words.number(Decimal("-0.001"), signed=True), "0.00"),
        (words.number(0.0, signed=True), "0.00"),
        (words.percent(0.13594), "+13.59%"),
        (words.percent(-0.00001), "0.00%"),
        (words.percent(None), "undefined"),
        (words.percent(10_000), "+1,000,000.00%"),
        (words.percent(1e70), "over +1,000,000.00%"),
        (words.points(0.0749), "+7.49 pp"),
        (words.dollars(Decimal("-284.83"), signed=True), "−$284.83"),
        (words.dollars(Decimal("84.12")), "$84.12"),
        (words.whole_dollars(Decimal("10000.00")), "$10,000"),
        (words.whole_dollars(Decimal("10000.50")), "$10,000.50"),
        (words.grouped(Decimal("-91473.30")), "−91,473.3"),
        (words.grouped(Decimal("0.00012")), "0.00012"),
        (words.grouped(Decimal("NaN")), "NaN"),
        (words.grouped(Decimal("-1e999999999999")), "-1E+999999999999"),
        (words.price(Decimal("91473.25"), Decimal("0.1")), "91,473.2"),
        (words.plural(1, "trade"), "1 trade"),
        (words.plural(1_200, "trade"), "1,200 trades"),
        (words.span(4 * DAY_MS + HOUR_MS), "4 d"),
        (words.span(30_000), "30 s"),
        (words.long_span(144 * DAY_MS), "144 days"),
        (words.long_span(0), "none"),
        (words.period(parse_ts("2026-01-01"), parse_ts("2026-10-01")), "1 Jan to 30 Sep 2026"),
        (words.period(parse_ts("2025-12-31"), parse_ts("2026-01-02")), "31 Dec 2025 to 1 Jan 2026"),
        (words.period(parse_ts("2026-01-01"), parse_ts("2026-01-02")), "1 Jan 2026"),
    ],
)
def test_numbers_and_times_are_written_as_the_page_promises(written: str, expected: str) -> None:
    """A true minus, a sign where it matters, none on what reads as zero, units that fit."""
    assert written == expected


@pytest.mark.parametrize(("value", "tone"), [(0.004, ""), (0.006, "up"), (-0.006, "down"), (None, "")])
def test_what_reads_as_zero_has_no_colour(value: float | None, tone: str) -> None:
    """A profit that rounds to 0.00 is not shown as one."""
    assert words.tone(value) == tone


finite = st.floats(-1e9, 1e9).map(lambda each: round(each, 4))


@given(st.lists(finite, min_size=1, max_size=20), st.integers(2, 10))
def test_an_axis_holds_its_values_and_has_few_distinct_marks(values: list[float], most: int) -> None:
    """Every value lies inside, marks lie inside and differ in place and in label."""
    scale = scale_for([np.array(values)])
    ticks = value_ticks(scale, most)

    assert all(0 < scale.at(value) < 1000 for value in values)
    assert len(ticks) <= most + 1
    assert all(0 <= tick.at <= 1000 for tick in ticks)
    assert len({tick.label for tick in ticks}) == len({tick.at for tick in ticks}) == len(ticks)


@given(st.floats(-1.0, -1e-5))
def test_a_drawdown_axis_has_distinct_percentages(worst: float) -> None:
    """However shallow or deep the worst one was."""
    ticks = percent_ticks(scale_for([np.array([worst, 0.0])]), 3)

    assert len({tick.label for tick in ticks}) == len(ticks) >= 1


@given(st.integers(0, 50 * YEAR_MS), st.integers(60_000, 40 * YEAR_MS))
def test_an_axis_of_time_has_marks_in_order(after_ms: int, length_ms: int) -> None:
    """From a minute to decades: at least one mark, not too many, from left to right, each with a label."""
    ticks = TimeScale(after_ms, after_ms + length_ms).ticks(10)

    assert 1 <= len(ticks) <= 12
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})
    assert all(0 <= tick.at <= 1000 and tick.label for tick in ticks)


@given(st.integers(1, 5_000), st.integers(0, 2**32))
def test_thinning_keeps_ends_and_extremes(count: int, seed: int) -> None:
    """The first, the last, the lowest and the highest value stay; the places ascend; there are few."""
    values = np.random.default_rng(seed).normal(size=count)
    kept = thin(values)

    assert len(kept) <= POINTS
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert {values.min(), values.max()} <= set(values[kept])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("latency_ms", 5_400_000, ("latency", "90m")),
        ("from_ts", START, ("from", "2025-01-01T00:00:00Z")),
        ("rows", 10_224, ("rows", "10,224")),
        ("seed", 42, ("seed", "42")),
        ("funding", True, ("funding", "yes")),
        ("taker_fee_bps", Decimal("4.50"), ("taker fee bps", "4.5")),
        ("participation", None, ("participation", "none")),
        ("symbols", ["BTC", "ETH"], ("symbols", "BTC, ETH")),
    ],
)
def test_a_manifest_is_written_for_people(name: str, value: Any, expected: tuple[str, str]) -> None:
    """Names without the unit that the value carries, instants and lengths in words."""
    (group,) = manifest.groups({name: value})

    assert [(item.name, item.value) for item in group.items] == [expected]


def test_parts_of_a_manifest_have_titles_and_nothing_is_dropped() -> None:
    """What stands alone comes first; nested values keep their path."""
    found = manifest.groups({"costs": {"fees": {"taker": 1}}, "seed": 1, "data": {}, "stood_in": {}})

    assert [(group.title, [item.name for item in group.items]) for group in found] == [
        ("", ["seed"]),
        ("Costs", ["fees.taker"]),
    ]


@pytest.mark.parametrize(
    ("gaps", "text"),
    [
        ([], "no gaps"),
        (0, "no gaps"),
        (2, "2 gaps"),
        ([[START, 3]], "1 gap: 3 bars missing from 2025-01-01T00:00:00Z"),
        ([{"from": "2025-01-01", "missing": 1}], "1 gap: 1 bar missing from 2025-01-01"),
        ([{"from_ts": START, "missing": 1}] * 7, "and 2 more"),
    ],
)
def test_gaps_are_told_in_words(gaps: Any, text: str) -> None:
    """None, a count, or where the first few are."""
    (series,) = manifest.series({"data": {"BTC": {"gaps": gaps}}})

    assert text in series.gaps


def test_nested_data_is_listed_by_its_path() -> None:
    """Each innermost entry is a series with a name of its own, and a flag is found at any depth."""
    data = {"BTC": {"bars": {"interval": "1h", "synthetic": True}, "funding": {"rows": 3}}}

    assert [series.name for series in manifest.series({"data": data})] == ["BTC bars 1h", "BTC funding"]
    assert manifest.flagged(data, "synthetic") == ["BTC bars 1h"]


def test_what_lasts_of_a_manifest_has_no_clock_in_it() -> None:
    """What differs between two runs of the same thing is left out at any depth."""
    told = {"seed": 1, "wall_s": 2.5, "parts": [{"host": "a", "rows": 1}], "code": {"started_at": "now"}}

    assert manifest.lasting(told) == {"seed": 1, "parts": [{"rows": 1}], "code": {}}


def row_of(record: RunRecord) -> TradeRow:
    """The row of the run's last trade."""
    return trade_rows(record, trades(record.fills, record.funding, record.order_decisions))[0]


def closed_by(cause: str, why: str = "") -> RunRecord:
    """A run with one trade that was ended this way."""
    way_in, way_out = Entry(1, Decimal("0.1")), Entry(30, Decimal("-0.1"), cause=cause, why=why)
    return record_of({"BTC": walk(50)}, [way_in, way_out])


@pytest.mark.parametrize(
    ("cause", "why", "ended_by"),
    [
        ("market", "it fell", "it fell"),
        ("market", "", "Market order"),
        ("limit", "it was dear", "it was dear"),
        ("stop", "it fell", "Stop"),
        ("take_profit", "", "Take-profit"),
        ("liquidation", "it fell", "Liquidation"),
    ],
)
def test_a_trade_was_ended_by_a_reason_or_by_a_trigger(cause: str, why: str, ended_by: str) -> None:
    """The reason of an order that was given, and the name of what fired by itself."""
    assert row_of(closed_by(cause, why)).ended_by == ended_by


def test_what_nobody_decided_was_closed_by_the_engine() -> None:
    """A halt flattens with orders of the engine's own."""
    record = msgspec.structs.replace(closed_by("market"), order_decisions={1: "decision-1"})

    assert row_of(record).ended_by == "Closed by the engine"


def test_a_long_reason_is_cut_in_the_table_and_whole_beneath() -> None:
    """The cell holds its beginning, the opened row all of it."""
    why = "because " * 40
    row = row_of(closed_by("market", why))

    assert len(row.ended_by) <= SHORT_WHY
    assert row.ended_by.endswith("…")
    assert why in row.whys[-1].quotes


def test_only_the_latest_trades_are_listed_newest_first() -> None:
    """They keep the numbers that their order of entry gave them."""
    entries = [Entry(at, Decimal(1) if at % 4 == 0 else Decimal(-1)) for at in range(0, 400, 2)]
    record = record_of({"BTC": walk(400)}, entries)
    rows = trade_rows(record, trades(record.fills, record.funding))

    assert [row.number for row in rows] == list(range(100, 50, -1))


def test_the_costs_of_a_trade_are_all_that_it_paid() -> None:
    """Fees, slippage, and funding with its own sign."""
    record = closed_by("market")
    (trade,) = trades(record.fills, record.funding)

    assert row_of(record).costs == words.number(trade.funding - trade.fees - trade.slippage_usd, signed=True)
    assert trade.slippage_usd > 0 > trade.funding


@given(st.integers(1, 400), st.sampled_from([HOUR_MS, DAY_MS]), st.integers(0, 2**32))
def test_months_and_years_multiply_to_the_whole(count: int, interval_ms: int, seed: int) -> None:
    """No return is in two months and none in no month; a year is its months."""
    equity = 10_000.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count + 1)))
    record = equity_record(equity, interval_ms)
    monthly, yearly = spans(record, 1), spans(record, 12)

    for found in (monthly, yearly):
        assert np.prod([1 + span.skill for span in found]) == pytest.approx(equity[-1] / equity[0])
        assert [span.end for span in found] == sorted({span.end for span in found})
        assert found[-1].end == count
    assert [span.number for span in yearly] == sorted({span.number // 12 for span in monthly})


def test_a_close_at_midnight_belongs_to_the_day_that_it_ends() -> None:
    """A run of exactly January has one month, and its last close is February's first instant."""
    (january,) = spans(equity_record(np.linspace(100.0, 131.0, 32), DAY_MS), 1)

    assert january.number % 12 == 0
    assert january.skill == pytest.approx(0.31)


def refused_at(hour: int, *caps: str) -> DecisionSnapshot:
    """A decision with an order that was refused by these caps, after one that was approved."""
    order = ProposeOrder("BTC", Side.BUY, Decimal("0.5"))
    verdict = Verdict(refusals=tuple(Refusal(cap, "1", str(hour)) for cap in caps))
    ts = START + hour * HOUR_MS
    account = AccountView(ts, Decimal(1), Decimal(1), {})
    verdicts = (Verdict(orders=(1,)), verdict)
    return DecisionSnapshot(
        f"at-{hour}", ts, TickOutcome.REFUSED, "", "me", (), (order, order), verdicts, account
    )


def test_the_latest_refusals_are_shown_with_every_reason() -> None:
    """Newest first, a few of them, and nothing that was approved."""
    decisions = [refused_at(hour, "max_order_usd", "max_leverage") for hour in range(10)]
    record = msgspec.structs.replace(
        closed_by("market"), decisions={decision.id: decision for decision in decisions}
    )
    found = refused.latest(record)

    assert [each.when.exact for each in found] == [f"2025-01-01T0{hour}:00:00Z" for hour in (9, 8, 7, 6)]
    assert found[0].action == "buy 0.5 BTC"
    assert found[0].reasons == (
        "max_order_usd 1, would have been 9",
        "max_leverage 1, would have been 9",
    )
    assert refused.proposed(record) == 20


def test_refusals_have_bars_as_long_as_they_are_often() -> None:
    """The most frequent fills the width; none that never happened."""
    metrics = compute(record_of({"BTC": walk(5)}, refusals={"a": 50, "b": 200, "c": 0}))

    assert [(bar.name, bar.count, bar.width) for bar in refused.refusals(metrics)] == [
        ("b", "200", 100.0),
        ("a", "50", 25.0),
    ]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (107_087.4, "107,087"),
        (1_821.59, "1,822"),
        (124.48, "124.48"),
        (0.25, "0.2500"),
        (0.0051089, "0.00511"),
        (0.00051089, "5.11e−4"),
        (0.0000123456, "1.23e−5"),
        (6_487_666.0, "6.49M"),
        (-2_500_000_000.0, "−2.50B"),
        (0.0, "0"),
    ],
)
def test_a_tag_is_short_enough_for_the_axis(value: float, label: str) -> None:
    """At most seven characters, whatever the price."""
    assert tag_label(value) == label
    assert len(label) <= 7
