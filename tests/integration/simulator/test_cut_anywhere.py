"""A run that is cut and goes on elsewhere, from bytes, leads to what an uninterrupted one leads to."""

import asyncio
import hashlib
from decimal import Decimal
from uuid import UUID

import msgspec
import numpy as np
import pytest

from agent.tick import Tick
from control import runs
from control.errors import Invalid
from db.connection import Connection
from db.pool import Database
from db.runs import RunLost, claim_run, hold_run, save_chunk
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.journal import HaltChanged
from domain.orders import Side
from domain.time import HOUR_MS, MINUTE_MS
from simulator.data import MarketData
from simulator.prepare import beginning, replay_of
from simulator.replay import Checkpoint, Stretch
from simulator.run import execute
from simulator.spec import RunSpec, SimulationError
from skills import skill_md
from tests.integration.db.samples import chunk
from tests.integration.simulator.samples import (
    T0,
    ask,
    carry_out,
    keep_market,
    load_market,
    row_of,
    skill_text,
)
from tests.standins.provider import NO_MODELS

D = Decimal
FROM, HOURS = T0 + 24 * HOUR_MS, 60
SPEC = RunSpec(from_ts=FROM, to_ts=FROM + HOURS * HOUR_MS, cash=D(2_000))
SKILL = skill_md.read(
    skill_text(
        schedule="30m",
        market="{symbols: [BTC, ETH], interval: 1h, bars: 20}",
        risk="{max_leverage: 25, allow_short: true, daily_loss_pct: 4, max_drawdown_pct: 90, halt_lifts: next_day,"
        " max_actions_per_tick: 50, max_orders_per_hour: 100, max_orders_per_day: 2000, price_band_pct: 50,"
        " max_slippage_bps: 500}",
    )
)
RANDOM = skill_text(model="baseline:random", model_params="{size: 0.02}")


class Busy:
    """Does something of everything: market and resting orders, protections, cancels, closes. Remembers nothing."""

    async def decide(self, tick: Tick) -> None:
        for symbol, size in (("BTC", D("0.2")), ("ETH", D(4))):
            dice = hashlib.sha256(f"{symbol}{tick.ts}".encode()).digest()
            for action in self._actions(tick, symbol, size, dice):
                await tick.act(action)

    def _actions(self, tick: Tick, symbol: str, size: D, dice: bytes) -> list[Action]:
        side, px = (Side.BUY if dice[0] % 2 else Side.SELL), tick.bars(symbol).last(1)[0].close
        away = px * (1 - side.sign * D(dice[1] + 1) / 20_000)
        stop, profit = (px * (1 - side.sign * D(part) / 1000) for part in (3, -6))
        own = [order.number for order in tick.orders.values() if order.symbol == symbol]
        actions: dict[int, list[Action]] = {
            0: [ProposeOrder(symbol, side, size, stop_px=stop, take_profit_px=profit)],
            1: [ProposeOrder(symbol, side, size, limit_px=away)],
            2: [ProposeOrder(symbol, side, size, limit_px=away, stop_px=away - side.sign * px / 100)],
            3: [CancelOrder(number) for number in own[:2]],
            4: [ClosePosition(symbol)],
            5: [SetProtection(symbol, stop_px=px * (1 - side.sign * D("0.004")))],
        }
        return actions.get(dice[2] % 8, [])


@pytest.fixture
async def market(database: Database) -> MarketData:
    """Two symbols, quarters of an hour to fill on, marks and funding."""
    for symbol in ("BTC", "ETH"):
        await keep_market(database, symbol, hours=100, seed=5)
        await keep_market(
            database, symbol, hours=100, seed=5, interval_ms=15 * MINUTE_MS, marks=True, funding=False
        )
    async with database.as_worker() as connection:
        return await load_market(connection, SKILL, SPEC)


async def replayed(market: MarketData, begin: Checkpoint, bars: int) -> Stretch:
    return await replay_of(SKILL, SPEC, market, Busy(), begin, "run").run(bars)


