"""Being told to stop."""

import os
import signal

import pytest

from supervisor.signals import SIGNALS, stop_signals


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
