"""The news of a run: part of its data exactly where its Skill reads news, and named by a digest of every word."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from control import runs
from db.connection import Connection
from db.made_up import SYNTHETIC
from db.news import NewsRow, copy_in_news
from db.pool import Database
from domain.time import HOUR_MS
from market.news import NEWS_BACK_MS, StoredNews
from simulator.data import MarketData
from simulator.spec import RunSpec
from skills import skill_md
from tests.integration.simulator.samples import T0, keep_market, load_market, skill_text
from tests.integration.simulator.thinking import PERIOD, TICKS, ask, thinker
from tests.standins.brains import turns
from tests.standins.messages_api import stand_in
from tests.standins.provider import provider
from tests.standins.steps import Step, call, say

SPEC = RunSpec(from_ts=T0 + 40 * HOUR_MS, to_ts=T0 + 60 * HOUR_MS)
SHOWN = {"market": "{symbols: [BTC], interval: 1h, bars: 20, news: 5}"}
TITLES = re.compile(r'"title":"(.*?)"')
SEARCHED = {"tools": "[get_bars, get_portfolio, search_news, propose_order]"}


def story(number: int, ts: int, *symbols: str, body: str = "A body.", source: str = "wire") -> NewsRow:
    return NewsRow(
        source, str(number), ts, None, ts, f"Story {number}", body, None, list(symbols), None, None
    )


STORIES = [
    story(0, SPEC.from_ts - NEWS_BACK_MS - 1, "BTC"),
    story(1, SPEC.from_ts - NEWS_BACK_MS, "BTC"),
    story(2, SPEC.from_ts),
    story(3, SPEC.from_ts + HOUR_MS, "ETH"),
    story(4, SPEC.to_ts - 1, "BTC", "ETH"),
    story(5, SPEC.to_ts, "BTC"),
]


async def loaded(database: Database, *stories: NewsRow, **lines: str) -> MarketData:
    """The data of a run, after some more stories came."""
    async with database.as_worker() as connection:
        await copy_in_news(connection, stories)
        skill = skill_md.read(skill_text(**lines))
        return await load_market(connection, skill, SPEC, StoredNews(database.as_worker))


def entry(data: MarketData) -> dict[str, Any]:
    """What the manifest says of the news."""
    (found,) = [one for one in data.description["series"] if one["kind"] == "news"]
    return dict(found)


@pytest.fixture
async def market(database: Database) -> None:
    """A symbol to trade."""
    await keep_market(database)


@pytest.mark.parametrize("lines", [SHOWN, SEARCHED], ids=["shown", "searched"])
async def test_a_skill_that_reads_news_has_it_in_its_data(
    market: None, database: Database, lines: dict[str, str]
) -> None:
    """What it could come to see: its symbols' and general stories, from thirty days before the run to its end."""
    data = await loaded(database, *STORIES, **lines)
    found = entry(data)
    assert (found["rows"], found["sources"], found["synthetic"]) == (3, 1, False)
    seen = await data.history.as_of(SPEC.to_ts - 1).latest_news(["BTC"], 10)
    assert [row.id for row in seen] == ["4", "2"]  # the first is more than thirty days old by then
    assert len(await data.history.as_of(SPEC.to_ts - 1).search_news("story", ["BTC"], 10)) == 2
    assert data.warnings == ()


async def test_a_skill_without_news_has_none(market: None, database: Database) -> None:
    """Its data is the same whatever stories there are, and none is found."""
    before = await loaded(database)
    data = await loaded(database, *STORIES)
    assert "news" not in {one["kind"] for one in data.description["series"]}
    assert data.digest == before.digest
    assert await data.history.as_of(SPEC.to_ts).latest_news(["BTC"], 10) == []


async def test_the_digest_names_every_word(market: None, database: Database, admin: Connection) -> None:
    """Those behind the part that an agent sees too; stories that can't be seen change nothing."""
    data = await loaded(database, *STORIES, story(6, SPEC.from_ts, "BTC", body="word " * 10_000), **SHOWN)
    again = await loaded(database, story(7, SPEC.to_ts + 1, "BTC"), story(8, SPEC.from_ts, "ETH"), **SHOWN)
    assert again.digest == data.digest
    await admin.execute("update news set body = body || 'end' where id = '6'")
    assert (await loaded(database, **SHOWN)).digest != data.digest


async def test_made_up_news_is_called_so(market: None, database: Database) -> None:
    """One story is enough."""
    data = await loaded(database, *STORIES, story(6, SPEC.from_ts, "BTC", source=SYNTHETIC), **SHOWN)
    assert (entry(data)["synthetic"], entry(data)["sources"]) == (True, 2)


async def test_a_run_without_news_to_read_warns(market: None, database: Database) -> None:
    """Where none became known in it, whatever was known before."""
    data = await loaded(database, STORIES[1], STORIES[3], **SHOWN)
    (warning,) = data.warnings
    assert warning.startswith(
        "The Skill reads news, and none of BTC, nor general news, became known in the run"
    )


def looking_for_news(body: Mapping[str, Any], number: int) -> Step:
    """A mind that searches once in a tick, and holds."""
    return call("search_news", {"query": "story", "limit": 20}) if turns(body) == 0 else say("Held.")


async def test_a_model_is_shown_the_news_of_its_tick(market: None, database: Database, owner: UUID) -> None:
    """In its context and as the answer of its search: all that was known by then and nothing else, at every tick."""
    async with database.as_worker() as connection:
        await copy_in_news(connection, [story(n, PERIOD["from_ts"] + n * HOUR_MS, "BTC") for n in range(60)])
    text = thinker(
        market="{symbols: [BTC], interval: 1h, bars: 5, news: 100}",
        tools="[get_bars, search_news, propose_order]",
    )
    async with stand_in(looking_for_news) as api:
        models = provider(api.url)
        (run_id,) = await ask(database, owner, models, text)
        await runs.carry_out(database, run_id, models)
        bodies = [request.body for request in api.requests]

    answered = [body for body in bodies if turns(body) == 1]
    assert len(answered) == TICKS
    for tick, body in enumerate(answered):
        context, _, answer = (turn["content"][0] for turn in body["messages"])
        known = {f"Story {n}" for n in range(4 * tick + 1)}
        assert set(TITLES.findall(context["text"])) == known
        found = json.loads(answer["content"])["news"]
        assert {one["title"] for one in found} <= known
        assert len(found) == min(20, len(known))
