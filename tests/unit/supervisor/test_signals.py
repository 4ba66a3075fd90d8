"""Being told to stop."""

import asyncio
import os
import signal

import pytest

from actors.kernel import settle
from supervisor.signals import SIGNALS, end_the_rest, stop_signals
from tests.unit.supervisor.parts import Diary


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM alike, and nothing is interrupted."""
    with stop_signals() as stop:
        os.kill(os.getpid(), number)
        await stop.wait()


async def test_afterwards_signals_do_what_they_did_before() -> None:
    """A second Ctrl-C interrupts, a second SIGTERM ends the process."""
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()

        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_left_at_the_end_is_cancelled_and_not_waited_for() -> None:
    """What does not let itself be cancelled is counted; closing the loop would wait for it without end."""

    async def main() -> None:
        diary = Diary()
        tasks = [asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(diary.stubborn())]
        await settle()
        left = await end_the_rest(timeout_s=0.01)
        diary.release.set()
        await asyncio.wait(tasks)

        assert left == 1
        assert tasks[0].cancelled()
        assert await end_the_rest() == 0

    asyncio.run(main())
