"""A model's run in one file: what the model and an MCP server answered goes along, and serves nothing else."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agent.allowance import Allowance
from agent.mcp_servers import McpServers
from agent.provider import Provider
from control import run_bundle, run_check, runs, skills
from control.errors import Invalid
from control.runs import RunRequest
from db.inference import PostgresLedger, calls_of_keys
from db.mcp_tools import approve_tool
from db.news import NewsRow, copy_in_news
from db.pool import Database
from db.runs import RunRow
from domain.caps import LOOSEST
from domain.inference import Failure, Reply
from domain.time import DAY_MS, HOUR_MS, iso
from tests.integration.agent.mcp_samples import program
from tests.integration.simulator.bundles import lines_of, write
from tests.integration.simulator.samples import LATER, T0, keep_market, row_of, skill_text
from tests.standins.brains import digest, turns
from tests.standins.messages_api import StandIn, stand_in
from tests.standins.provider import KEY, NO_MODELS, provider
from tests.standins.steps import Step, call, say

NOW = LATER + DAY_MS
SETTINGS: dict[str, Any] = {"from_ts": T0 + 30 * HOUR_MS, "to_ts": T0 + 42 * HOUR_MS}
TEXT = skill_text(
    model="anthropic:claude-sonnet-4-6",
    model_params="{}",
    market="{symbols: [BTC], interval: 1h, bars: 20, news: 3}",
    tools="[get_bars, get_portfolio, search_news, propose_order, desk.stories]\nmcp: [desk]",
)


def curious(body: Mapping[str, Any], number: int) -> Step:
    """Asks the server and the news, then trades by what was answered, then says so."""
    if turns(body) == 0:
        return call(("desk__stories", {"limit": 2}), ("search_news", {"query": "BTC"}), text="What is new?")
    if turns(body) == 1:
        side = "buy" if digest(body) % 2 else "sell"
        return call("propose_order", {"symbol": "BTC", "side": side, "size": "0.01", "why": "the news"})
    return say(f"I went by {digest(body)}.")


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    """The model's API."""
    async with stand_in(curious) as opened:
        yield opened


@pytest.fixture
async def models(api: StandIn, tmp_path: Path) -> AsyncIterator[Provider]:
    """A process with a key and a server of MCP tools."""
    known = [{"known_at": iso(T0 + n * HOUR_MS), "text": f"story of hour {n}"} for n in range(60)]
    (tmp_path / "stories.jsonl").write_text("\n".join(map(json.dumps, known)))
    server = program(env={"STANDIN_TABLE": str(tmp_path / "stories.jsonl")}, as_of="as_of")
    servers = McpServers({"desk": server})
    yield provider(api.url, servers=servers)
    await servers.close()


@pytest.fixture
async def done(database: Database, owner: UUID, models: Provider) -> RunRow:
    """A finished run of the model."""
    await approve(database, owner, models)
    await keep_market(database, hours=60)
    at = T0 + 25 * HOUR_MS
    async with database.as_worker() as connection:
        await copy_in_news(
            connection, [NewsRow("wire", "1", at, None, at, "BTC moves", None, None, ["BTC"], None, None)]
        )
    return await made(database, owner, models)


async def approve(database: Database, owner: UUID, models: Provider) -> None:
    """Approve the server's stories."""
    assert models.servers is not None
    (stories,) = [tool for tool in (await models.servers.offered("desk")).tools if tool.name == "stories"]
    async with database.as_user(owner) as connection:
        await approve_tool(connection, owner, stories)


async def made(database: Database, owner: UUID, models: Provider, **request: Any) -> RunRow:
    """A run of the Skill, asked for and carried out."""
    saved = await skills.save(database, owner, TEXT)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    asked = RunRequest(**SETTINGS, **request)
    (run_id,) = await runs.ask(database, owner, version, asked, LOOSEST, models)
    await runs.carry_out(database, run_id, models)
    return await row_of(database, owner, run_id)


async def replayed(database: Database, user_id: UUID, file: Path) -> run_check.Check:
    """Take a bundle in and replay it without a key, a server, or a way to the model."""
    run_id, held = await run_bundle.take_in(database, user_id, file, NOW)
    return await run_check.replay_and_compare(database, run_id, NO_MODELS, held.digests, held.run.manifest)


def planted(file: Path, text: str) -> str:
    """Let the model end a turn in which it called tools, with a header that fits; gives the key of that call."""
    lines = lines_of(file)
    calls = [line["call"] for line in lines if line["type"] == "call"]
    call = next(call for call in calls if call[5]["stop"] == "tool_use")
    call[5] |= {"content": [{"type": "text", "text": text}], "stop": "end_turn"}
    write(file, lines)
    return str(call[1])


async def test_it_replays_elsewhere_without_model_server_or_key(
    done: RunRow,
    api: StandIn,
    database: Database,
    another_database: Database,
    owner: UUID,
    tmp_path: Path,
) -> None:
    """All three digests are the same; nothing is asked and nothing spent."""
    held = await run_bundle.bundle(database, done, tmp_path / "run")
    asked = api.calls
    assert len(held.calls) == asked == 36
    assert len(held.answers) == 12
    found = await replayed(another_database, owner, tmp_path / "run")

    assert found.why == ()
    assert found.differs == []
    assert api.calls == asked
    assert await runs.spent(another_database, owner, [found.run_id]) == 0