async def test_a_replay_goes_on_from_the_bytes_of_any_instant(market: MarketData) -> None:
    """With orders resting, protections half filled, a halt under way: cut at any bar, the rest is the same."""
    whole = await replayed(market, beginning(SPEC), 10**9)
    kinds = {type(entry).__name__ for entry, _ in whole.entries}
    assert {"Fill", "FundingPaid", "HaltChanged", "ActionRefused"} <= kinds
    assert len([entry for entry, _ in whole.entries if isinstance(entry, HaltChanged)]) >= 2

    for cut in range(1, market.tape.length, 5):
        first = await replayed(market, beginning(SPEC), cut)
        checkpoint = msgspec.msgpack.decode(msgspec.msgpack.encode(first.end), type=Checkpoint)
        second = await replayed(market, checkpoint, 10**9)
        assert second.end == whole.end
        assert [body for _, body in [*first.entries, *second.entries]] == [body for _, body in whole.entries]
        assert [*first.equity, *second.equity] == whole.equity
        assert [*first.ticks, *second.ticks] == whole.ticks
        assert np.array_equal(np.concatenate([first.ts, second.ts]), whole.ts)


async def test_a_stretch_ends_when_its_time_is_over(market: MarketData) -> None:
    """Behind the bar at whose tick that was; what follows goes on from there, to the same end."""
    whole = await replayed(market, beginning(SPEC), 10**9)
    asked = iter(range(10))
    replay = replay_of(SKILL, SPEC, market, Busy(), beginning(SPEC), "run")

    first = await replay.run(10**9, lambda: next(asked) == 3)
    second = await replay.run(10**9)

    assert len(first.decisions) == 4
    assert 4 <= first.end.index < market.tape.length
    assert second.end == whole.end
    assert [body for _, body in [*first.entries, *second.entries]] == [body for _, body in whole.entries]


class Cut(Exception):
    """Something that nobody expected."""


async def cut_after(database: Database, run_id: UUID, stretches: int, most_bars: int) -> None:
    """Carry a run out until so many stretches are saved; then it breaks."""
    left = iter(range(stretches - 1))

    def progress(done: int, total: int) -> None:
        if next(left, None) is None:
            raise Cut

    with pytest.raises(Cut):
        await execute(
            database, run_id, f"worker of {stretches} {most_bars}", NO_MODELS, progress, most_bars=most_bars
        )


@pytest.mark.parametrize("cuts", [[(1, 1)], [(3, 7), (1, 50), (2, 1)], [(4, 50)], [(1, 1)] * 5])
async def test_a_run_that_was_cut_ends_in_the_same_digests(
    database: Database, admin: Connection, owner: UUID, cuts: list[tuple[int, int]]
) -> None:
    """However often and wherever, also after the last bar; each row is there once."""
    await keep_market(database)
    whole = await carry_out(database, await ask(database, owner, RANDOM))
    run_id = await ask(database, owner, RANDOM)
    for stretches, most_bars in cuts:
        await cut_after(database, run_id, stretches, most_bars)
        row = await row_of(database, owner, run_id)
        assert (row.status, row.error) == ("failed", "a fault of the program: Cut: ")
        assert 0 < row.progress <= 1
        assert (row.metrics, row.digests) == (None, None)
    resumed = await carry_out(database, run_id)

    assert resumed.digests == whole.digests
    counts = [
        await admin.fetchval(
            "select array[(select count(*) from journal_entries where account_id = $1),"
            " (select count(*) from fills where account_id = $1), (select count(*) from orders where account_id = $1),"
            " (select count(*) from decision_snapshots where account_id = $1)]",
            UUID(one.record.run_id),
        )
        for one in (whole, resumed)
    ]
    assert counts[0] == counts[1]
    assert min(counts[0]) > 0


