"""A run that a model decides: recorded once, then replayed without a model, to the byte; and what a replay misses."""

import asyncio
import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agent.allowance import Allowance
from control import runs
from control.errors import Invalid
from db.pool import Database
from domain.time import ManualClock
from market.importing import Kind, Wanted, import_series
from simulator.run import Finished
from tests.integration.simulator.samples import DAYS, LATER, T0, keep_market, row_of
from tests.integration.simulator.thinking import SKILL, TICKS, Biller, ask, thinker
from tests.standins.messages_api import stand_in
from tests.standins.provider import NO_MODELS, provider

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars" / "binance-perp" / "BTCUSDT_1h.csv.gz"


@pytest.fixture
async def market(database: Database, tmp_path: Path) -> None:
    """BTC as it was in the first days of 2025 where its bars are at hand, else two hundred made-up hours."""
    if not RECORDED.exists():
        await keep_market(database)
        return
    with gzip.open(RECORDED, "rt") as file:
        head, *rows = file
    kept = [row for row in rows if T0 <= int(row.split(",")[0]) < T0 + 8 * DAYS]
    path = tmp_path / "BTCUSDT_1h.csv.gz"
    with gzip.open(path, "wt") as file:
        file.writelines([head, *kept])
    wanted = Wanted(Kind.BARS, (path,), "BTC", 3_600_000, source="binance-perp")
    await import_series(database, ManualClock(LATER), wanted, print)


async def refused(database: Database, run_id: UUID, models: Any = NO_MODELS) -> str:
    """Carry a run out that must stop, and give the line that it leaves."""
    with pytest.raises(Invalid) as stopped:
        await runs.carry_out(database, run_id, models)
    return str(stopped.value)


async def replayed(database: Database, owner: UUID, text: str = SKILL, **request: Any) -> Finished:
    (run_id,) = await ask(database, owner, NO_MODELS, text, mode="replay", **request)
    return await runs.carry_out(database, run_id, NO_MODELS)


async def test_a_recorded_run_is_replayed_to_the_byte_without_a_model(
    market: None, database: Database, owner: UUID
) -> None:
    """The stand-in is off and there is no key: the same digests and report, read back too, and nothing paid."""
    biller = Biller()
    async with stand_in(biller) as api:
        models = provider(api.url)
        (first_id,) = await ask(database, owner, models)
        first = await runs.carry_out(database, first_id, models)
    again = await replayed(database, owner)
    second_id = UUID(again.record.run_id)
    pages = [await runs.report_html(database, owner, run_id) for run_id in (first_id, second_id)]

    assert first.record.inference.calls == len(biller.keys) > TICKS
    assert len(first.record.fills) > 3
    assert again.digests == first.digests
    assert pages[0] == pages[1]
    assert again.record.inference == first.record.inference
    assert again.record.inference.cost_usd == await runs.spent(database, owner, [first_id]) == biller.total
    assert await runs.spent(database, owner, [second_id]) == 0