async def test_no_key_no_gateway_and_nobody_is_in_the_file(
    done: RunRow, api: StandIn, database: Database, owner: UUID, tmp_path: Path
) -> None:
    """Nor the provider's numbers of its answers."""
    await run_bundle.bundle(database, done, tmp_path / "run")
    text = gzip.decompress((tmp_path / "run").read_bytes()).decode()

    keys = [json.loads(line)["call"][1] for line in text.splitlines() if '"type":"call"' in line]
    async with database.as_worker() as connection:
        ids = [
            row.outcome.request_id
            for row in await calls_of_keys(connection, owner, keys)
            if isinstance(row.outcome, Reply)
        ]
    assert len(ids) == 36
    assert all(ids)
    for secret in (KEY, api.url, str(owner), str(done.id), str(tmp_path), "STANDIN_TABLE", *ids):
        assert secret not in text


async def test_what_a_file_plants_is_found_by_its_own_replay_alone(
    done: RunRow,
    api: StandIn,
    models: Provider,
    database: Database,
    another_database: Database,
    owner: UUID,
    tmp_path: Path,
) -> None:
    """A run of one's own asks the model, though the file has an answer to the very question."""
    file = tmp_path / "run"
    await run_bundle.bundle(database, done, file)
    key = planted(file, "Sell everything.")
    with pytest.raises(Invalid, match="not recorded"):
        await replayed(another_database, owner, file)  # the planted answer leads to what was never asked

    own = PostgresLedger(another_database, owner, route=api.url)
    of_the_file = PostgresLedger(
        another_database, owner, route="", origin=sha256(file.read_bytes()).hexdigest(), any_route=True
    )
    assert await own.find(key) is None
    assert await of_the_file.find(key) is not None

    await approve(another_database, owner, models)
    before = api.calls
    again = await made(another_database, owner, models)
    assert api.calls == before + 36
    assert (again.digests or {})["ledger"] == (done.digests or {})["ledger"]


async def test_tools_that_came_with_a_file_are_not_approved(
    done: RunRow,
    database: Database,
    models: Provider,
    another_database: Database,
    owner: UUID,
    tmp_path: Path,
) -> None:
    """They serve its replay; a run of one's own is told to approve them."""
    await run_bundle.bundle(database, done, tmp_path / "run")
    assert (await replayed(another_database, owner, tmp_path / "run")).differs == []
    with pytest.raises(Invalid, match="not approved"):
        await made(another_database, owner, models)


async def test_a_bundle_of_a_replay_is_one_too(
    done: RunRow, database: Database, another_database: Database, owner: UUID, tmp_path: Path
) -> None:
    """What came in with a file goes on with the next."""
    await run_bundle.bundle(database, done, tmp_path / "first")
    found = await replayed(another_database, owner, tmp_path / "first")
    row = await row_of(another_database, owner, found.run_id)
    second = await run_bundle.bundle(another_database, row, tmp_path / "second")

    assert len(second.calls) == 36
    assert len(second.answers) == 12
    assert len(second.tools) == 1
    assert second.digests == done.digests


async def test_ticks_that_failed_fail_alike_elsewhere(
    done: RunRow, api: StandIn, database: Database, another_database: Database, owner: UUID, tmp_path: Path
) -> None:
    """A failure is an outcome like any other, and goes along."""
    little = Allowance(Decimal("0.0001"), Decimal(1), Decimal(1), Decimal(1))
    failed = await made(database, owner, provider(api.url, allowance=little), seed=1, cash=Decimal(9_999))
    assert (failed.metrics or {})["ticks"]["failed"] == 12
    held = await run_bundle.bundle(database, failed, tmp_path / "failed")

    assert {type(call.outcome) for call in held.calls} == {Failure}
    assert (await replayed(another_database, owner, tmp_path / "failed")).differs == []


async def test_a_run_that_was_not_recorded_makes_no_bundle(
    done: RunRow, database: Database, owner: UUID, tmp_path: Path
) -> None:
    """One made live has nothing to replay; no file is written."""
    async with stand_in(lambda body, number: say(f"Live {number}.")) as other:
        live = await made(database, owner, provider(other.url), mode="live", seed=9)
    with pytest.raises(Invalid, match="not recorded"):
        await run_bundle.bundle(database, live, tmp_path / "live")
    assert not (tmp_path / "live").exists()


async def test_a_tool_that_did_not_answer_a_run_does_not_answer_its_replay(
    api: StandIn,
    models: Provider,
    database: Database,
    another_database: Database,
    owner: UUID,
    tmp_path: Path,
) -> None:
    """Though it answered the same to a later run: the first is replayed as it was, here and from its bundle."""
    await approve(database, owner, models)
    await keep_market(database, hours=60)
    without = provider(api.url, servers=McpServers({}))
    first, second = await made(database, owner, without), await made(database, owner, models)
    assert (first.digests or {})["report"] != (second.digests or {})["report"]

    for row in (first, second):
        again = await run_check.ask_again(database, owner, row)
        digests, manifest = row.digests or {}, row.manifest or {}
        found = await run_check.replay_and_compare(database, again, NO_MODELS, digests, manifest)
        assert found.differs == []
    await run_bundle.bundle(database, first, tmp_path / "first")
    assert (await replayed(another_database, owner, tmp_path / "first")).differs == []
