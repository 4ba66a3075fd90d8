"""What a run earned, what it paid, and how it traded: every dollar is explained, and once."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import Liquidated
from domain.inference import Inference, Usage
from domain.money import ZERO
from simulator.metrics import Metrics, compute
from simulator.record import RunRecord
from tests.unit.simulator.samples import CASH, START, Entry, record_of, walk

BARS = walk(60)
ETH = walk(60, symbol="ETH", seed=2, start=3_000.0)

entries = st.lists(
    st.builds(
        Entry,
        at=st.integers(0, 59),
        size=st.integers(-20, 20).filter(bool).map(lambda lots: Decimal(lots) / 100),
        symbol=st.sampled_from(["BTC", "ETH"]),
    ),
    max_size=20,
)


def traded(*steps: tuple[int, str]) -> Metrics:
    """The figures of a run that traded these sizes at these bars' opens."""
    return compute(record_of({"BTC": BARS}, [Entry(at, Decimal(size)) for at, size in steps]))


def mark_of(index: int) -> Decimal:
    """The close of a bar."""
    return int(BARS.close[index]) * BARS.tick


@given(entries, st.sampled_from(["0", "0.0003", "-0.0003"]))
def test_every_dollar_is_explained(made: list[Entry], rate: str) -> None:
    """Prices alone, less fees and slippage, plus funding, is the result, over any stream of orders."""
    record = record_of({"BTC": BARS, "ETH": ETH}, made, rate=rate)
    found = compute(record)

    assert found.pnl == record.final_equity - CASH
    assert found.gross_pnl - found.fees - found.slippage + found.funding + found.adjustments == found.pnl
    assert found.gross_pnl == at_the_tape(record)
    assert found.open_pnl == found.pnl - booked(record)
    assert found.adjustments == 0
    assert found.funding == sum((row.amount for row in record.funding), ZERO)


def at_the_tape(record: RunRecord) -> Decimal:
    """What the fills would have earned at the tape's prices, without fees or funding: money out less money in."""
    held: dict[str, Decimal] = {}
    cash = ZERO
    for fill in record.fills:
        signed = fill.side.sign * fill.size
        cash -= signed * fill.reference_px
        held[fill.symbol] = held.get(fill.symbol, ZERO) + signed
    return cash + sum(
        (size * int(record.prices[name].close[-1]) * record.prices[name].tick for name, size in held.items()),
        ZERO,
    )


def booked(record: RunRecord) -> Decimal:
    """What is realized, paid and received so far."""
    parts = (
        *(fill.realized - fill.fee for fill in record.fills),
        *(row.amount for row in record.funding),
    )
    return sum(parts, ZERO)


@given(entries)
def test_trades_fills_and_averages_fit_together(made: list[Entry]) -> None:
    """Expectancy times trades is what the closed trades earned, and wins and losses make it up."""
    record = record_of({"BTC": BARS, "ETH": ETH}, made)
    found = compute(record)

    assert found.fills == len(record.fills)
    assert (found.trades == 0) == (found.expectancy is None) == (found.win_rate is None)
    if found.expectancy is not None and found.win_rate is not None:
        won = round(found.win_rate * found.trades)
        lost = found.trades - won
        total = won * (found.avg_win or ZERO) + lost * (found.avg_loss or ZERO)
        assert abs(total - found.expectancy * found.trades) <= Decimal("0.000001") * found.trades


def test_a_run_without_trades_has_no_averages() -> None:
    """Nothing was won, so there is no average win; counts and sums are 0."""
    found = traded()

    assert (found.trades, found.open_trades, found.fills, found.refused) == (0, 0, 0, 0)
    undefined = (found.win_rate, found.profit_factor, found.expectancy, found.avg_win, found.avg_loss)
    assert undefined == (None,) * 5
    assert (found.pnl, found.gross_pnl, found.fees, found.turnover) == (0, 0, 0, 0.0)
    assert found.exposure == 0.0


