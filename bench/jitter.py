"""How late deployments tick beside one that misbehaves: `python -m bench.jitter HOME COUNT MEASURED_S`.

All tick once a second, first left alone, then while one of them is crashed and flooded ten times a second and an actor
beside them never returns from its handler. Prints JSON: the lateness of the others' ticks, in ms.
"""

import asyncio
import json
import logging
import os
import sys
from typing import Any
from uuid import uuid4

from actors.deployment_messages import Ordered
from actors.kernel import Actor, MailboxFull, Message, handles
from actors.ticker import Ticker
from bench.fleet import SKILL, Fleet, Times, measured
from bench.live import are_up, asked_for, carried_out
from cli.boot import house
from supervisor.children import ActorChild
from supervisor.supervisor import Supervisor

EVERY_S = 0.1


class Hang(Message["Hanging"], frozen=True):
    """Never be done with this."""


class Hanging(Actor):
    """Never returns from its handler."""

    @handles(Hang)
    async def hang(self, message: Hang) -> None:
        await asyncio.get_running_loop().create_future()


class Others(Fleet):
    """Times the ticks of all but the first."""

    def ready(self, ticker: Ticker, number: int) -> None:
        super().ready(ticker, number)
        if number == 0:
            ticker.times = Times()  # type: ignore[attr-defined]


async def main(folder: str, count: int, measured_s: float) -> None:
    """Measure the others, undisturbed and disturbed."""
    os.environ["AGENTIC_HOME"] = folder
    logging.disable(logging.CRITICAL)
    async with house() as home:
        ids = await asked_for(home, count, SKILL)
        others = Others()
        async with carried_out(home, ids, 1_000, others.ready) as supervisor:
            await are_up(home, ids, 2)
            calm = await measured(others.times, count - 1, 1, measured_s)
            disturbing = asyncio.ensure_future(_disturb(supervisor, str(ids[0])[-12:]))
            storm = await measured(others.times, count - 1, 1, measured_s)
            disturbing.cancel()
            print(json.dumps({"calm": _of(calm), "storm": _of(storm)}), flush=True)
            os._exit(0)  # what it takes to stop them all is no part of this


def _of(said: dict[str, Any]) -> dict[str, Any]:
    return {"late": said["late"], "ticked": said["ticked"], "others": dict(said["others"])}


async def _disturb(supervisor: Supervisor, ending: str) -> None:
    supervisor.spawn(ActorChild(name="hanging", group="deployments", make=Hanging)).tell(Hang())
    while True:
        for stats in supervisor.system.stats():
            if stats.name.endswith(ending) and (ref := supervisor.find(stats.name)) is not None:
                supervisor.system.restart(ref)
                if stats.name.startswith("deployment:"):
                    try:
                        for _ in range(500):
                            ref.tell(Ordered(uuid4()))
                    except MailboxFull:
                        pass
        await asyncio.sleep(EVERY_S)


if __name__ == "__main__":
    where, many, seconds = sys.argv[1:]
    asyncio.run(main(where, int(many), float(seconds)))
