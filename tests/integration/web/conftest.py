"""The page over a real database, reached over a real socket; time stands still unless it is moved."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from cli.skill_starter import STARTER
from control import skills
from control.access import Access
from db import runs as store
from db.pool import Database
from domain.time import ManualClock, parse_ts
from web.app import make_app
from web.sign_in import SignIn

NOW = parse_ts("2030-01-01")


class Site(msgspec.Struct):
    """A served page: a client that follows no redirects, the desk where one signs in, and what it announced."""

    client: TestClient
    desk: SignIn
    clock: ManualClock
    announced: list[str]

    async def sign_in(self) -> None:
        """Sign the client in with a code."""
        answer = await self.client.get("/sign-in", params={"code": self.desk.issue()}, allow_redirects=False)
        assert answer.status == 303


@pytest.fixture
async def site(database: Database, owner: UUID) -> AsyncIterator[Site]:
    """A page of this test's own, that nobody is signed in to."""
    clock, announced, numbers = ManualClock(NOW), list[str](), count(1)
    desk = SignIn(owner, clock, lambda: f"token-{next(numbers)}", announced.append)
    server = TestServer(make_app(Access(database, clock), desk), host="127.0.0.1")
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as client:
        yield Site(client, desk, clock, announced)


@pytest.fixture
async def signed_in(site: Site) -> Site:
    """The same, signed in as the owner."""
    await site.sign_in()
    return site


@pytest.fixture
async def version_id(database: Database, owner: UUID) -> UUID:
    """A Skill of the owner's to run."""
    return (await skills.save(database, owner, STARTER.format(name="btc-trend"))).id


async def ask(database: Database, user_id: UUID, version_id: UUID, **settings: Any) -> UUID:
    """A run that waits."""
    config = {"from_ts": parse_ts("2024-01-01"), "to_ts": parse_ts("2024-10-01"), **settings}
    async with database.as_user(user_id) as connection:
        return await store.create_run(connection, user_id, version_id, config)


async def finish(database: Database, run_id: UUID, *, synthetic: bool = False, **figures: Any) -> None:
    """Bring a run to its end with results."""
    metrics = {
        "total_return": 0.1359,
        "net_return": 0.1359,
        "sharpe": None,
        "max_drawdown": -0.1267,
        "trades": 20,
        "baselines": {"buy-and-hold": {"total_return": 0.061}},
        **figures,
    }
    manifest = {
        "skill": {"market": {"symbols": ["BTC", "ETH"]}},
        "data": [{"symbol": "BTC", "kind": "bars", "synthetic": synthetic}],
    }
    async with database.as_worker() as connection:
        assert await store.claim_run(connection, "worker", run_id)
        await store.finish_run(
            connection,
            run_id,
            "worker",
            manifest=manifest,
            metrics=metrics,
            digests={},
            baselines={},
            warnings=["one", "two"],
        )


async def stop(database: Database, run_id: UUID, status: str, error: str | None) -> None:
    """Have a run stop before its end."""
    async with database.as_worker() as connection:
        assert await store.claim_run(connection, "worker", run_id)
        await store.save_chunk(connection, run_id, "worker", store.Chunk(0.625))
        if status != "running":
            await store.stop_run(connection, run_id, "worker", status, error)
