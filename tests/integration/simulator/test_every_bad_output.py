"""A run in which a model answers everything that no program should trip over, a tick each: kept, told and replayed."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from cli.decision_views import document as document_of
from cli.decision_views import story
from cli.decisions import Decider
from cli.output import to_json
from control import runs, skills
from control.decisions import list_decisions, load_decision
from control.runs import RunRequest
from db.inference import spent
from db.pool import Database
from domain.caps import LOOSEST
from domain.snapshots import TickOutcome
from domain.time import HOUR_MS, parse_ts
from simulator.run import Finished
from tests.integration.simulator.samples import T0, keep_market
from tests.standins.brains import turns
from tests.standins.corpus import BAD_CALLS, BAD_REPLIES, ENDINGS, HARMLESS
from tests.standins.messages_api import stand_in
from tests.standins.provider import KEY, provider
from tests.standins.steps import Step, say

NAMES = list(BAD_REPLIES)
SKILL = """\
---
name: at-its-worst
description: Answers badly
model: anthropic:claude-sonnet-4-6
schedule: 1h
market: {symbols: [BTC], interval: 1h, bars: 5, funding: false}
tools: [get_bars, propose_order, search_news]
risk: {max_leverage: 1, max_order_usd: 500, max_inference_usd_per_run: 40, require_stop: true}
---
You trade.
"""


def at_its_worst(body: Mapping[str, Any], number: int) -> Step:
    """Each hour another bad answer; a hold once it is told what was wrong with it."""
    shown = body["messages"][0]["content"][0]["text"]
    found = re.search(r"^It is (\S+?),", shown, re.MULTILINE)
    assert found is not None
    step = BAD_REPLIES[name_at(parse_ts(found[1]))]
    return say("Understood, I hold.") if turns(body) and not step.fault else step


def name_at(ts: int) -> str:
    """The bad answer of an hour."""
    return NAMES[(ts - T0) // HOUR_MS % len(NAMES)]


async def simulate(database: Database, owner: UUID, url: str | None, mode: Any) -> Finished:
    """A run with a model that answers at `url`, or from the record alone."""
    saved = await skills.save(database, owner, SKILL)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    models = provider(url)
    request = RunRequest(to_ts=T0 + len(NAMES) * HOUR_MS, mode=mode)
    (run_id,) = await runs.ask(database, owner, version, request, LOOSEST, models)
    return await runs.carry_out(database, run_id, models)


@pytest.mark.slow
async def test_every_bad_output_is_kept_told_and_replayed(
    database: Database, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on to its end, each tick says what came of it, and the replay has the same digests."""
    monkeypatch.setattr("agent.asking.FIRST_PAUSE_S", 0.0)
    await keep_market(database)
    async with stand_in(at_its_worst) as api:
        done = await simulate(database, owner, api.url, "record")
        asked = api.calls
    replayed = await simulate(database, owner, None, "replay")

    assert replayed.digests == done.digests
    assert asked > len(NAMES)
    await _each_tick_is_told(database, owner, UUID(done.record.run_id))
    await _the_whole_is_counted(database, owner, done)


async def _each_tick_is_told(database: Database, owner: UUID, run_id: UUID) -> None:
    run, page = Decider("run", run_id, run_id), await list_decisions(database, owner, run_id, limit=1000)
    outcomes = {name_at(line.tick_ts): line.outcome for line in page.decisions}

    assert outcomes.keys() >= set(NAMES[1:])  # no tick is due before the first bar has closed
    assert all(line.sentence for line in page.decisions)
    for line in page.decisions:
        name = name_at(line.tick_ts)
        whole = await load_decision(database, owner, run_id, line.tick_ts)
        told, document = story(run, whole), json.loads(to_json(document_of(run, whole)))
        assert whole.context
        assert document["outcome"] == line.outcome
        assert all(letter.isprintable() or letter in "\n\t" for letter in told), name
        assert (whole.outcome is TickOutcome.FAILED) is (name in ENDINGS), name
        if name in BAD_CALLS or name in HARMLESS:
            assert line.outcome == "hold", name


async def _the_whole_is_counted(database: Database, owner: UUID, done: Finished) -> None:
    thought = done.record.inference
    html = await runs.report_html(database, owner, UUID(done.record.run_id))
    async with database.as_worker() as connection:
        paid = await spent(connection, owner, f"run:{done.record.run_id}")

    assert sum(thought.malformed.values()) > len(BAD_CALLS)
    assert set(thought.ended) >= {"refusal", "max_tokens", "truncated", "garbage", "tool_calls"}
    assert 0 < paid <= 40
    assert KEY not in html
    assert not set("\x1b\x07\x00\u202e") & set(html)
