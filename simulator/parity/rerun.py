"""The simulator's account beside a deployment's: the same Skill, caps, cash and seed on the market that it saw."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from agent.baselines import Trader
from domain.snapshots import DecisionSnapshot
from domain.time import parse_interval
from simulator.data import MarketData
from simulator.parity.account import AccountRecord
from simulator.prepare import beginning, replay_of
from simulator.replay import Stretch
from simulator.spec import RunSpec, SimulationError
from skills.schedule import Schedule
from skills.skill import Skill

NAME = "parity"
"""What stands for the run in its ids. Nothing of it is kept."""

STEP_BARS = 5_000


class Act(msgspec.Struct, frozen=True):
    """A part of a deployment's life under one version of its Skill, from an instant on (UTC ms)."""

    from_ts: int
    skill: Skill
    trader: Trader
    market: MarketData


async def rerun(
    acts: Sequence[Act],
    spec: RunSpec,
    to_ts: int,
    progress: Callable[[float], None] = lambda share: None,
) -> AccountRecord:
    """Simulate up to an instant, act by act, and give the account's record.

    Raises SimulationError where the acts do not share one tape.
    """
    tape = acts[0].market.tape
    end = beginning(spec)
    stretches: list[Stretch] = []
    for act, following in zip(acts, [*acts[1:], None], strict=True):
        if (act.market.tape.interval_ms, act.market.tape.length) != (tape.interval_ms, tape.length):
            raise SimulationError("the versions of this deployment do not go by the same bars")
        until = to_ts if following is None else min(following.from_ts, to_ts)
        last = -(
            -(until - tape.start_ts) // tape.interval_ms
        )  # a bar whose tick is before `until` is its act's
        replay = replay_of(act.skill, spec, act.market, act.trader, end, NAME)
        while replay.index < last:
            stretches.append(await replay.run(min(STEP_BARS, last - replay.index)))
            end = stretches[-1].end
            progress(replay.index / max(1, (to_ts - tape.start_ts) // tape.interval_ms))
            await asyncio.sleep(0)
    return _record(acts, spec, to_ts, stretches)


def due_of(acts: Sequence[Act], from_ts: int, to_ts: int) -> list[int]:
    """The ticks that were due in [from, to)."""
    due: list[int] = []
    for act, following in zip(acts, [*acts[1:], None], strict=True):
        until = to_ts if following is None else min(following.from_ts, to_ts)
        due += Schedule.parse(act.skill.schedule).ticks(max(act.from_ts, from_ts), until)
    return due


def _record(acts: Sequence[Act], spec: RunSpec, to_ts: int, stretches: Sequence[Stretch]) -> AccountRecord:
    decisions: list[DecisionSnapshot] = [
        decision.light for stretch in stretches for decision in stretch.decisions
    ]
    points = [
        (int(ts), usd)
        for stretch in stretches
        for ts, usd in zip(stretch.ts.tolist(), stretch.equity, strict=True)
    ]
    tape, point_ms = acts[0].market.tape, parse_interval(acts[0].skill.market.interval)
    if (
        stretches and stretches[-1].end.index < tape.length
    ):  # the last point is held back until its ticks are over
        end = stretches[-1].end
        reached = end.index * tape.interval_ms
        points.append((tape.start_ts + reached - reached % point_ms, end.point_equity))
    return AccountRecord(
        f"sim:{NAME}",
        spec.cash,
        [entry for stretch in stretches for entry, _ in stretch.entries],
        decisions,
        points,
        due_of(acts, spec.from_ts, to_ts),
    )
