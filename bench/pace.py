"""How long a run's ticks took, from outside: the time between the calls it kept. `python -m bench.pace DSN CALLS`.

Looks at the newest calls in the record, of which a run with one call a tick has just made as many. In a process of
its own, so that the one that measures stays small.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from statistics import quantiles

import asyncpg

_NEWEST_SQL = "select recorded_at from public.model_calls order by recorded_at desc limit $1"


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th and the 99th percentile of some times, in ms."""
    hundredths = quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": hundredths[49] * 1e3, "p99_ms": hundredths[98] * 1e3}


async def main(dsn: str, calls: int) -> None:
    """Print the percentiles as JSON."""
    connection = await asyncpg.connect(dsn)
    try:
        kept = [row["recorded_at"] for row in await connection.fetch(_NEWEST_SQL, calls)]
    finally:
        await connection.close()
    print(
        json.dumps(percentiles_ms([(later - earlier).total_seconds() for later, earlier in pairwise(kept)]))
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