async def test_data_that_changed_is_not_mixed_in(database: Database, admin: Connection, owner: UUID) -> None:
    """The run says so in one line and stays where it was; with the old data back it goes on."""
    await keep_market(database)
    run_id = await ask(database, owner, RANDOM)
    await cut_after(database, run_id, 1, 50)
    change = f"update bars set volume = volume %s 1 where ts = {T0 + 190 * HOUR_MS}"
    await admin.execute(change % "+")

    with pytest.raises(
        SimulationError, match="can't go on: its market data, or a default of this program, has"
    ):
        await carry_out(database, run_id)
    row = await row_of(database, owner, run_id)
    assert row.status == "failed"
    assert row.error is not None
    assert "start a new run" in row.error

    await admin.execute(change % "-")
    assert (await carry_out(database, run_id)).digests["ledger"]


async def test_a_finished_run_is_not_read_back_from_other_data(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Its figures stay, and its report, which draws the prices, is refused in one line."""
    await keep_market(database)
    run_id = await ask(database, owner)
    done = await carry_out(database, run_id)
    await admin.execute(f"update bars set volume = volume + 1 where ts = {T0 + 190 * HOUR_MS}")

    with pytest.raises(Invalid, match=r"the market data of run .* has changed since"):
        await runs.report_html(database, owner, run_id)
    assert (await row_of(database, owner, run_id)).digests == done.digests


async def test_a_run_in_the_hands_of_another_process_is_left_to_it(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Until that process dies, which the database notices at once, or is silent for too long."""
    await keep_market(database)
    run_id = await ask(database, owner)
    async with database.as_worker() as holder:
        assert await hold_run(holder, run_id)
        async with database.as_worker() as connection:
            assert await claim_run(connection, "the other", run_id)
        with pytest.raises(SimulationError, match="is being carried out by another process"):
            await carry_out(database, run_id)

        await admin.execute("update sim_runs set heartbeat = clock_timestamp() - interval '31 s'")
        assert (await carry_out(database, run_id)).digests["ledger"]
    async with database.as_worker() as connection:
        with pytest.raises(RunLost):
            await save_chunk(connection, run_id, "the other", chunk(0))


async def test_a_run_whose_process_died_is_taken_at_once(database: Database, owner: UUID) -> None:
    """It still says `running`, and its heartbeat is fresh, but nobody holds it any more."""
    await keep_market(database)
    run_id = await ask(database, owner)
    async with database.as_worker() as connection:
        assert await claim_run(connection, "the dead one", run_id)
    assert (await carry_out(database, run_id)).digests["ledger"]


@pytest.mark.parametrize(("way", "line"), [("cancel", "it is cancelled"), ("delete", "was deleted")])
async def test_a_run_that_is_called_off_stops(
    database: Database, admin: Connection, owner: UUID, way: str, line: str
) -> None:
    """From another terminal, in the middle: the process that carries it out says so in one line, and ends."""
    await keep_market(database)
    run_id = await ask(database, owner, RANDOM)
    begun = asyncio.Event()

    async def call_off() -> None:
        await begun.wait()
        await getattr(runs, way)(database, owner, run_id)

    calling = asyncio.create_task(call_off())
    with pytest.raises(RunLost, match=line):
        await execute(database, run_id, "worker", NO_MODELS, lambda done, total: begun.set(), most_bars=1)
    await calling
    found = await admin.fetch("select status, progress < 1 as is_part from sim_runs")
    assert [tuple(row) for row in found] == ([("cancelled", True)] if way == "cancel" else [])
    counts = await admin.fetchval("select count(*) from journal_entries")
    assert bool(counts) is (way == "cancel")


async def test_a_run_that_is_done_is_done(database: Database, owner: UUID) -> None:
    """It can't be carried out again, nor cancelled; one that isn't there is said to be not there."""
    await keep_market(database)
    run_id = await ask(database, owner)
    await carry_out(database, run_id)

    with pytest.raises(SimulationError, match="is done; it can't be carried out again"):
        await carry_out(database, run_id)
    with pytest.raises(Invalid, match="can't be cancelled: it is done"):
        await runs.cancel(database, owner, run_id)
    with pytest.raises(SimulationError, match="there is no run 00000000-0000-7000-8000-000000000001"):
        await carry_out(database, UUID("00000000-0000-7000-8000-000000000001"))
