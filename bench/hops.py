"""One job for actors, by one who does it: `python -m bench.hops agentic|queue|deque JOB [uvloop]`. Prints JSON.

The jobs: *tell* messages as fast as they are handled; *ask*, one after the other and by many at once; *spawn* many and
stop them; *crash* and be answered by the replacement; *tick*: many ask one once a second, each by a timer of its own.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any, Protocol

OURS = "agentic"
TELLS, ASKS, ASKERS, CRASHES, ACTORS = 500_000, 50_000, 64, 3_000, 10_000
WARM_UP_S, TICK_S = 4.0, 10.0
CAPACITY = 1_024


class One(Protocol):
    """An actor that counts, as the jobs see it: what it was sent in this life, the asked one counted."""

    @property
    def tell(self) -> Callable[[Any], Awaitable[None]]: ...

    @property
    def ask(self) -> Callable[[Any], Awaitable[int]]: ...


class Side(Protocol):
    """Who does the job."""

    message: Any
    crash: Any  # a message that is one

    def actor(self, capacity: int) -> One:
        """Start an actor."""

    def ticker(self, center: One, offset_ms: int, took_s: list[float], late_s: list[float]) -> object:
        """Start an actor that asks another at an offset in each second; it notes how long that took, and how late."""

    async def close(self) -> None:
        """Stop all actors, and wait until they have ended."""


def percentiles_us(seconds: list[float]) -> dict[str, float]:
    """The 50th and the 99th percentile of some times, in µs."""
    hundredths = quantiles(seconds, n=100, method="inclusive")
    return {"p50_us": hundredths[49] * 1e6, "p99_us": hundredths[98] * 1e6}


async def tell(side: Side) -> dict[str, float]:
    """Tell one actor, waiting for room, until it has handled all."""
    actor, message = side.actor(CAPACITY), side.message
    begun = time.perf_counter()
    for _ in range(TELLS):
        await actor.tell(message)
    assert await actor.ask(message) == TELLS + 1
    return {"per_s": TELLS / (time.perf_counter() - begun)}


async def ask(side: Side) -> dict[str, float]:
    """Ask one actor, one after the other, then by many at once."""
    actor, message = side.actor(CAPACITY), side.message
    took = []
    for _ in range(ASKS):
        begun = time.perf_counter()
        await actor.ask(message)
        took.append(time.perf_counter() - begun)

    async def ask_on() -> None:
        for _ in range(ASKS // ASKERS):
            await actor.ask(message)

    begun = time.perf_counter()
    await asyncio.gather(*(ask_on() for _ in range(ASKERS)))
    return {**percentiles_us(took), "at_once_per_s": ASKS / (time.perf_counter() - begun)}


async def spawn(side: Side) -> dict[str, float]:
    """Start many, have each answer, and stop them all."""
    begun = time.perf_counter()
    actors = [side.actor(64) for _ in range(ACTORS)]
    await asyncio.gather(*(actor.ask(side.message) for actor in actors))
    up = time.perf_counter()
    await side.close()
    return {"spawn_s": up - begun, "stop_s": time.perf_counter() - up}


async def crash(side: Side) -> dict[str, float]:
    """Have one crash again and again; each time until the replacement answers."""
    actor, took = side.actor(64), []
    for _ in range(CRASHES):
        begun = time.perf_counter()
        await actor.tell(side.crash)
        assert await actor.ask(side.message) == 1
        took.append(time.perf_counter() - begun)
    return percentiles_us(took)


async def tick(side: Side) -> dict[str, float]:
    """Many actors, each of which asks one and the same once a second."""
    center, took, late = side.actor(100_000), list[float](), list[float]()
    before_kb = _resident_kb()
    dice = Random(1)
    for _ in range(ACTORS):
        side.ticker(center, dice.randrange(1000), took, late)
    await asyncio.sleep(WARM_UP_S)
    each_kb = (_resident_kb() - before_kb) / ACTORS
    took.clear()
    late.clear()
    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.sleep(TICK_S)
    cpu_share = (time.process_time() - cpu) / (time.perf_counter() - begun)
    lateness = percentiles_us(late)
    answered = len(took) / (ACTORS * TICK_S)
    return {
        **percentiles_us(took),
        "late_p50_us": lateness["p50_us"],
        "late_p99_us": lateness["p99_us"],
        "cpu_share": cpu_share,
        "each_kb": each_kb,
        "answered": answered,
    }


def _resident_kb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


JOBS = {job.__name__: job for job in (tell, ask, spawn, crash, tick)}


def side_of(name: str) -> Side:
    """Who does the job, by name."""
    if name == OURS:
        from bench.kernel_side import Kernel

        return Kernel()
    from bench.limits.bare_actors import Bare

    return Bare(name)


async def main(name: str, job: str) -> None:
    """Do one job, and print what it took."""
    side = side_of(name)
    print(json.dumps(await JOBS[job](side)))
    await side.close()


if __name__ == "__main__":
    who, what, *loop = sys.argv[1:]
    if loop == ["uvloop"]:
        import uvloop  # type: ignore[import-not-found]  # where there is one

        uvloop.run(main(who, what))
    else:
        asyncio.run(main(who, what))
