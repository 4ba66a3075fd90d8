"""The masked control of a model's run: what the model is asked has nothing of the real world in it."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from control import run_bundle, run_check, runs, skills
from control.runs import RunRequest
from db.market import load_bars
from db.news import NewsRow, copy_in_news
from db.pool import Database
from db.runs import RunRow
from domain.caps import LOOSEST
from domain.time import DAY_MS, HOUR_MS, iso
from tests.integration.simulator.samples import LATER, T0, keep_market, row_of, skill_text
from tests.standins.brains import symbols, turns
from tests.standins.messages_api import StandIn, stand_in
from tests.standins.provider import NO_MODELS, provider
from tests.standins.steps import Step, call, say

FROM, TO = T0 + 30 * HOUR_MS, T0 + 44 * HOUR_MS
TEXT = skill_text(
    name="btc-by-name",
    description="Trades BTC and ETH",
    model="anthropic:claude-sonnet-4-6",
    model_params="{}",
    market="{symbols: [BTC, ETH], interval: 1h, bars: 20, news: 5, funding: true}",
    tools="[get_bars, get_portfolio, get_orders, get_funding, search_news, propose_order, close_position]",
).replace("You trade.", "You trade BTC against ETH, and know BTC well.")


def thorough(body: Mapping[str, Any], number: int) -> Step:
    """Calls every tool that reads, then buys a share of the equity and rests a bid, then says what it did."""
    first, second = symbols(body)
    if turns(body) == 0:
        reads = [(name, {"symbol": each}) for name in ("get_bars", "get_funding") for each in (first, second)]
        return call(*reads, ("get_portfolio", {}), ("get_orders", {}), ("search_news", {"query": "price"}))
    if turns(body) == 1:
        bars = json.loads(body["messages"][2]["content"][0]["content"])["bars"]
        px = Decimal(bars[-1][4])
        bid = {"symbol": first, "side": "buy", "size": str(500 / px), "limit_px": str(px * Decimal("0.97"))}
        return call(
            ("propose_order", {"symbol": first, "side": "buy", "size": str(200 / px), "why": "a share"}),
            ("propose_order", bid),
        )
    return say("I bought a share, and a bid rests.")


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    """The model's API."""
    async with stand_in(thorough) as opened:
        yield opened


@pytest.fixture
async def both(database: Database, owner: UUID, api: StandIn) -> tuple[RunRow, RunRow]:
    """A run and its masked control."""
    for symbol in ("BTC", "ETH"):
        await keep_market(database, symbol, hours=60)
    at = T0 + 25 * HOUR_MS
    async with database.as_worker() as connection:
        await copy_in_news(
            connection,
            [NewsRow("wire", "1", at, None, at, "The price of BTC", None, None, ["BTC"], None, None)],
        )
    saved = await skills.save(database, owner, TEXT)
    version = await skills.find(database, owner, saved.name)
    request = RunRequest(FROM, TO, mask=True, cutoff_ts=T0 + 40 * HOUR_MS)
    ids = await runs.ask(database, owner, version, request, LOOSEST, provider(api.url))
    for run_id in ids:
        await runs.carry_out(database, run_id, provider(api.url))
    plain, masked = [await row_of(database, owner, run_id) for run_id in ids]
    return plain, masked


def asked_of(api: StandIn, word: str) -> list[str]:
    """The requests with a word in them, whole: system prompt, contexts, tools and their answers."""
    return [asked.raw.decode() for asked in api.requests if word in asked.raw.decode()]


async def test_no_request_has_a_symbol_a_date_a_price_or_news_of_the_real_world(
    both: tuple[RunRow, RunRow], api: StandIn, database: Database
) -> None:
    """Every byte that the model of a masked run was sent, while the plain run's had them all."""
    plain, masked = asked_of(api, "BTC"), asked_of(api, "ASSET-1")
    assert len(plain) == len(masked) == len(api.requests) // 2 == 14 * 3
    real = re.compile(r"btc|\beth\b|bitcoin|ethereum|2025|2026|wire", re.I)
    assert all(real.search(text) for text in plain)
    assert [found[0] for text in masked if (found := real.search(text))] == []

    for symbol in ("BTC", "ETH"):
        async with database.as_worker() as connection:
            bars = await load_bars(connection, symbol, 1 * HOUR_MS, FROM - 20 * HOUR_MS, TO)
        prices = {f"{px:g}" for name in ("open", "high", "low", "close") for px in bars[name].tolist()}
        telling = "|".join(re.escape(px) for px in prices if len(px) > 4)
        levels = re.compile(rf"(?<![\d.])(?:{telling})(?![\d.])")
        assert all(levels.search(text) for text in plain)
        assert [found[0] for text in masked if (found := levels.search(text))] == []


async def test_it_earns_what_the_plain_run_does(both: tuple[RunRow, RunRow]) -> None:
    """A model that goes by what it sees comes to the same within what prices and lots are rounded by."""
    plain, masked = both
    assert plain.metrics is not None
    assert masked.metrics is not None
    assert masked.metrics["fills"] == plain.metrics["fills"] > 10
    assert masked.metrics["total_return"] == pytest.approx(plain.metrics["total_return"], abs=1e-3)


async def test_the_manifest_translates_back(both: tuple[RunRow, RunRow]) -> None:
    """Real names, factors and weeks are told there; the range is the masked one."""
    plain, masked = both
    assert plain.manifest is not None
    assert masked.manifest is not None
    told = masked.manifest["mask"]
    assert "mask" not in plain.manifest
    assert {of["symbol"] for of in told["symbols"].values()} == {"BTC", "ETH"}
    assert masked.manifest["run"]["from_ts"] == FROM + told["weeks_later"] * 7 * DAY_MS
    assert iso(masked.manifest["run"]["from_ts"])[10:] == iso(FROM)[10:]
    assert {one["symbol"] for one in masked.manifest["data"]} == {"ASSET-1", "ASSET-2"}


async def test_a_masked_run_is_read_back_and_handed_on_as_it_is(
    both: tuple[RunRow, RunRow], database: Database, another_database: Database, owner: UUID, tmp_path: Any
) -> None:
    """Its report is that of the masked world, and a bundle of it replays elsewhere."""
    _, masked = both
    page = await runs.report_html(database, owner, masked.id)
    assert "ASSET-1" in page

    await run_bundle.bundle(database, masked, tmp_path / "masked")
    assert run_bundle.read_bundle(tmp_path / "masked").news == []
    run_id, held = await run_bundle.take_in(another_database, owner, tmp_path / "masked", LATER + DAY_MS)
    found = await run_check.replay_and_compare(
        another_database, run_id, NO_MODELS, held.digests, held.run.manifest
    )
    assert (found.why, found.differs) == ((), [])