def test_a_win_without_a_loss_has_no_profit_factor() -> None:
    """Nothing divides by the losses that there were not."""
    best = int(np.argmax(BARS.open[1:])) + 1
    found = traded((0, "0.1"), (best, "-0.1"))

    assert (found.trades, found.win_rate) == (1, 1.0)
    assert (found.profit_factor, found.avg_loss) == (None, None)
    assert found.avg_win == found.expectancy == found.pnl.quantize(Decimal("0.000001"))


def test_a_trade_that_came_out_even_is_neither_won_nor_lost() -> None:
    """It counts as closed, and lowers the win rate, and that is all."""
    record = record_of({"BTC": BARS}, [Entry(0, Decimal("0.1")), Entry(30, Decimal("-0.1"))])
    even = tuple(msgspec.structs.replace(fill, realized=ZERO, fee=ZERO) for fill in record.fills)
    found = compute(msgspec.structs.replace(record, fills=even, funding=()))

    assert (found.trades, found.win_rate, found.expectancy) == (1, 0.0, 0)
    assert (found.avg_win, found.avg_loss, found.profit_factor) == (None, None, None)


def test_an_open_position_counts_at_its_mark_and_not_as_a_trade() -> None:
    """Its profit is in the result and under open PnL; the averages are of closed trades alone."""
    record = record_of({"BTC": BARS}, [Entry(0, Decimal("0.1"))], rate="0")
    found = compute(record)

    assert (found.trades, found.open_trades, found.win_rate) == (0, 1, None)
    assert found.open_pnl == Decimal("0.1") * (mark_of(59) - record.fills[0].px)
    assert found.pnl == found.open_pnl - found.fees


@pytest.mark.parametrize(
    ("steps", "held"),
    [
        ([(0, "1")], 60),
        ([(0, "1"), (30, "-1")], 30),
        ([(15, "1"), (30, "-1"), (45, "-1")], 30),
        ([(59, "1")], 1),
        ([(10, "1"), (20, "-2"), (30, "1")], 20),
    ],
)
def test_exposure_is_the_share_of_intervals_with_something_held(
    steps: list[tuple[int, str]], held: int
) -> None:
    """A fill at an interval's start counts for that interval; long and short count alike."""
    assert traded(*steps).exposure == pytest.approx(held / 60)


def test_two_symbols_held_at_once_are_one_exposure() -> None:
    """Half the time in one and half in the other, overlapping for a quarter, is three quarters."""
    made = [
        Entry(0, Decimal(1)),
        Entry(15, Decimal(1), "ETH"),
        Entry(30, Decimal(-1)),
        Entry(45, Decimal(-1), "ETH"),
    ]

    assert compute(record_of({"BTC": BARS, "ETH": ETH}, made)).exposure == pytest.approx(0.75)


def test_turnover_is_what_was_traded_over_the_mean_equity() -> None:
    """Buying and selling each count once."""
    record = record_of({"BTC": BARS}, [Entry(0, Decimal("0.1")), Entry(30, Decimal("-0.1"))])
    notional = float(sum(fill.px * fill.size for fill in record.fills))

    assert compute(record).turnover == pytest.approx(notional / record.equity.mean())


def test_what_a_backstop_took_is_not_a_trading_result() -> None:
    """What prices, fees and funding do not explain, once nothing is held, was taken or written off."""
    record = record_of({"BTC": BARS}, [Entry(0, Decimal("0.1")), Entry(30, Decimal("-0.1"))])
    event = Liquidated(START, Decimal(50), Decimal(100), {"BTC": mark_of(30)}, backstop=True)
    taken = msgspec.structs.replace(record, final_equity=ZERO, liquidations=(event,))
    before, after = compute(record), compute(taken)

    assert after.adjustments == -record.final_equity
    assert (after.pnl, after.gross_pnl, after.open_pnl) == (-CASH, before.gross_pnl, ZERO)
    assert (after.total_return, after.liquidations) == (-1.0, 1)


def test_a_written_off_deficit_is_a_gain_of_the_account() -> None:
    """A bankrupt account ends at 0, not below, and the difference is shown as an adjustment."""
    record = record_of({"BTC": BARS}, [Entry(0, Decimal("0.1")), Entry(30, Decimal("-0.1"))])
    deep = msgspec.structs.replace(record.fills[1], realized=Decimal(-11_000))
    written_off = msgspec.structs.replace(
        record, fills=(record.fills[0], deep), funding=(), final_equity=ZERO
    )
    found = compute(written_off)

    assert found.adjustments == 1_000 + found.fees
    assert found.pnl == -CASH


