"""The poison test: whatever is written over all that comes after an instant, nothing up to it changes.

A trader is shown what a model is shown, calls every tool at every tick, and lets what it read decide what it does, so
that one byte of the future that leaked into one answer would change all that follows.
"""

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest

from agent.arguments import Arguments, GetBars
from agent.context import assemble
from agent.tick import Tick
from agent.tools import TOOLS, Tool, Toolbox
from db.connection import Connection
from db.news import NewsRow
from db.pool import Database
from domain.bars import Bar
from domain.inference import Memo
from domain.journal import Entry
from domain.time import HOUR_MS
from market.history import History
from market.news import RunNews
from simulator.prepare import beginning, replay_of
from simulator.spec import RunSpec
from skills import skill_md
from tests.integration.simulator.poison import FROM, QUARTER_MS, archive, keep_much, poisoned
from tests.integration.simulator.samples import load_market, skill_text

HOURS = 72
SPEC = RunSpec(from_ts=FROM, to_ts=FROM + HOURS * HOUR_MS, cash=Decimal(5_000))
FREE = msgspec.structs.replace(SPEC, costs="none")
SKILL = skill_md.read(
    skill_text(
        market="{symbols: [BTC, ETH], interval: 1h, bars: 20, funding: true, news: 8}",
        risk="{max_leverage: 10, allow_short: true, daily_loss_pct: 99, max_drawdown_pct: 99,"
        " max_actions_per_tick: 50, max_orders_per_hour: 1000, max_orders_per_day: 20000, price_band_pct: 50}",
    )
)
INSTANTS = [FROM + hours * HOUR_MS for hours in (1, 30, HOURS - 2)]


class Said(NamedTuple):
    """One answer of one tool, or one snapshot, at an instant."""

    ts: int
    what: str
    text: str


class Run(NamedTuple):
    """All that a run said, and the entries of its journal, each with its bytes."""

    said: list[Said]
    entries: list[tuple[Entry, bytes]]


Show = Callable[[Tick, Sequence[Memo], Sequence[NewsRow]], str]


def shown(tick: Tick, memos: Sequence[Memo], news: Sequence[NewsRow]) -> str:
    """What a model is shown, within a bound that makes room for some of it only."""
    return assemble(tick, memos, news, caps=SKILL.caps, most_tokens=1_500).text


class Curious:
    """Looks at the context and calls every tool at every tick; a digest of all so far decides what it does."""

    def __init__(self, tools: dict[str, Tool], show: Show = shown) -> None:
        self.said: list[Said] = []
        self._show = show
        self._memos: list[Memo] = []
        self._names = list(tools)
        self._box = Toolbox(self._names)
        self._box._tools.update(tools)
        self._digest = b""

    async def decide(self, tick: Tick) -> None:
        news = await tick.past.latest_news(SKILL.market.symbols, SKILL.market.news)
        self._hear(tick.ts, "context", self._show(tick, self._memos[-5:], news))
        self._memos.append(Memo(tick.ts, self._digest.hex()))
        for name in self._names:
            for arguments in CASES[name](tick, self._digest or b"\0\0\0\0"):
                answer = await self._box.call(tick, name, msgspec.json.encode(arguments))
                self._hear(tick.ts, name, answer.text)

    def _hear(self, ts: int, what: str, text: str) -> None:
        self.said.append(Said(ts, what, text))
        self._digest = hashlib.sha256(self._digest + text.encode()).digest()


Case = Callable[[Tick, bytes], list[dict[str, Any]]]


def last(tick: Tick, symbol: str) -> Bar:
    return tick.bars(symbol).last(1)[0]


