"""Somebody who spends on models: random calls, each set aside, and settled for what it did cost.

As a process: `python -m tests.integration.db.spender DSN USER SEED CALLS` spends side by side in four tasks and says
with its last line what it settled. With `die` for CALLS it sets one call aside, says so, and waits to be killed.
"""

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from random import Random
from uuid import UUID

from db.inference import PostgresLedger
from db.login import APP_ROLE
from db.pool import Database
from domain.inference import Budget, BudgetReached, CallRecord, Reply, Usage
from domain.money import ZERO

RUN_LIMIT, DAY_LIMIT, ALL_LIMIT = Decimal("3"), Decimal("7"), Decimal("10")
DAY = "2025-01-01"
WORST_TO_DIE_FOR = Decimal("1.25")
_ROOT = Path(__file__).parents[3]


def budgets(run: str) -> list[Budget]:
    """The budgets of a call of this run, on the one day that there is."""
    return [
        Budget(f"run:{run}", RUN_LIMIT, "the run"),
        Budget(f"day:{DAY}", DAY_LIMIT, "your day"),
        Budget(f"all:{DAY}", ALL_LIMIT, "the day of all"),
    ]


def call(key: str, cost_usd: Decimal | None = None, text: str = "hold") -> CallRecord:
    """A call that was answered with a text."""
    outcome = Reply(({"type": "text", "text": text},), "end_turn", Usage(10, 2))
    return CallRecord(key, {"message 0": key}, "a-model", outcome, cost_usd)


async def spend(ledger: PostgresLedger, run: str, random: Random, calls: int) -> Decimal:
    """Make so many calls, as far as the budgets let it. Gives what was settled."""
    settled = ZERO
    for number in range(calls):
        worst = Decimal(random.randrange(1, 400)) / 1000
        wanted = budgets(run)
        random.shuffle(wanted)
        try:
            await ledger.reserve(wanted, worst)
        except BudgetReached:
            continue
        cost = worst * random.randrange(0, 1001) / 1000
        await ledger.settle(wanted, worst, cost, call(f"{run}-{number}", cost))
        settled += cost
    return settled


def start(dsn: str, user_id: UUID, seed: int, calls: int | str) -> "subprocess.Popen[str]":
    """Start such a process."""
    command = [sys.executable, "-m", "tests.integration.db.spender", dsn, str(user_id), str(seed), str(calls)]
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)


async def _main(dsn: str, user: str, seed: str, calls: str) -> None:
    database = await Database.open(dsn, user=APP_ROLE)
    ledger = PostgresLedger(database, UUID(user), route="r")
    if calls == "die":
        await ledger.reserve(budgets("dying"), WORST_TO_DIE_FOR)
        print("set aside", flush=True)
        await asyncio.Event().wait()
    tasks = [spend(ledger, f"{user[-1]}-{n % 2}", Random(f"{seed} {n}"), int(calls)) for n in range(4)]
    print(sum(await asyncio.gather(*tasks)))
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
