"""The poison test of a whole model's run: requests, tools of an MCP server, decisions and journal.

The model answers by a digest of the whole request, and what it says comes back to it as a memo. So one byte of the
future in anything that it is shown would change every request that follows.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest

from agent import context
from agent.language import LanguageTrader
from agent.mcp_servers import McpServers
from agent.outside import Outside
from agent.provider import Provider
from agent.tick import Tick
from agent.tools import Answer
from control import tools
from db.connection import Connection
from db.pool import Database
from domain.inference import Memo
from domain.journal import Entry
from domain.time import HOUR_MS, iso
from simulator.prepare import beginning, replay_of
from simulator.spec import RunSpec
from simulator.traders import trader_of
from skills import skill_md
from skills.catalogue import TRADING_TOOLS
from tests.integration.agent.mcp_samples import program
from tests.integration.simulator.poison import FROM, archive, keep_much, poisoned
from tests.integration.simulator.samples import T0, load_market, skill_text
from tests.standins.brains import digest, turns
from tests.standins.messages_api import StandIn, stand_in
from tests.standins.provider import provider
from tests.standins.steps import Step, call, say

HOURS = 20
SPEC = RunSpec(from_ts=FROM, to_ts=FROM + HOURS * HOUR_MS, cash=Decimal(5_000), mode="live")
SHORT = msgspec.structs.replace(SPEC, to_ts=FROM + 8 * HOUR_MS)
INSTANTS = [FROM + hours * HOUR_MS for hours in (1, 9, HOURS - 2)]
HALFWAY = FROM + 4 * HOUR_MS
BILLED = {
    "input_tokens": 100,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_creation": {},
}
"""Of each request, whatever the stand-in saw before: a cache knows what other runs asked."""
SKILL = skill_md.read(
    skill_text(
        model="anthropic:claude-sonnet-4-6",
        model_params="{}",
        market="{symbols: [BTC, ETH], interval: 1h, bars: 20, funding: true, news: 8}",
        tools=f"[{', '.join(TRADING_TOOLS)}, desk.stories]\nmcp: [desk]",
        risk="{max_leverage: 10, allow_short: true, daily_loss_pct: 99, max_drawdown_pct: 99,"
        " max_actions_per_tick: 50, max_orders_per_hour: 1000, max_orders_per_day: 20000}",
    )
)


def thorough(body: Mapping[str, Any], number: int) -> Step:
    """Ask everything there is to ask; then act in every way; then say by what. What is done goes by what was shown."""
    dice = digest(body)
    side, other = ("buy", "sell") if dice % 2 else ("sell", "buy")
    if turns(body) == 0:
        of_each = [
            (name, {"symbol": symbol, "count": 200})
            for name in ("get_bars", "get_funding")
            for symbol in ("BTC", "ETH")
        ]
        news = {"query": "BTC or absurd", "limit": 20}
        outside = ("desk__stories", {"limit": 1 + dice % 5})
        return call(*of_each, ("get_portfolio", {}), ("get_orders", {}), ("search_news", news), outside)
    if turns(body) == 1:
        return call(
            ("propose_order", {"symbol": "BTC", "side": side, "size": f"0.00{1 + dice % 9}"}),
            ("propose_order", {"symbol": "ETH", "side": other, "size": "0.05"}),
            ("set_protection", {"symbol": "BTC", "stop_px": str(1 + dice % 200_000)}),
            ("cancel_order", {"order": str(dice % 7)}),
            *([("close_position", {"symbol": "ETH"})] if dice % 5 == 0 else []),
        )
    return say(f"I went by {dice}.")


class Run(NamedTuple):
    """What a run sent to the model and decided, each with its instant, the entries of its journal, and its memory."""

    said: list[tuple[int, bytes]]
    entries: list[tuple[Entry, bytes]]
    memos: list[Memo]

    def up_to(self, ts: int) -> tuple[list[bytes], list[bytes]]:
        """What was said up to an instant, and what had happened before it: at it, bars open that nobody knows."""
        said = [text for at, text in self.said if at <= ts]
        return said, [body for entry, body in self.entries if entry.ts < ts]


class Stage(NamedTuple):
    """All that a run is made with."""

    database: Database
    admin: Connection
    owner: UUID
    api: StandIn
    models: Provider
    table: Path

    @asynccontextmanager
    async def poisoned(self, ts: int) -> AsyncIterator[None]:
        """While this lasts, all that comes after an instant is absurd, in our data and in the server's."""
        async with poisoned(self.admin, ts):
            keep_stories(self.table, ts)
            yield
        keep_stories(self.table)


class _Watched:
    """A trader that is decided by another, and notes what was sent at which instant."""

    def __init__(self, inner: Any, api: StandIn) -> None:
        self.said: list[tuple[int, bytes]] = []
        self._inner, self._api = inner, api

    async def decide(self, tick: Tick) -> None:
        before = self._api.calls
        await self._inner.decide(tick)
        self.said += [(tick.ts, asked.raw) for asked in self._api.requests[before:]]


