"""What stands beside every result: buying and holding, and staying flat, worked out for the whole run at once.

*Buy and hold* puts an equal share of the cash into each symbol at the first tick, at no leverage, rounded down with
its fee; it pays what any order pays and the funding of the run. A picture to compare with, so it is made in floats.
"""

from decimal import ROUND_DOWN, Decimal

import numpy as np

from brokers.paper.costs import Costs
from brokers.paper.tape import Tape, Track
from domain.bars import Floats, Ticks
from domain.instruments import Instrument
from domain.money import BPS, ONE, ZERO, exact
from domain.orders import Liquidity, Side
from domain.time import parse_interval
from simulator.data import MarketData
from simulator.spec import RunSpec
from skills.schedule import Schedule
from skills.skill import Skill

BUY_AND_HOLD, FLAT = "buy-and-hold", "flat"


def yardsticks(skill: Skill, spec: RunSpec, market: MarketData) -> dict[str, Floats]:
    """The baselines of a run, by name, at the points of its equity."""
    tape = market.tape
    ticks = Schedule.parse(skill.schedule).ticks(tape.start_ts, tape.end_ts)
    entry = (next(ticks, tape.start_ts) - tape.start_ts) // tape.interval_ms
    every = parse_interval(skill.market.interval) // tape.interval_ms
    return baselines(tape, market.instruments, spec.cost_model, spec.cash, entry, every)


def baselines(
    tape: Tape, instruments: dict[str, Instrument], costs: Costs, cash: Decimal, entry: int, every: int
) -> dict[str, Floats]:
    """Equity at each point (the start, and every `every`-th close) of both. `entry` is the first tick's bar."""
    count = tape.length // every + 1
    share = cash / len(tape.tracks)
    held = np.full(count, float(cash))
    for track in tape.tracks:
        held += _gain(tape, track, instruments[track.symbol], costs, share, entry, every)
    return {BUY_AND_HOLD: held, FLAT: np.full(count, float(cash))}


def _gain(
    tape: Tape, track: Track, instrument: Instrument, costs: Costs, share: Decimal, entry: int, every: int
) -> Floats:
    """What one symbol adds to the cash at each point: nothing before the entry."""
    size, px = _bought(track, instrument, costs, share, entry)
    fee = costs.fee(size, px, Liquidity.TAKER) if size else ZERO
    tick = float(track.marks.tick)
    closes = np.asarray(track.marks.close, np.int64)[every - 1 :: every] * tick
    gain = np.concatenate([[0.0], closes * float(size) - float(size * px + fee)])
    gain += _funding(tape, track, float(size), entry, every)
    gain[: entry // every + 1] = 0.0
    return gain


def _bought(
    track: Track, instrument: Instrument, costs: Costs, share: Decimal, entry: int
) -> tuple[Decimal, Decimal]:
    """The size that a share of the cash buys at the entry's open, and the price paid."""
    opened, volume = track.trades.open[entry] * track.trades.tick, exact(track.volume[entry])
    with_fee = ONE + costs.taker_bps * BPS
    wanted = share / (opened * with_fee)
    px = costs.fill_price(opened, Side.BUY, wanted, volume, instrument)
    return (share / (px * with_fee)).quantize(instrument.lot, rounding=ROUND_DOWN), px


def _funding(tape: Tape, track: Track, size: float, entry: int, every: int) -> Floats:
    """Funding received up to each point, at the last closed mark; what is due inside a bar waits for its close."""
    points = tape.start_ts + np.arange(tape.length // every + 1) * every * tape.interval_ms
    settled: Ticks = track.funding.ts
    inside = (settled > tape.start_ts + entry * tape.interval_ms) & (settled <= tape.end_ts)
    if not inside.any():
        return np.zeros(len(points))
    bars = -((tape.start_ts - settled[inside]) // tape.interval_ms) - 1
    price = np.asarray(track.marks.close, np.int64)[bars] * float(track.marks.tick)
    received = np.cumsum(-size * price * track.funding.rate[inside])
    upto = np.searchsorted(settled[inside], points, side="right")
    return np.asarray(np.concatenate([[0.0], received])[upto])
