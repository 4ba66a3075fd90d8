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
