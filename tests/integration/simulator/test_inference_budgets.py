"""No budget is ever passed, by what the other side bills: runs side by side, answers cut and late, and resumed."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest

from agent.allowance import Allowance
from agent.provider import Provider
from control import runs
from control.errors import Invalid
from db.inference import totals
from db.pool import Database
from domain.money import ZERO
from tests.integration.simulator.samples import DAYS, T0, keep_market, row_of
from tests.integration.simulator.thinking import Biller, ask, thinker
from tests.standins.messages_api import stand_in
from tests.standins.provider import provider

D = Decimal
CALL, TICK = D("0.2"), D("0.3")
A_DAY = {"from_ts": T0 + DAYS, "to_ts": T0 + 2 * DAYS}  # 6 ticks


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses before another attempt are short."""
    monkeypatch.setattr("agent.asking.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("agent.asking.LONGEST_PAUSE_S", 0.002)


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of one symbol."""
    await keep_market(database)


async def carry_out(database: Database, run_id: UUID, models: Provider) -> str:
    """Carry a run out, and give what it said where it stopped."""
    try:
        await runs.carry_out(database, run_id, models)
    except Invalid as error:
        return str(error)
    return ""


async def ask_for_all(
    database: Database, people: Sequence[UUID], models: Provider, run_usd: Decimal
) -> list[UUID]:
    """A run for each, of Skills with names of their own."""
    return [
        (await ask(database, person, models, thinker(f"thinker-{n}", str(run_usd)), **A_DAY))[0]
        for n, person in enumerate(people)
    ]


async def replies(database: Database) -> set[str]:
    """The keys under which an answer is recorded."""
    async with database.as_worker() as connection:
        rows = await connection.fetch("select key from model_calls where usage is not null")
    return {row["key"] for row in rows}


@pytest.mark.parametrize(
    ("what", "run_usd", "mine_usd", "all_usd"),
    [
        ("the run", D("0.45"), D(90), D(90)),
        ("your day", D(90), D(2), D(90)),
        ("the day, of all people together", D(90), D(90), D(3)),
    ],
    ids=["run", "mine", "all"],
)
async def test_no_budget_is_passed_by_sixteen_runs(
    market: None,
    database: Database,
    owner: UUID,
    other_user: UUID,
    what: str,
    run_usd: Decimal,
    mine_usd: Decimal,
    all_usd: Decimal,
) -> None:
    """Two people, bills up to the worst case, a third of all answers cut, late or refused. More money, and it goes on.

    What is billed for a call, a tick, a run, a person and all is within each budget and what is kept for it. Then no
    recorded answer is asked for again: with larger days the runs are resumed, with larger runs they are made anew.
    """
    biller = Biller(seed=len(what), faults=33, late_ms=2_000)
    people = [owner, other_user] * 8
    async with stand_in(biller) as api:
        models = provider(
            api.url, allowance=Allowance(CALL, TICK, mine_usd, all_usd), at_once=64, timeout_s=0.4
        )
        ids = await ask_for_all(database, people, models, run_usd)
        said = await asyncio.gather(*(carry_out(database, run_id, models) for run_id in ids))

        by_run = biller.by(lambda skill, tick, key: skill)
        async with database.as_worker() as connection:
            kept = [await totals(connection, person) for person in (owner, other_user)]
        days = [sum((usd for scope, usd in each.items() if scope[:4] == "day:"), ZERO) for each in kept]
        assert max(biller.by(lambda *each: each).values()) <= CALL
        assert max(biller.by(lambda skill, tick, key: (skill, tick)).values()) <= TICK
        for number, (run_id, person) in enumerate(zip(ids, people, strict=True)):
            total = kept[person == other_user].get(f"run:{run_id}", ZERO)
            assert by_run.get(f"thinker-{number}", ZERO) <= total <= run_usd
        for person, day in zip((owner, other_user), days, strict=True):
            mine = [by_run.get(f"thinker-{n}", ZERO) for n, one in enumerate(people) if one == person]
            assert sum(mine) <= day <= mine_usd
        assert biller.total <= sum(days) <= all_usd

        stopped = [n for n, one in enumerate(said) if one]
        assert stopped
        assert all(said[n].startswith(f"the budget of {what} is ") for n in stopped)
        assert {(await row_of(database, people[n], ids[n])).status for n in stopped} == {"interrupted"}
        recorded, asked = await replies(database), len(biller.keys)
        assert recorded
        biller.faults = 0
        models = provider(api.url, at_once=64)
        if what == "the run":
            assert all("max_inference_usd_per_run" in said[n] for n in stopped)
            ids = await ask_for_all(database, people, models, D(90))
        else:
            assert all(f"run {ids[n]} can be resumed" in said[n] for n in stopped)
            ids = [ids[n] for n in stopped]
        await asyncio.gather(*(runs.carry_out(database, run_id, models) for run_id in ids))
    assert len(biller.keys) > asked
    assert not recorded & set(biller.keys[asked:])