def keep_stories(table: Path, poisoned_from: int | None = None) -> None:
    """Write the server's table: a story an hour; each that comes later absurd, and one the moment after the instant."""
    stories = {T0 + n * HOUR_MS: f"story of hour {n}" for n in range(100)}
    if (ts := poisoned_from) is not None:
        stories = {at: text if at <= ts else f"absurd {text}" for at, text in stories.items()}
        stories[ts + 1_000] = "absurd"
    lines = [json.dumps({"known_at": iso(at), "text": text}) for at, text in sorted(stories.items())]
    table.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the MCP server knows."""
    return tmp_path_factory.mktemp("mcp") / "stories.jsonl"


@pytest.fixture(scope="module")
async def desk(anyio_backend: str, table: Path) -> AsyncIterator[McpServers]:
    """An honest server."""
    servers = serving(table)
    yield servers
    await servers.close()


def serving(table: Path, **env: str) -> McpServers:
    """The stand-in, with its table."""
    return McpServers({"desk": program(env={"STANDIN_TABLE": str(table), **env}, as_of="as_of")})


@pytest.fixture
async def stage(
    database: Database, admin: Connection, owner: UUID, desk: McpServers, table: Path
) -> AsyncIterator[Stage]:
    """A market, a model, and an MCP server whose stories are approved."""
    await keep_much(database)
    keep_stories(table)
    await tools.approve_tools(database, owner, desk, "desk", ["stories"])
    async with stand_in(thorough, usage=BILLED) as api:
        yield Stage(database, admin, owner, api, provider(api.url, servers=desk), table)


async def made(stage: Stage, spec: RunSpec, memos: Sequence[Memo] = ()) -> Run:
    """Carry a run of the Skill out, on the market as the administrator's transaction has it."""
    market = await load_market(stage.admin, SKILL, spec, archive(stage.admin))
    trader, _ = await trader_of(stage.database, stage.owner, SKILL, spec, SKILL.caps, stage.models, None)
    watched = _Watched(trader, stage.api)
    begin = msgspec.structs.replace(beginning(spec), memos=list(memos))
    replay = replay_of(SKILL, spec, market, watched, begin, "the same name whatever the data")
    stretch = await replay.run(10**9)
    decided = [
        (one.tick_ts, msgspec.json.encode(msgspec.structs.replace(one, context_digest="")))
        for one in stretch.decisions
    ]
    return Run([*watched.said, *decided], list(stretch.entries), stretch.end.memos)


async def test_nothing_of_what_comes_later_reaches_a_model(stage: Stage) -> None:
    """Every request, decision and entry up to an instant is the same to the byte; later ones are not."""
    clean = await made(stage, SPEC)
    texts = [text for _, text in clean.said]
    assert len(texts) == HOURS * (3 + 1)
    assert all(f'"name":"{name}"'.encode() in texts[1] for name in (*TRADING_TOOLS, "desk__stories"))
    assert b"story of hour 24" in texts[1]
    assert b"BTC 24" in texts[0]
    assert len(clean.entries) > HOURS

    for ts in INSTANTS:
        async with stage.poisoned(ts):
            found = await made(stage, SPEC)
        assert found.up_to(ts) == clean.up_to(ts)
        assert found.up_to(ts + HOUR_MS) != clean.up_to(ts + HOUR_MS)
    assert await made(stage, SPEC) == clean
    assert not await is_caught(stage)


async def is_caught(stage: Stage, remember: Callable[[Run], Sequence[Memo]] = lambda run: ()) -> bool:
    """Whether the poison shows before its instant. `remember` says what of an earlier run a run begins with."""

    async def run() -> Run:
        first = await made(stage, SHORT)
        memos = remember(first)
        return await made(stage, SHORT, memos) if memos else first

    clean = await run()
    async with stage.poisoned(HALFWAY):
        return (await run()).up_to(HALFWAY) != clean.up_to(HALFWAY)


async def test_a_server_that_ignores_the_instant_is_caught(stage: Stage) -> None:
    """It answers from what it knows today."""
    servers = serving(stage.table, STANDIN_PEEKS="1")
    try:
        assert await is_caught(stage._replace(models=provider(stage.api.url, servers=servers)))
    finally:
        await servers.close()


async def test_a_memory_of_the_future_is_caught(stage: Stage) -> None:
    """A run that begins with what an earlier run of the same hours decided at their end."""
    assert await is_caught(stage, lambda run: run.memos)


async def _an_hour_late(self: Outside, wire: str, arguments: dict[str, Any], ts: int) -> Answer:
    return await _call(self, wire, arguments, ts + HOUR_MS)


async def _with_the_open_bar(self: LanguageTrader, tick: Tick) -> str:
    view = tick.bars("BTC")
    still_open = msgspec.structs.replace(view, count=view.count + 1).lines(1)
    return await _context_of(self, tick) + "".join(still_open)


async def _with_all_news(self: LanguageTrader, tick: Tick) -> str:
    later = tick.past.history.as_of(tick.ts + HOUR_MS)
    news = await later.latest_news(tick.skill.market.symbols, 3)
    return context.assemble(tick, tick.memos, news, caps=SKILL.caps).text


_call, _context_of = Outside.call, LanguageTrader.context_of


@pytest.mark.parametrize(
    ("who", "what", "peek"),
    [
        (Outside, "call", _an_hour_late),
        (LanguageTrader, "context_of", _with_the_open_bar),
        (LanguageTrader, "context_of", _with_all_news),
    ],
    ids=["a tool asked too late", "the open bar", "later news"],
)
async def test_a_peek_of_ours_is_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, who: type, what: str, peek: Any
) -> None:
    """A server asked an instant too late, the bar that is open, a headline of the next hour."""
    monkeypatch.setattr(who, what, peek)
    assert await is_caught(stage)
