"""`make chaos`: lives many lives, each of a seed, and says which did not end well and how to see them again."""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import monotonic

import asyncpg

from db.connection import prepare_connection
from db.embedded import Attached, attach
from db.login import APP_ROLE
from db.pool import Database
from tests.chaos.lives import Life, lived
from tests.chaos.plans import Kind, plan_of
from tests.databases import OWNER_ID, make_template, one_of
from tests.integration.simulator.samples import keep_market

REPORT_EVERY = 25


def main() -> int:
    """Live the seeds that were asked for. Gives 1 where one did not end well."""
    asked = _arguments()
    seeds = [asked.seed] if asked.seed is not None else range(asked.start, asked.start + asked.seeds)
    began, failed, total = monotonic(), [], Counter[str]()
    with tempfile.TemporaryDirectory() as folder, attach(Path(folder), durable=False) as server:
        asyncio.run(make_template(server))
        for count, life in enumerate(_lives(server, list(seeds), asked), 1):
            total += life.counts
            if life.faults:
                failed.append(life.seed)
            if life.faults or asked.seed is not None:
                _tell(life, asked)
            if count % REPORT_EVERY == 0:
                print(f"{count} of {len(seeds)} lives, {len(failed)} ended badly", flush=True)
    print(f"{len(seeds)} lives in {monotonic() - began:.0f} s: {len(failed)} ended badly")
    print(", ".join(f"{count} {what}" for what, count in sorted(total.items())))
    if failed:
        print(f"seeds that ended badly: {' '.join(map(str, sorted(failed)))}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many lives (500)")
    parser.add_argument("--start", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="this one life, with its plan and what struck where")
    parser.add_argument("--kind", choices=[kind.name for kind in Kind], help="one kind of fault only")
    parser.add_argument("--workers", type=int, default=2, help="how many lives at once (2)")
    return parser.parse_args()


def _lives(server: Attached, seeds: list[int], asked: argparse.Namespace) -> Iterator[Life]:
    kind = None if asked.kind is None else Kind[asked.kind]
    if len(seeds) == 1:
        yield _live(server, seeds[0], kind)
        return
    with ProcessPoolExecutor(asked.workers) as pool:
        lives = {pool.submit(_live, server, seed, kind): seed for seed in seeds}
        for done in as_completed(lives):
            error = done.exception()
            yield done.result() if error is None else _broken_off(lives[done], kind, error)


def _broken_off(seed: int, kind: Kind | None, error: BaseException) -> Life:
    return Life(seed, str(plan_of(seed, kind)), [f"it broke off: {error!r}"], [], Counter(lives=1))


def _live(server: Attached, seed: int, kind: Kind | None) -> Life:
    logging.disable(logging.CRITICAL)
    return asyncio.run(_in_a_database(server, seed, kind))


async def _in_a_database(server: Attached, seed: int, kind: Kind | None) -> Life:
    async with one_of(server) as url:
        database = await Database.open(url, user=APP_ROLE)
        admin = await asyncpg.connect(url)
        try:
            await prepare_connection(admin)
            await keep_market(database, hours=200)
            return await lived(database, admin, OWNER_ID, plan_of(seed, kind))
        finally:
            await admin.close()
            await database.close()


def _tell(life: Life, asked: argparse.Namespace) -> None:
    kind = f" --kind {asked.kind}" if asked.kind else ""
    print(f"\n{life.plan}")
    for line in life.struck:
        print(f"  struck {line}")
    for line in life.faults:
        print(f"  FAULT {line}")
    print(f"  {', '.join(f'{count} {what}' for what, count in sorted(life.counts.items()))}")
    print(f'  again: make chaos ARGS="--seed {life.seed}{kind}"\n', flush=True)


if __name__ == "__main__":
    sys.exit(main())
