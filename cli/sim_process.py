"""Worker processes as `agentic up` has them: started, waited for, told to stop, killed."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from uuid import UUID

from cli.sim_worker import SETTLED, TRY_AGAIN


class Process:
    """A worker as a process of this machine, the first of a group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def wait(self) -> str | None:
        return ended(await self._process.wait())

    def tell(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        if self._process.returncode is None:  # else its number may be another's by now
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def ended(code: int) -> str | None:
    """What became of a worker, by its exit code; None where it ended in order."""
    if code in (SETTLED, TRY_AGAIN):
        return None
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


async def launch(run_id: UUID, worker: str) -> Process:
    """Start a worker process. Its stdin stays open for as long as this process lives: that is how it knows."""
    return Process(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a folder called `cli` where the command was started is not ours
            "-m",
            "cli.sim_worker",
            str(run_id),
            worker,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the program, which then tells its workers
        )
    )
