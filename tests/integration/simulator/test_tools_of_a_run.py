"""The tools of an MCP server in a run: as they were approved when it began, to its end, or with one line instead."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agent.mcp_servers import McpServers
from agent.provider import Provider
from control import run_bundle, run_check, runs, tools
from control.errors import Invalid
from db.pool import Database
from domain.time import HOUR_MS
from simulator.run import Finished, execute
from tests.integration.agent.mcp_samples import program
from tests.integration.simulator.samples import DAYS, LATER, T0, keep_market, row_of, skill_text
from tests.integration.simulator.thinking import ask
from tests.standins.brains import digest, symbols, turns
from tests.standins.messages_api import StandIn, stand_in
from tests.standins.provider import NO_MODELS, provider
from tests.standins.steps import Step, call, say

PERIOD: dict[str, Any] = {"from_ts": T0 + 30 * HOUR_MS, "to_ts": T0 + 36 * HOUR_MS}
TEXT = skill_text(
    name="reader",
    model="anthropic:claude-sonnet-4-6",
    model_params="{}",
    tools="[get_portfolio, propose_order, desk.stories]\nmcp: [desk]",
)


def reader(body: Mapping[str, Any], number: int) -> Step:
    """Asks the server, then trades by what was answered."""
    if turns(body) == 0:
        return call("desk__stories", {"limit": 2})
    if turns(body) == 1:
        side = "buy" if digest(body) % 2 else "sell"
        return call("propose_order", {"symbol": symbols(body)[0], "side": side, "size": "0.01"})
    return say("I went by the stories.")


@asynccontextmanager
async def serving(api: StandIn, **env: str) -> AsyncIterator[Provider]:
    """A process with a key, and the server as it is now."""
    servers = McpServers({"desk": program(env=env, as_of="as_of")})
    yield provider(api.url, servers=servers)
    await servers.close()


@pytest.fixture
async def api(database: Database) -> AsyncIterator[StandIn]:
    """The model's API, and a market."""
    await keep_market(database, hours=60)
    async with stand_in(reader) as opened:
        yield opened


class Cut(Exception):
    """Something that nobody expected."""


async def begun(database: Database, owner: UUID, models: Provider) -> UUID:
    """A run that was cut after its first tick."""

    def progress(done: int, total: int) -> None:
        raise Cut

    await approve(database, owner, models)
    (run_id,) = await ask(database, owner, models, TEXT, **PERIOD)
    with pytest.raises(Cut):
        await execute(database, run_id, "a worker", models, progress, most_bars=1)
    return run_id


async def approve(database: Database, owner: UUID, models: Provider) -> None:
    """Approve the server's stories as they are now."""
    assert models.servers
    await tools.approve_tools(database, owner, models.servers, "desk", ["stories"])


async def stopped(database: Database, owner: UUID, run_id: UUID, models: Provider) -> str:
    """Carry a run on that must stop; gives the line that it leaves."""
    with pytest.raises(Invalid) as caught:
        await runs.carry_out(database, run_id, models)
    said = str(caught.value)
    assert "\n" not in said
    assert (
        said.removesuffix(f"; run {run_id} can be resumed") == (await row_of(database, owner, run_id)).error
    )
    return said


async def replayed(database: Database, owner: UUID) -> Finished:
    """The whole run out of the record."""
    (run_id,) = await ask(database, owner, NO_MODELS, TEXT, mode="replay", **PERIOD)
    return await runs.carry_out(database, run_id, NO_MODELS)


async def test_a_resumed_run_refuses_a_tool_that_changed_and_goes_on_with_the_old_one(
    database: Database, owner: UUID, api: StandIn
) -> None:
    """The line says both ways out; with the server as it was the run ends as if nothing had been."""
    async with serving(api) as models:
        run_id = await begun(database, owner, models)
    async with serving(api, STANDIN_STORIES="Other stories.") as changed:
        said = await stopped(database, owner, run_id, changed)
    asked = api.calls
    async with serving(api) as models:
        done = await runs.carry_out(database, run_id, models)

    assert said == (
        "desk.stories has changed since it was approved; see `agentic tools list`. If it still does what you want, "
        "agentic tools approve desk stories and start anew; or bring its server back as it was; "
        f"run {run_id} can be resumed"
    )
    assert api.calls > asked
    assert done.digests == (await replayed(database, owner)).digests


