"""Records as a bench would have made them."""

from decimal import Decimal

from bench.jobs import Outcome, Record
from bench.measure import Process


def record(
    job: str,
    *,
    bars: int = 100_000,
    loop_s: float = 0.5,
    wall_s: float = 2.0,
    peak_mb: float = 200,
    orders: int = 2250,
    final_equity: str = "9024.160896",
) -> Record:
    """Make one run's record; what is left out is within every goal."""
    process = Process(wall_s, wall_s, peak_mb, 0, "", "")
    return Record(job, bars, process, Outcome("1.0", loop_s, orders, Decimal(final_equity)), 17.0, 0.5)