def proposals(tick: Tick, dice: bytes) -> list[dict[str, Any]]:
    """A market order, and a resting one with protections, both near the last close."""
    side, other = ("buy", "sell") if dice[0] % 2 else ("sell", "buy")
    px = last(tick, "ETH").close
    below, above = (str((px * Decimal(share)).quantize(Decimal(1))) for share in ("0.99", "1.01"))
    wanted: dict[str, Any] = {"symbol": "ETH", "side": other, "size": "0.5"}
    wanted |= {"limit_px": below, "stop_px": str(px // 2), "take_profit_px": above} if other == "buy" else {}
    return [{"symbol": "BTC", "side": side, "size": f"0.0{1 + dice[1] % 9}"}, wanted]


CASES: dict[str, Case] = {
    "get_bars": lambda tick, dice: [{"symbol": s, "count": 1000} for s in ("BTC", "ETH", "SOL")],
    "get_portfolio": lambda tick, dice: [{}],
    "get_orders": lambda tick, dice: [{}],
    "get_funding": lambda tick, dice: [{"symbol": s, "count": 500} for s in ("BTC", "ETH")],
    "search_news": lambda tick, dice: [
        {"query": "btc or absurd", "limit": 20},
        {"query": "moves", "symbols": ["ETH"], "hours": 1 + dice[3] % 9},
        {"query": "news", "symbols": ["SOL"]},
    ],
    "propose_order": proposals,
    "cancel_order": lambda tick, dice: [{"order": n} for n in list(tick.orders)[: dice[0] % 3]],
    "set_protection": lambda tick, dice: [
        {"symbol": "BTC", "stop_px": str(last(tick, "BTC").close * dice[0] // 128)}
    ],
    "close_position": lambda tick, dice: [{"symbol": s} for s in ("BTC", "ETH") if not dice[2] % 5],
}
"""What each tool is asked. A new tool needs its case here; until then the walk through the tools fails."""


@pytest.fixture
async def market(database: Database) -> None:
    """Two symbols with all that a run may read of them."""
    await keep_much(database)


async def replayed(
    admin: Connection, spec: RunSpec, tools: dict[str, Tool] | None = None, show: Show = shown
) -> Run:
    """All that was shown, answered, decided and written down in a run."""
    data = await load_market(admin, SKILL, spec, archive(admin))
    trader = Curious(TOOLS if tools is None else tools, show)
    replay = replay_of(SKILL, spec, data, trader, beginning(spec), "the same name whatever the data")
    stretch = await replay.run(10**9)
    decisions = [
        Said(
            d.tick_ts, "decision", msgspec.json.encode(msgspec.structs.replace(d, context_digest="")).decode()
        )
        for d in stretch.decisions
    ]
    return Run([*trader.said, *decisions], list(stretch.entries))


def up_to(run: Run, ts: int) -> Run:
    """What was said up to an instant, and what had happened before it: at it, bars open that nobody knows."""
    entries = [(entry, body) for entry, body in run.entries if entry.ts < ts]
    return Run([one for one in run.said if one.ts <= ts], entries)


def test_every_tool_has_its_case() -> None:
    """The registry is walked, so that a new tool can't be forgotten."""
    assert CASES.keys() == TOOLS.keys()


@pytest.mark.parametrize("spec", [SPEC, FREE], ids=["default costs", "no costs"])
async def test_nothing_of_what_comes_later_is_known(market: None, admin: Connection, spec: RunSpec) -> None:
    """Every context, answer and snapshot up to an instant is the same to the byte; later ones are not."""
    clean = await replayed(admin, spec)
    assert {one.what for one in clean.said} == {*TOOLS, "context", "decision"}
    for ts in INSTANTS:
        async with poisoned(admin, ts):
            found = await replayed(admin, spec)
        assert up_to(found, ts) == up_to(clean, ts)
        assert found != clean


async def test_hours_alone_keep_their_secret_too(market: None, admin: Connection) -> None:
    """Where fills are made on the very bars that are seen, a later version of one changes no fill before it."""
    await admin.execute(f"delete from bars where interval_ms = {QUARTER_MS}; delete from mark_prices")
    clean = await replayed(admin, SPEC)
    for ts in INSTANTS:
        async with poisoned(admin, ts):
            assert up_to(await replayed(admin, SPEC), ts) == up_to(clean, ts)


async def test_news_is_as_it_was(market: None, admin: Connection) -> None:
    """The newest stories and the best matches as of an instant, word for word."""
    past = History({}, {}, news=archive(admin)).as_of

    async def read(ts: int) -> list[list[NewsRow]]:
        found = [
            await past(ts).latest_news(["BTC"], 50),
            await past(ts).search_news("BTC or absurd", ["BTC"], 50),
        ]
        assert all(len(rows) for rows in found)
        return found

    for ts in INSTANTS:
        clean, later = await read(ts), await read(ts + 1)
        async with poisoned(admin, ts):
            assert await read(ts) == clean
            assert await read(ts + 1) != later


async def _open_candle(tick: Tick, asked: GetBars) -> Any:
    bars = tick.bars(asked.symbol)
    return str(bars._bars.bar(len(bars)).close)


async def _corrected(tick: Tick, asked: GetBars) -> Any:
    series = tick.past.history._bars[asked.symbol]
    return float(series._rows["close"][series._rows["ts"] < tick.ts][-1])


async def _next_rate(tick: Tick, asked: GetBars) -> Any:
    rows = tick.past.history._funding[asked.symbol]
    return float(rows["rate"][rows["settled_at"] > tick.ts][0])


async def _number_of_zeros(tick: Tick, asked: GetBars) -> Any:
    return str(tick.bars(asked.symbol)._bars.tick)


@pytest.mark.parametrize("peek", [_open_candle, _corrected, _next_rate, _number_of_zeros])
async def test_a_tool_that_peeks_is_caught(
    market: None, admin: Connection, peek: Callable[[Tick, GetBars], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candle that is open, a version that is seen tomorrow, the next rate, how finely later prices are kept."""
    monkeypatch.setitem(CASES, "peek", lambda tick, dice: [{"symbol": "BTC"}])
    takes: type[Arguments] = GetBars
    tools = {**TOOLS, "peek": Tool("peek", takes, peek)}
    spec, ts = msgspec.structs.replace(SPEC, to_ts=FROM + 12 * HOUR_MS), FROM + 6 * HOUR_MS

    clean = await replayed(admin, spec, tools)
    async with poisoned(admin, ts):
        assert up_to(await replayed(admin, spec, tools), ts) != up_to(clean, ts)


def _with_the_open_bar(tick: Tick, memos: Sequence[Memo], news: Sequence[NewsRow]) -> str:
    view = tick.bars("BTC")
    return "".join(msgspec.structs.replace(view, count=view.count + 1).lines(5))


def _with_tomorrows_story(tick: Tick, memos: Sequence[Memo], news: Sequence[NewsRow]) -> str:
    run = tick.past.history._news
    assert isinstance(run, RunNews)
    return run._rows[0].title


def _with_the_number_of_stories(tick: Tick, memos: Sequence[Memo], news: Sequence[NewsRow]) -> str:
    run = tick.past.history._news
    assert isinstance(run, RunNews)
    return str(len(run))


@pytest.mark.parametrize("show", [_with_the_open_bar, _with_tomorrows_story, _with_the_number_of_stories])
async def test_a_context_that_peeks_is_caught(market: None, admin: Connection, show: Show) -> None:
    """The candle that is open, a headline of tomorrow, how many stories there will be."""
    spec, ts = msgspec.structs.replace(SPEC, to_ts=FROM + 12 * HOUR_MS), FROM + 6 * HOUR_MS
    clean = await replayed(admin, spec, show=show)
    async with poisoned(admin, ts):
        assert up_to(await replayed(admin, spec, show=show), ts) != up_to(clean, ts)
