"""Being told to stop: Ctrl-C and SIGTERM, once to end in order, once more to end now."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Give an event that is set by the first Ctrl-C or SIGTERM, within the running loop.

    A second one is not caught: Ctrl-C then cancels what is still waiting, SIGTERM ends the process.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        stop.set()
        for each in SIGNALS:
            loop.remove_signal_handler(each)

    for each in SIGNALS:
        loop.add_signal_handler(each, told)
    try:
        yield stop
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)


async def end_the_rest(timeout_s: float = 1.0) -> int:
    """Cancel every other task of the loop, and give how many did not end in time.

    Closing the loop would wait for them without end.
    """
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    _, left = await asyncio.wait(rest, timeout=timeout_s) if rest else (set(), set())
    return len(left)
