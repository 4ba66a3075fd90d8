"""Whatever anybody does, in whatever market, in whatever order: no cap is passed and the books agree.

A random trader throws proposals, closes, cancels and protections at the engine over wild bars with holes, dead bars
and gaps; an auditor who shares no code with the engine recomputes every cap at every approval.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from brokers.paper.costs import Costs
from brokers.paper.tape import Tape
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.caps import Caps, StopGuard
from domain.journal import Entry
from domain.orders import Side, Tif
from domain.time import HOUR_MS
from engine.book import Book
from engine.engine import EngineState
from engine.watch import IllegalHalt
from tests.unit.brokers.samples import PLAIN, Row, at_once, flat, tape_of
from tests.unit.brokers.streams import COINS, _marks, _rows
from tests.unit.engine.auditor import Auditor
from tests.unit.engine.samples import House

STEPS, EXAMPLES, QUIET = 60, 200, 40
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SEEDS = st.integers(0, 2**32)
D = Decimal
Dice = Callable[[int, int], int]


def dice_of(*seeds: int) -> Dice:
    """Dice that fall the same way for the same seeds; hypothesis finds the seeds, and drops steps that don't matter."""
    random = np.random.default_rng(seeds)
    return lambda low, high: int(random.integers(low, high + 1))


def one(dice: Dice, *choices: Any) -> Any:
    return choices[dice(0, len(choices) - 1)]


def caps_of(dice: Dice) -> Caps:
    """Some caps tight, some out of the way."""
    usd = (None, None, D(5000), D(20_000))
    return Caps(
        max_leverage=one(dice, D("0.5"), D("2.5"), D(10)),
        max_order_usd=one(dice, *usd),
        max_position_usd=one(dice, *usd),
        max_gross_usd=one(dice, *usd),
        max_open_positions=one(dice, 1, 2, 10),
        max_orders_per_hour=one(dice, 1, 3, 60),
        max_orders_per_day=one(dice, 8, 300, 300),
        max_actions_per_tick=one(dice, 2, 5),
        allow_short=one(dice, True, True, False),
        price_band_pct=one(dice, D(1), D(5), D(5)),
        max_slippage_bps=one(dice, D(20), D(200)),
        require_stop=one(dice, True, False, False, False),
        max_stop_distance_pct=one(dice, None, None, D(2)),
        cooldown_after_loss_ms=one(dice, None, None, 4 * HOUR_MS),
        stop_guard=one(dice, None, StopGuard(2, 12 * HOUR_MS, 6 * HOUR_MS)),
        daily_loss_pct=one(dice, None, D(1), D(3)),
        max_drawdown_pct=one(dice, None, D(4), D(15)),
        halt_lifts=one(dice, "next_day", "by_hand"),
    )


def market(seed: int) -> tuple[Tape, Costs]:
    """Wild bars, and at the end some in which everything can be sold. The same seed is the same market."""
    dice = dice_of(seed)
    rows = {coin.symbol: _rows(dice, STEPS + 2, px, decimals) for coin, px, decimals in COINS[: dice(1, 3)]}
    for each in rows.values():
        each += [flat(last_close(each), 1e12)] * QUIET
    decimals = {coin.symbol: places for coin, _, places in COINS}
    marks = {symbol: _marks(dice, each, decimals[symbol]) for symbol, each in rows.items() if not dice(0, 2)}
    rates = {symbol: {hour: dice(-200, 200) / 1e6 for hour in range(STEPS)} for symbol in rows}
    return tape_of(rows, marks, rates), (Costs(), PLAIN, Costs(latency_ms=1))[dice(0, 2)]


def last_close(rows: list[Row | None]) -> float:
    return next(row[3] for row in reversed(rows) if row is not None)


