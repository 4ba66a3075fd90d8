"""What the figures must come to: the same work done by all, and the goals of speed and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bench.jobs import NAUTILUS, OURS, SAME_WORK, Record
from bench.measure import middle

CENT = Decimal("0.01")
USUAL_BARS, MANY_BARS = 100_000, 500_000


@dataclass(frozen=True, slots=True)
class Goal:
    """A line to hold: what, what is wanted, what was found, and whether it was held."""

    what: str
    wanted: str
    found: str
    is_held: bool
    must_hold: bool = False


def different_work(records: Sequence[Record]) -> list[str]:
    """Say where one that must do the same work filled other orders or is a cent or more apart; [] when all agree.

    Fees cut to a millionth of a dollar, and floats, come to less than a cent.
    """
    found = []
    for bars in sorted({record.bars for record in records}):
        same = [record for record in records if record.bars == bars and record.job in SAME_WORK]
        for record in same[1:]:
            said, expected = record.outcome, same[0].outcome
            apart = abs(said.final_equity - expected.final_equity)
            if said.orders != expected.orders or apart >= CENT:
                found.append(
                    f"{record.job} over {bars:,} bars: {said.orders} orders and {said.final_equity:.4f} USD, but "
                    f"{same[0].job}: {expected.orders} orders and {expected.final_equity:.4f} USD"
                )
    return list(dict.fromkeys(found))


def goals(records: Sequence[Record]) -> list[Goal]:
    """Judge the goals that these records can tell of."""
    table = {(bars, job): Medians.of(records, bars, job) for bars, job in _measured(records)}
    found: list[Goal] = []
    if usual := table.get((USUAL_BARS, OURS)):
        found += _usual_goals(usual)
    if many := table.get((MANY_BARS, OURS)):
        found.append(_at_most(f"peak memory, {MANY_BARS:,} bars", many.peak_mb, 400, "MB"))
    if usual and many:
        kept = many.bars_per_s / usual.bars_per_s
        found.append(Goal("rate at 500,000 bars over that at 100,000", "≥ 0.9", f"{kept:.2f}", kept >= 0.9))
    for (bars, job), ours in sorted(table.items()):
        nautilus = table.get((bars, NAUTILUS))
        if job == OURS and nautilus:
            found += _beside(bars, ours, nautilus)
    return found


def _measured(records: Sequence[Record]) -> set[tuple[int, str]]:
    return {(record.bars, record.job) for record in records}


@dataclass(frozen=True, slots=True)
class Medians:
    """A job's medians over the rounds."""

    bars_per_s: float
    wall_s: float
    peak_mb: float

    @classmethod
    def of(cls, records: Sequence[Record], bars: int, job: str) -> "Medians":
        """Take them from the records of one job at one size."""
        own = [record for record in records if (record.bars, record.job) == (bars, job)]
        return cls(
            middle([record.bars_per_s for record in own])[0],
            middle([record.process.wall_s for record in own])[0],
            middle([record.process.peak_mb for record in own])[0],
        )


def _usual_goals(usual: Medians) -> list[Goal]:
    at = f"{USUAL_BARS:,} bars"
    rate = f"{usual.bars_per_s:,.0f} bars/s"
    return [
        Goal(f"loop, {at}", "≥ 100,000 bars/s", rate, usual.bars_per_s >= 100_000),
        _at_most(f"whole process, {at}", usual.wall_s, 2.5, "s"),
        _at_most(f"peak memory, {at}", usual.peak_mb, 250, "MB"),
        Goal(f"stretch: loop, {at}", "≥ 250,000 bars/s", rate, usual.bars_per_s >= 250_000),
        _at_most(f"stretch: whole process, {at}", usual.wall_s, 1.5, "s"),
    ]


def _at_most(what: str, value: float, limit: float, unit: str) -> Goal:
    digits = 2 if unit == "s" else 0
    return Goal(what, f"≤ {limit:g} {unit}", f"{value:,.{digits}f} {unit}", value <= limit)


def _beside(bars: int, ours: Medians, nautilus: Medians) -> list[Goal]:
    rate, wall = ours.bars_per_s / nautilus.bars_per_s, nautilus.wall_s / ours.wall_s
    return [
        Goal(f"loop beside {NAUTILUS}, {bars:,} bars", "≥ 1 ×", f"{rate:.2f} ×", rate >= 1, must_hold=True),
        Goal(
            f"whole process beside {NAUTILUS}, {bars:,} bars",
            "≥ 1 ×",
            f"{wall:.2f} ×",
            wall >= 1,
            must_hold=True,
        ),
    ]
