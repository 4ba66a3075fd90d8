"""One run of the queue, carried out in a process of its own: `python -m cli.sim_worker RUN WORKER`.

`agentic up` starts it, with WORKER as the name under which it took the run, and needs to know of it only how it ended.
It prints nothing, runs at a low priority, and reads its settings from the environment, as the command itself does. It
stops in order, saving the run and putting it back, when it is sent SIGTERM or when its stdin ends: that is how it
learns that whoever started it is gone.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from uuid import UUID

NICENESS = 10
"""How far behind other processes it stands: whatever ticks, goes first."""

SETTLED = 0
"""The run's row says what became of it, or that it waits for the next worker."""
TRY_AGAIN = 75
"""Nothing is wrong with the run: its database could not be reached. (The number is EX_TEMPFAIL of sysexits.)"""


async def carry_out(run_id: UUID, worker: str) -> int:
    """Carry a run out until it is over, or this process is told to stop; give the process's exit code."""
    from cli.boot import house
    from db.errors import DatabaseError
    from db.runs import RunLost
    from simulator.run import execute
    from simulator.spec import SimulationError

    task = asyncio.current_task()
    assert task is not None
    _when_told_to_stop(task.cancel)
    try:
        async with house() as home:
            await execute(home.database, run_id, worker, home.provider, of_queue=True)
    except (SimulationError, RunLost, asyncio.CancelledError):
        return SETTLED
    except DatabaseError as error:
        print(error, file=sys.stderr)
        return TRY_AGAIN
    return SETTLED


def _when_told_to_stop(stop: Callable[[], object]) -> None:
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def heard() -> None:
        if not os.read(stdin, 1024):
            loop.remove_reader(stdin)
            stop()

    loop.add_reader(stdin, heard)
    loop.add_signal_handler(signal.SIGTERM, stop)


def main() -> int:
    """Carry out the run that the command line names."""
    os.nice(NICENESS)
    _, run_id, worker = sys.argv
    return asyncio.run(carry_out(UUID(run_id), worker))


if __name__ == "__main__":
    sys.exit(main())