async def test_a_run_with_failed_ticks_is_replayed_to_the_byte(
    market: None, database: Database, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storms, cut and late answers, a tick's budget: each failure is recorded, and the replay fails alike."""
    monkeypatch.setattr("agent.asking.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("agent.asking.LONGEST_PAUSE_S", 0.001)
    monkeypatch.setattr("agent.asking.MOST_ATTEMPTS", 2)
    tick = Allowance(Decimal(1), Decimal("0.25"), Decimal(90), Decimal(90))
    async with stand_in(Biller(seed=1, faults=55, late_ms=2_000)) as api:
        models = provider(api.url, allowance=tick, timeout_s=0.4)
        (run_id,) = await ask(database, owner, models)
        first = await runs.carry_out(database, run_id, models)
    again = await replayed(database, owner)

    ended = first.record.inference.ended
    assert len(ended) >= 3
    assert "tick_budget" in ended
    assert (
        0 < first.record.ticks["failed"] <= sum(ended.values()) <= TICKS
    )  # one that failed after acting has acted
    assert again.digests == first.digests
    assert again.record.inference == first.record.inference


async def test_a_second_run_is_recorded_out_of_the_record(
    market: None, database: Database, owner: UUID
) -> None:
    """Without a word in between it asks nobody; where it goes on for longer, only about what is new."""
    biller = Biller()
    async with stand_in(biller) as api:
        models = provider(api.url)
        for to_ts in (T0 + 2 * DAYS, T0 + 2 * DAYS, T0 + 3 * DAYS):
            (run_id,) = await ask(database, owner, models, to_ts=to_ts)
            await runs.carry_out(database, run_id, models)
    assert len(biller.keys) == len(set(biller.keys))
    assert {run.record.to_ts for run in [await replayed(database, owner)]} == {T0 + 3 * DAYS}


@pytest.mark.parametrize(
    ("text", "how", "differs"),
    [
        (SKILL.replace("You trade BTC", "You trade BTC only"), {}, "system"),
        (thinker(model="anthropic:claude-haiku-4-5"), {}, "model"),
        (thinker(tools="[propose_order]"), {}, "tools"),
        (SKILL, {"cash": Decimal(5_000)}, "message 0"),
        (SKILL, {"runs": 2}, "sample"),
    ],
    ids=["prompt", "model", "tools", "cash", "sample"],
)
async def test_a_replay_that_misses_says_what_differs(
    market: None, database: Database, owner: UUID, text: str, how: dict[str, Any], differs: str
) -> None:
    """In one line, which the run keeps too; nothing can have been asked."""
    async with stand_in(Biller()) as api:
        models = provider(api.url)
        (run_id,) = await ask(database, owner, models)
        await runs.carry_out(database, run_id, models)
    *_, run_id = await ask(database, owner, NO_MODELS, text, mode="replay", **how)
    said = await refused(database, run_id)
    row = await row_of(database, owner, run_id)

    assert f"is not recorded; the most similar one differs in {differs}; run it with --mode record" in said
    assert "\n" not in said
    assert (row.status, f"{row.error}; run {run_id} can be resumed") == ("interrupted", said)


async def test_what_a_model_is_not_told_makes_no_replay_miss(
    market: None, database: Database, owner: UUID
) -> None:
    """Another description of the Skill, another budget for its runs, another seed."""
    async with stand_in(Biller()) as api:
        models = provider(api.url)
        (run_id,) = await ask(database, owner, models)
        recorded = await runs.carry_out(database, run_id, models)
    text = thinker(usd="7", description="Trades as it likes")
    assert (await replayed(database, owner, text, seed=5)).record.fills == recorded.record.fills


async def test_a_replay_that_missed_goes_on_once_it_is_recorded(
    market: None, database: Database, owner: UUID
) -> None:
    """The first half is recorded; the replay of the whole stops there, and is resumed after the rest was asked."""
    biller = Biller()
    async with stand_in(biller) as api:
        models = provider(api.url)
        (half,) = await ask(database, owner, models, to_ts=T0 + 2 * DAYS)
        await runs.carry_out(database, half, models)
        (run_id,) = await ask(database, owner, NO_MODELS, mode="replay")
        said = await refused(database, run_id)
        (whole,) = await ask(database, owner, models)
        recorded = await runs.carry_out(database, whole, models)
    assert "differs in message 0;" in said
    assert (await runs.carry_out(database, run_id, NO_MODELS)).digests == recorded.digests


async def test_an_empty_record_is_said_to_be_empty(market: None, database: Database, owner: UUID) -> None:
    """There is nothing to compare with."""
    (run_id,) = await ask(database, owner, NO_MODELS, mode="replay")
    assert "nothing of this model is; run it with --mode record" in await refused(database, run_id)


async def test_a_live_run_reads_and_records_nothing(market: None, database: Database, owner: UUID) -> None:
    """All is asked anew although it is recorded; alone it leaves nothing that could be replayed."""
    biller = Biller()
    async with stand_in(biller) as api:
        models = provider(api.url)
        (run_id,) = await ask(database, owner, models, mode="live")
        live = await runs.carry_out(database, run_id, models)
        (again,) = await ask(database, owner, NO_MODELS, mode="replay")
        assert "nothing of this model is" in await refused(database, again)
        for mode in ("record", "live"):
            (run_id,) = await ask(database, owner, models, mode=mode)
            other = await runs.carry_out(database, run_id, models)
    calls = live.record.inference.calls
    assert [biller.keys.count(key) for key in biller.keys] == [3] * 3 * calls
    assert other.digests["ledger"] == live.digests["ledger"]
    assert await runs.spent(database, owner, [UUID(live.record.run_id)]) == live.record.inference.cost_usd


async def test_a_run_is_cancelled_while_its_model_thinks(
    market: None, database: Database, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker finds out before an answer comes, hangs up, and leaves the run as it was cancelled."""
    monkeypatch.setattr("simulator.run.BEAT_EVERY_S", 0.02)
    async with stand_in(Biller(), latency_ms=600_000) as api:
        models = provider(api.url, timeout_s=600)
        (run_id,) = await ask(database, owner, models)
        thinking = asyncio.create_task(refused(database, run_id, models))
        while not api.calls:
            await asyncio.sleep(0)
        await runs.cancel(database, owner, run_id)
        said = await thinking
        await api.someone_hung_up.wait()
    assert "cancelled" in said
    assert (await row_of(database, owner, run_id)).status == "cancelled"


async def test_a_run_whose_model_thinks_for_long_is_not_taken_over(
    market: None, database: Database, owner: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives signs of life while it waits, so another process that is told to go on with it declines."""
    monkeypatch.setattr("simulator.run.BEAT_EVERY_S", 0.02)
    async with stand_in(Biller(), latency_ms=600_000) as api:
        models = provider(api.url, timeout_s=600)
        (run_id,) = await ask(database, owner, models)
        thinking = asyncio.create_task(refused(database, run_id, models))
        while not api.calls:
            await asyncio.sleep(0)
        async with database.as_worker() as connection:
            await connection.execute("update sim_runs set heartbeat = now() - interval '1 hour'")
        async with database.as_worker() as connection:
            while await connection.fetchval(
                "select heartbeat < clock_timestamp() - interval '1 minute' from sim_runs"
            ):
                await connection.fetchval("select pg_sleep(0.01)")
        said = await refused(database, run_id, models)
        await runs.cancel(database, owner, run_id)
        await thinking
    assert "is being carried out by another process" in said
    assert api.calls == 1
