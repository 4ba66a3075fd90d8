"""The gate before a key: so many at once, in order, and nobody while the provider wants peace."""

import asyncio

from agent.gate import Gate


class Time:
    """Seconds that pass when somebody waits, and not otherwise."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


async def test_only_so_many_are_inside_at_once_and_they_come_in_order() -> None:
    """Ten callers before a gate of three: never a fourth inside, first come, first served."""
    gate, inside, most, order = Gate(3), 0, 0, []
    doors = [asyncio.Event() for _ in range(10)]

    async def call(number: int) -> None:
        nonlocal inside, most
        async with gate.passed():
            order.append(number)
            inside += 1
            most = max(most, inside)
            await doors[number].wait()
            inside -= 1

    calls = [asyncio.create_task(call(number)) for number in range(10)]
    for number in (2, 0, 1, 5, 4, 3, 8, 7, 6, 9):  # they end in another order than they began
        while number not in order:
            await asyncio.sleep(0)
        doors[number].set()
        await calls[number]

    assert (most, order) == (3, list(range(10)))


async def test_a_slow_call_keeps_one_place_and_blocks_nobody() -> None:
    """While one waits for its answer, all the others come and go through the place that is left."""
    gate, never = Gate(2), asyncio.Event()

    async def slow() -> None:
        async with gate.passed():
            await never.wait()

    waiting = asyncio.create_task(slow())
    await asyncio.sleep(0)
    passed = 0
    for _ in range(50):
        async with gate.passed():
            passed += 1
    assert (passed, waiting.done()) == (50, False)
    waiting.cancel()


async def test_while_it_is_closed_nobody_passes() -> None:
    """A key that must wait waits for all its callers alike; the longest wait that was asked for counts."""
    time = Time()
    gate = Gate(4, now=time.now, sleep=time.sleep)
    gate.close(30)
    gate.close(5)

    async def call() -> float:
        async with gate.passed():
            return time.now_s

    assert min(await asyncio.gather(*(call() for _ in range(8)))) >= 30


async def test_a_caller_that_gives_up_leaves_its_place() -> None:
    """Cancelled while it waits or while it is inside, it takes no place along."""
    gate, never = Gate(1), asyncio.Event()

    async def stay() -> None:
        async with gate.passed():
            await never.wait()

    inside, outside = asyncio.create_task(stay()), asyncio.create_task(stay())
    await asyncio.sleep(0)
    outside.cancel()
    inside.cancel()
    await asyncio.gather(inside, outside, return_exceptions=True)
    async with gate.passed():
        pass
