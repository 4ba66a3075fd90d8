"""Asking for deployments: every check before anything is kept, and finding them again."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from control import deployments
from control.deployments import DeployRequest, deploy, find, listed, seen, successor
from control.errors import Invalid, NotFound
from db.connection import Connection
from db.heartbeats import Heartbeat, beat
from db.pool import Database
from domain.caps import LOOSEST
from domain.deployments import Status
from domain.feeds import parse_feed
from tests.integration.actors.fleet import process, row_of, until
from tests.integration.control.deployed import FEED, deployed, version_of
from tests.integration.simulator.samples import keep_market, skill_text
from tests.integration.simulator.thinking import SKILL as THINKER
from tests.standins.provider import NO_MODELS, provider

SYNTHETIC = "synthetic@7"
CASH = Decimal(2_500)


async def counted(admin: Connection) -> int:
    """How many accounts and deployments there are."""
    found: int = await admin.fetchval(
        "select (select count(*) from trading_accounts) + (select count(*) from deployments)"
    )
    return found


@pytest.mark.parametrize(
    ("feed", "request_", "why"),
    [
        ("live", {}, "live prices are not here yet; .*--feed replay"),
        (FEED, {"mode": "mainnet"}, "paper first; mainnet is not here yet"),
        (FEED, {"mode": "testnet"}, "paper first"),
        (FEED, {"cash": Decimal(1)}, "--cash must be 10 to"),
        (FEED, {"cash": Decimal("NaN")}, "--cash must be 10 to"),
        (FEED, {"seed": -1}, "--seed must be 0 or more"),
        ("replay:2030-01-01..2030-02-01@max", {}, "bars of BTC reach from"),
        ("replay:2025-01-02T00:30..2025-01-03@max", {}, "FROM .* is not the open of a 1h bar"),
    ],
)
async def test_what_can_not_be_deployed_is_refused_and_nothing_is_kept(
    database: Database, owner: UUID, admin: Connection, feed: str, request_: dict[str, Any], why: str
) -> None:
    """In one line that says what to do."""
    await keep_market(database)

    with pytest.raises(Invalid, match=why) as refused:
        await deployed(database, owner, feed=feed, **request_)

    assert "\n" not in str(refused.value)
    assert await counted(admin) == 0


async def test_a_model_without_a_key_is_refused(database: Database, owner: UUID, admin: Connection) -> None:
    """There would be nobody to decide."""
    await keep_market(database)
    with pytest.raises(Invalid, match="no key for language models"):
        await deployed(database, owner, THINKER)
    assert await counted(admin) == 0

    version = await version_of(database, owner, THINKER)
    request = DeployRequest(parse_feed(FEED))
    assert await deploy(database, owner, version, request, LOOSEST, provider("http://127.0.0.1:9"))


async def test_a_tool_that_is_not_approved_is_refused(database: Database, owner: UUID) -> None:
    """As in a run."""
    text = THINKER.replace("propose_order]", "propose_order, wires.headlines]\nmcp: [wires]")
    version = await version_of(database, owner, text)
    with pytest.raises(Invalid, match=r"wires\.headlines is not approved"):
        await deploy(
            database,
            owner,
            version,
            DeployRequest(parse_feed(SYNTHETIC)),
            LOOSEST,
            provider("http://127.0.0.1:9"),
        )


async def test_there_is_a_bound_to_what_is_open(
    database: Database, owner: UUID, other_user: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each person by themselves."""
    monkeypatch.setattr(deployments, "MOST_OPEN", 1)
    await deployed(database, owner, feed=SYNTHETIC)
    with pytest.raises(Invalid, match="1 deployments are open, which is the most"):
        await deployed(database, owner, feed=SYNTHETIC)
    assert await deployed(database, other_user, feed=SYNTHETIC)


async def test_a_deployment_is_found_by_what_people_call_it(database: Database, owner: UUID) -> None:
    """Its id, the end of it, `last`, or its Skill's name while that is clear."""
    first = await deployed(database, owner, feed=SYNTHETIC)
    for name in (str(first), str(first)[-8:], "last", "sample"):
        assert (await find(database, owner, name)).id == first

    second = await deployed(database, owner, feed=SYNTHETIC)
    assert (await find(database, owner, "last")).id == second
    with pytest.raises(Invalid, match=f"2 deployments of sample are open; .*{str(first)[-8:]}"):
        await find(database, owner, "sample")
    with pytest.raises(NotFound, match="there is no deployment nothing"):
        await find(database, owner, "nothing")


async def test_nobody_sees_another_persons_deployments(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Neither by name nor in a list."""
    mine = await deployed(database, owner, feed=SYNTHETIC)
    for name in (str(mine), "last", "sample"):
        with pytest.raises(NotFound):
            await find(database, other_user, name)
    assert await listed(database, other_user, only_open=False) == []
    with pytest.raises(NotFound):
        await seen(database, other_user, mine)


async def test_what_is_over_is_listed_only_when_asked_for(database: Database, owner: UUID) -> None:
    """With what it came to."""
    await keep_market(database)
    deployment_id = await deployed(database, owner, cash=CASH)

    async def is_over() -> bool:
        return (await row_of(database, deployment_id)).status.is_over

    async with process(database):
        await until(is_over)

    assert await listed(database, owner) == []
    (line,) = await listed(database, owner, only_open=False)
    line, figures = await seen(database, owner, line.row.id)
    assert line.row.status is Status.STOPPED
    assert (await find(database, owner, "sample")).id == deployment_id
    assert figures.start_usd == CASH
    assert figures.fills > 10
    assert line.state is not None
    assert line.state.equity not in (None, CASH)


async def test_it_is_known_whether_anybody_runs_deployments(database: Database) -> None:
    """By the signs of life of those whose part it is."""
    assert not await deployments.is_anybody_running(database)
    for groups, runs in ((["web"], False), (["web", "deployments"], True)):
        async with database.as_worker() as connection:
            await beat(connection, Heartbeat("me", "here", 1, groups, 0, 0, {}))
        assert await deployments.is_anybody_running(database) is runs


async def test_an_upgrade_is_to_a_version_of_the_same_skill_on_the_same_market(
    database: Database, owner: UUID
) -> None:
    """Named by its number, or in full."""
    row = await row_of(database, await deployed(database, owner, feed=SYNTHETIC))
    faster = await version_of(database, owner, skill_text(description="Faster"))
    for name in ("2", "sample@2"):
        assert (await successor(database, owner, row, name, NO_MODELS)).id == faster.id

    elsewhere = await version_of(
        database, owner, skill_text(market="{symbols: [ETH], interval: 1h, bars: 20}")
    )
    with pytest.raises(Invalid, match="trades ETH on 1h bars, not BTC"):
        await successor(database, owner, row, str(elsewhere.number), NO_MODELS)
    await version_of(database, owner, skill_text(name="another"))
    with pytest.raises(Invalid, match="a version of another Skill"):
        await successor(database, owner, row, "another@1", NO_MODELS)
    with pytest.raises(Invalid, match="it is at sample@1 already"):
        await successor(database, owner, row, "1", NO_MODELS)
    with pytest.raises(NotFound, match="there is no sample@9"):
        await successor(database, owner, row, "9", NO_MODELS)