def test_inference_stands_beside_the_account() -> None:
    """It lowers the net result, not the equity."""
    record = record_of({"BTC": BARS}, inference=Inference(calls=1, cost_usd=Decimal("12.50")))
    found = compute(record)

    assert (found.pnl, found.net_pnl, found.total_return) == (0, Decimal("-12.50"), 0.0)
    assert found.net_return == pytest.approx(-0.00125)


def test_inference_of_unknown_price_leaves_the_net_result_unknown() -> None:
    """Unknown is not free."""
    found = compute(record_of({"BTC": BARS}, inference=Inference(calls=1, cost_usd=None)))

    assert (found.net_pnl, found.net_return, found.inference_cost) == (None, None, None)
    assert found.total_return == 0.0


def test_refusals_are_counted_by_rule_most_often_first() -> None:
    """The total is their sum."""
    found = compute(record_of({"BTC": BARS}, refusals={"cooldown": 1, "max_order_usd": 7, "price_band": 2}))

    assert found.refused == 10
    assert list(found.refusals.items()) == [("max_order_usd", 7), ("price_band", 2), ("cooldown", 1)]


def test_the_seed_decides_the_intervals_of_luck() -> None:
    """The same run gives the same intervals; another seed gives near ones."""
    record = record_of({"BTC": walk(2_000)}, [Entry(0, Decimal("0.1"))])
    first, again = compute(record), compute(record)
    other = compute(msgspec.structs.replace(record, seed=1))

    assert first == again
    assert first.sharpe_ci95 is not None
    assert other.sharpe_ci95 not in (None, first.sharpe_ci95)
    assert first.total_return_ci95 is not None
    assert first.total_return_ci95[0] < first.total_return < first.total_return_ci95[1]


THOUGHT = Inference(
    calls=40,
    usage=Usage(input=1_000, output=2_000, cache_read=30_000, cache_write_5m=400),
    cost_usd=Decimal("0.60"),
    malformed={"prose": 1, "unknown_tool": 3},
    ended={"deadline": 1, "calls": 2},
)


def test_thinking_is_told_by_call_tick_and_trade() -> None:
    """Sixty cents over sixty ticks is a cent each; ticks that a halt let pass were not thought about."""
    made = [
        Entry(0, Decimal("0.1")),
        Entry(30, Decimal("-0.1")),
        Entry(40, Decimal("0.1")),
        Entry(50, Decimal("-0.1")),
    ]
    ticks = {"hold": 50, "acted": 4, "failed": 6, "halted": 30}
    found = compute(record_of({"BTC": BARS}, made, inference=THOUGHT, ticks=ticks)).inference

    assert (found.calls, found.ticks, found.failed_ticks) == (40, 60, 6)
    assert (found.cost, found.cost_per_tick, found.cost_per_trade) == (
        Decimal("0.60"),
        Decimal("0.01"),
        Decimal("0.30"),
    )
    assert found.usage.prompt == 31_400
    assert found.malformed_per_call == pytest.approx(0.1)
    assert list(found.malformed.items()) == [("unknown_tool", 3), ("prose", 1)]
    assert list(found.ended.items()) == [("calls", 2), ("deadline", 1)]


def test_thinking_of_unknown_price_costs_an_unknown_amount_each() -> None:
    """Not 0, and its other figures stay known."""
    found = compute(record_of({"BTC": BARS}, inference=Inference(calls=3, cost_usd=None))).inference

    assert (found.calls, found.cost, found.cost_per_tick, found.cost_per_trade) == (3, None, None, None)
    assert found.malformed_per_call == 0.0


def test_a_baseline_thinks_nothing_for_nothing() -> None:
    """It costs 0; without a call there is no share of malformed ones."""
    found = compute(record_of({"BTC": BARS}, ticks={})).inference

    assert (found.calls, found.cost, found.cost_per_tick, found.malformed_per_call) == (0, 0, None, None)