class Trading(RuleBasedStateMachine):
    """One account, from its first hour to the quiet end."""

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        tape, costs = market(seed)
        self.house = House(caps_of(dice_of(seed, 1)), tape, costs=costs)
        self.symbols = [track.symbol for track in tape.tracks]
        self.auditor = Auditor(self.house)
        self.folded, self.read = Book(), 0

    @rule(seed=SEEDS)
    def hour(self, seed: int) -> None:
        """A few things are asked of the engine, a person may lift a halt, and the market goes on."""
        dice = dice_of(seed, self.house.next)
        for index in range(one(dice, 0, 1, 1, 2, 3)):
            make = one(dice, *[self._proposal] * 6, self._close, self._cancel, self._protection)
            action = make(dice)
            self.auditor.before()
            verdict = self.house.do(action, index=index)
            self.auditor.after(action, verdict, index)
        if dice(0, 5) == 0:
            self._reset()
        self._hours(1)

    def _reset(self) -> None:
        """Lift the halt; where there is none to lift, nothing changes."""
        before = msgspec.json.encode(self.house.engine.state)
        try:
            at_once(self.house.engine.reset_halt(self.house.ts))
        except IllegalHalt:
            assert msgspec.json.encode(self.house.engine.state) == before
        self.house._write()
        self.auditor.read()

    @invariant()
    def the_state_survives_a_checkpoint(self) -> None:
        if hasattr(self, "house"):
            state = self.house.engine.state
            packed = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EngineState)
            assert packed == state == msgspec.json.decode(msgspec.json.encode(state), type=EngineState)

    @invariant()
    def the_book_is_the_fold_of_the_journal(self) -> None:
        if not hasattr(self, "house"):
            return
        for entry in self.house.entries[self.read :]:
            self.folded.apply(msgspec.json.decode(msgspec.json.encode(entry), type=Entry))
        self.read = len(self.house.entries)
        assert self.folded == self.house.engine.book

    def teardown(self) -> None:
        """Whoever is on the way out gets there when the market lets them."""
        if hasattr(self, "house"):
            TOTALS["hours"] += self.house.next
            self._hours(self.house.tape.length - 1 - self.house.next)
            assert self.auditor.phase.value != "flattening"
            self.the_book_is_the_fold_of_the_journal()
            TOTALS["approved"] += self.auditor.approved
            TOTALS["halts"] += self.auditor.halts
            TOTALS["fills"] += len(self.house.fills)

    def _proposal(self, dice: Dice) -> Action:
        """Of any size, up to more than the leverage allows; at the market or near it; with stops or without."""
        symbol, px = self._quote(dice)
        side, away = one(dice, (Side.BUY, -1), (Side.SELL, 1))
        limit = one(dice, None, None, dice(-150, 150))
        reduces = dice(0, 5) == 0
        room = max(self.house.venue.equity() * self.house.caps.max_leverage, D(100))
        size = room * one(dice, 1, 5, 20, 60, 100, 150) / 100 / px(0)
        return ProposeOrder(
            symbol,
            side,
            min(size, abs(self.house.size(symbol))) if reduces else size,
            limit_px=None if limit is None else px(limit),
            tif=one(dice, *Tif),
            reduce_only=reduces,
            stop_px=one(dice, None, px((limit or 0) + away * dice(1, 200))),
            take_profit_px=one(dice, None, px(-away * dice(1, 200))),
        )

    def _close(self, dice: Dice) -> Action:
        return ClosePosition(self._quote(dice)[0])

    def _cancel(self, dice: Dice) -> Action:
        return CancelOrder(one(dice, *(sorted(self.house.engine.book.orders) or [0])))

    def _protection(self, dice: Dice) -> Action:
        symbol, px = self._quote(dice)
        away = -1 if self.house.size(symbol) > 0 else 1
        return SetProtection(
            symbol, one(dice, None, px(away * dice(-50, 200))), one(dice, None, px(-away * dice(-50, 200)))
        )

    def _quote(self, dice: Dice) -> tuple[str, Callable[[int], Decimal]]:
        """A symbol, those that are held before others, and prices so many bps from its mark."""
        symbol = one(dice, *self.symbols, *[*self.house.engine.book.positions] * 3)
        mark = self.house.venue._mark_now(symbol)
        return symbol, lambda bps: (mark * (10_000 + bps) / 10_000).quantize(D("0.000001"))

    def _hours(self, hours: int) -> None:
        for _ in range(hours):
            self.house.step()
            self.auditor.hour()


TOTALS = dict.fromkeys(("hours", "approved", "halts", "fills"), 0)


def test_no_sequence_of_actions_ever_passes_a_cap() -> None:
    """Thousands of steps; and enough of them came to something, so that there was something to pass."""
    run_state_machine_as_test(Trading, settings=SETTINGS)
    assert TOTALS["hours"] > 10_000, TOTALS
    assert TOTALS["approved"] > 1000, TOTALS
    assert TOTALS["fills"] > 1000, TOTALS
    assert TOTALS["halts"] > 20, TOTALS