async def test_a_run_that_began_with_another_form_stops_in_one_line(
    database: Database, owner: UUID, api: StandIn
) -> None:
    """Nobody is asked anything. Once the form it began with is approved again, it goes on."""
    async with serving(api) as models:
        run_id = await begun(database, owner, models)
    asked = api.calls
    async with serving(api, STANDIN_STORIES="Other stories.") as changed:
        await approve(database, owner, changed)
        said = await stopped(database, owner, run_id, changed)
    assert said == (
        f"run {run_id} can't go on: desk.stories is now approved in another form than it began with; start a new run"
    )
    assert api.calls == asked

    async with serving(api) as models:
        await approve(database, owner, models)
        done = await runs.carry_out(database, run_id, models)
    assert done.digests == (await replayed(database, owner)).digests


async def test_a_run_whose_tool_was_revoked_stops_in_one_line(
    database: Database, owner: UUID, api: StandIn
) -> None:
    """It says how to approve it again, after which the run goes on."""
    async with serving(api) as models:
        run_id = await begun(database, owner, models)
        await tools.revoke(database, owner, "desk", ["stories"])
        said = await stopped(database, owner, run_id, models)
        assert said.startswith("desk.stories is not approved; ")
        assert said.endswith("agentic tools approve desk stories")
        await approve(database, owner, models)
        assert (await runs.carry_out(database, run_id, models)).record.inference.calls == 6 * 3


@pytest.mark.parametrize("becomes", ["revoked", "approved in another form"])
async def test_whatever_becomes_of_an_approval_a_run_is_replayed_and_handed_on(
    database: Database,
    another_database: Database,
    owner: UUID,
    api: StandIn,
    tmp_path: Path,
    becomes: str,
) -> None:
    """Here and elsewhere, with neither server nor settings; but a run of one's own needs the approval."""
    async with serving(api) as models:
        await approve(database, owner, models)
        (run_id,) = await ask(database, owner, models, TEXT, **PERIOD)
        done = await runs.carry_out(database, run_id, models)
    if becomes == "revoked":
        await tools.revoke(database, owner, "desk", ["stories"])
    else:
        async with serving(api, STANDIN_STORIES="Other stories.") as changed:
            await approve(database, owner, changed)
    asked, row = api.calls, await row_of(database, owner, run_id)

    again = await run_check.ask_again(database, owner, row)
    here = await run_check.replay_and_compare(database, again, NO_MODELS, done.digests, done.record.manifest)
    await run_bundle.bundle(database, row, tmp_path / "run")
    taken_in, held = await run_bundle.take_in(another_database, owner, tmp_path / "run", LATER + DAYS)
    there = await run_check.replay_and_compare(
        another_database, taken_in, NO_MODELS, held.digests, held.run.manifest
    )
    assert [(one.why, one.differs) for one in (here, there)] == [((), [])] * 2
    assert api.calls == asked
    if becomes == "revoked":
        (run_id,) = await ask(database, owner, NO_MODELS, TEXT, mode="replay", **PERIOD)
        assert "desk.stories is not approved" in await stopped(database, owner, run_id, NO_MODELS)


async def test_a_masked_run_has_none_of_them_and_says_so(
    database: Database, another_database: Database, owner: UUID, api: StandIn, tmp_path: Path
) -> None:
    """A server would name what is hidden. Its run shows no trace of one, and warns; the plain run beside it has all."""
    async with serving(api) as models:
        await approve(database, owner, models)
        ids = await ask(database, owner, models, TEXT, mask=True, **PERIOD)
        plain, masked = [await runs.carry_out(database, run_id, models) for run_id in ids]
    of_the_plain = [asked.raw for asked in api.requests if b"BTC" in asked.raw]
    of_the_masked = [asked.raw for asked in api.requests if b"ASSET-1" in asked.raw]

    assert len(of_the_plain) == len(of_the_masked) == api.calls // 2 == 6 * 3
    assert all(b'"name":"desk__stories","description"' in text for text in of_the_plain)
    assert not any(
        b'"name":"desk__stories","description"' in text or b"MCP" in text for text in of_the_masked
    )
    assert masked.record.inference.malformed == {"unknown_tool": 6}
    assert list(plain.record.manifest["thinking"]["mcp_tools"]) == ["desk.stories"]
    assert masked.record.manifest["thinking"]["mcp_tools"] == {}
    assert masked.record.manifest["mask"]["withheld"] == "news, and the tools of MCP servers"
    withheld = "The tools of MCP servers were withheld, because they speak of the real world."
    assert withheld in masked.record.warnings
    assert withheld not in plain.record.warnings

    masked_row = await row_of(database, owner, ids[1])
    assert (await run_bundle.bundle(database, masked_row, tmp_path / "run")).tools == []
    taken_in, held = await run_bundle.take_in(another_database, owner, tmp_path / "run", LATER + DAYS)
    found = await run_check.replay_and_compare(
        another_database, taken_in, NO_MODELS, held.digests, held.run.manifest
    )
    assert (found.why, found.differs) == ((), [])
