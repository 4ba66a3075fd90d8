"""Money for models: set aside before each call, settled after it, and no budget is ever passed by anybody."""

import asyncio
import itertools
from decimal import Decimal
from random import Random
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.errors import DatabaseError, Refused
from db.inference import PostgresLedger, spent, totals
from db.pool import Database
from db.runs import delete_run
from domain.inference import Budget, BudgetReached
from domain.money import ZERO
from tests.integration.db.samples import ask_for_run
from tests.integration.db.spender import (
    ALL_LIMIT,
    DAY,
    DAY_LIMIT,
    RUN_LIMIT,
    WORST_TO_DIE_FOR,
    budgets,
    call,
    spend,
    start,
)

_numbers = itertools.count()

_WATCH_SQL = f"""
create function watch() returns trigger language plpgsql as $$
begin
  if new.spent_usd > (case when new.scope like 'run:%' then {RUN_LIMIT} else {DAY_LIMIT} end)
    or (select sum(spent_usd) from public.inference_totals where scope like 'day:%') > {ALL_LIMIT}
  then raise exception 'passed: % % %', new.user_id, new.scope, new.spent_usd; end if;
  return null;
end $$;
create constraint trigger watch after insert or update on inference_totals
  deferrable initially deferred for each row execute function watch();
"""
"""Fails every commit that would leave a budget passed, whoever makes it."""


def ledger_of(database: Database, user_id: UUID) -> PostgresLedger:
    return PostgresLedger(database, user_id, route="r")


def one(scope: str, limit: str, what: str = "the run") -> Budget:
    return Budget(scope, Decimal(limit), what)


async def all_totals(database: Database, user_id: UUID) -> dict[str, Decimal]:
    async with database.as_worker() as connection:
        return await totals(connection, user_id)


class Step(NamedTuple):
    """A call of the model of the ledger below: who makes it, with which budgets, its worst case, what it costs."""

    person: int
    run: int
    with_all: bool
    worst: Decimal
    cost: Decimal | None  # None: never settled


_CENTS = st.integers(0, 150).map(lambda cents: Decimal(cents) / 100)
_STEPS = st.lists(
    st.builds(Step, st.integers(0, 1), st.integers(0, 1), st.booleans(), _CENTS, st.none() | _CENTS),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
async def test_the_totals_are_what_adding_up_by_hand_gives(
    database: Database, owner: UUID, other_user: UUID, steps: list[Step]
) -> None:
    """Any calls of two people: each goes through just if all its budgets have room, and every total is the sum."""
    day = f"day:{next(_numbers)}"
    people = (owner, other_user)
    expected: dict[tuple[int, str], Decimal] = {}
    for step in steps:
        run = f"run:{day}-{step.run}"
        wanted = [one(run, "2"), one(day, "3", "your day")]
        wanted += [one(day.replace("day", "all"), "4", "all")] if step.with_all else []
        before = {
            budget.scope: sum(
                amount
                for (person, scope), amount in expected.items()
                if scope == budget.scope.replace("all", "day")
                and (person == step.person or budget.what == "all")
            )
            for budget in wanted
        }
        reached = [budget for budget in wanted if before[budget.scope] + step.worst > budget.limit_usd]
        ledger = ledger_of(database, people[step.person])
        if reached:
            with pytest.raises(BudgetReached) as refused:
                await ledger.reserve(wanted, step.worst)
            assert refused.value.budget == reached[0]
            assert refused.value.spent_usd == before[reached[0].scope]
            continue
        await ledger.reserve(wanted, step.worst)
        if step.cost is not None:
            await ledger.settle(wanted, step.worst, step.cost, None)
        booked = step.worst if step.cost is None else step.cost
        for scope in (run, day):
            expected[step.person, scope] = expected.get((step.person, scope), ZERO) + booked
    for number, user_id in enumerate(people):
        found = {
            scope: amount for scope, amount in (await all_totals(database, user_id)).items() if day in scope
        }
        assert found == {scope: amount for (person, scope), amount in expected.items() if person == number}


@pytest.mark.parametrize("seed", range(3))
async def test_sixteen_at_once_never_pass_a_budget(
    database: Database, admin: Connection, owner: UUID, other_user: UUID, seed: int
) -> None:
    """Sixteen tasks of two people in four runs: no commit passes any limit, and the totals are what was settled."""
    await admin.execute(_WATCH_SQL)
    people = [(owner, other_user)[n % 2] for n in range(16)]
    settled = await asyncio.gather(
        *(
            spend(ledger_of(database, user_id), f"run-{n % 4}", Random(f"{seed} {n}"), 8)
            for n, user_id in enumerate(people)
        )
    )
    for user_id in (owner, other_user):
        found = await all_totals(database, user_id)
        mine = sum(amount for amount, person in zip(settled, people, strict=True) if person == user_id)
        assert found[f"day:{DAY}"] == mine
        assert sum(amount for scope, amount in found.items() if scope.startswith("run:")) == mine
    assert ALL_LIMIT - Decimal("0.4") < sum(settled) <= ALL_LIMIT  # the limit was really come up against


async def test_four_processes_never_pass_a_budget(
    database: Database, database_url: str, admin: Connection, owner: UUID, other_user: UUID
) -> None:
    """Real processes of two people, each with four tasks: as above."""
    await admin.execute(_WATCH_SQL)
    people = (owner, other_user, owner, other_user)
    processes = [start(database_url, user_id, seed, 12) for seed, user_id in enumerate(people)]
    said = [await asyncio.to_thread(process.communicate) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    settled = [Decimal(line) for line, _ in said]
    for user_id in (owner, other_user):
        found = await all_totals(database, user_id)
        assert found[f"day:{DAY}"] == sum(
            amount for amount, person in zip(settled, people, strict=True) if person == user_id
        )
    assert ALL_LIMIT - Decimal("0.4") < sum(settled) <= ALL_LIMIT


async def test_what_a_killed_process_had_set_aside_stays_spent(
    database: Database, database_url: str, owner: UUID
) -> None:
    """Killed between the reservation and the answer, it may have paid: its worst case counts against every budget."""
    process = start(database_url, owner, 0, "die")
    assert process.stdout
    with process:
        assert await asyncio.to_thread(process.stdout.readline) == "set aside\n"
        process.kill()
    ledger = ledger_of(database, owner)
    assert await all_totals(database, owner) == dict.fromkeys((f"day:{DAY}", "run:dying"), WORST_TO_DIE_FOR)
    left = RUN_LIMIT - WORST_TO_DIE_FOR
    with pytest.raises(BudgetReached):
        await ledger.reserve(budgets("dying"), left + Decimal("0.000001"))
    await ledger.reserve(budgets("dying"), left)


async def test_a_call_over_midnight_is_settled_on_the_day_it_was_set_aside(
    database: Database, owner: UUID
) -> None:
    """The next day begins with nothing spent, and the day before ends with what the call did cost."""
    ledger = ledger_of(database, owner)
    before, after = one("day:2025-01-01", "1", "your day"), one("day:2025-01-02", "1", "your day")
    await ledger.reserve([before], Decimal("0.9"))
    await ledger.reserve([after], Decimal("0.8"))
    await ledger.settle([before], Decimal("0.9"), Decimal("0.2"), None)
    assert await all_totals(database, owner) == {before.scope: Decimal("0.2"), after.scope: Decimal("0.8")}


async def test_a_budget_is_used_to_its_last_cent_and_no_further(database: Database, owner: UUID) -> None:
    """Spent and worst case together may be the limit; a millionth more is refused, saying all three amounts."""
    ledger = ledger_of(database, owner)
    budget = one("run:a", "1.5")
    await ledger.reserve([budget], Decimal("1"))
    with pytest.raises(BudgetReached) as refused:
        await ledger.reserve([budget], Decimal("0.500001"))
    assert str(refused.value) == (
        "the budget of the run is 1.5 USD: 1 are spent, and the next call could cost 0.500001"
    )
    await ledger.reserve([budget], Decimal("0.5"))


@pytest.mark.parametrize("small", ["run:a", "day:2025-01-01", "all:2025-01-01", "deployment:a:2025-01-01"])
async def test_what_one_budget_refuses_no_other_is_charged_for(
    database: Database, owner: UUID, small: str
) -> None:
    """Set aside in all or in none; the one that is reached is named."""
    scopes = ("run:a", "deployment:a:2025-01-01", "day:2025-01-01", "all:2025-01-01")
    wanted = [one(scope, "0.5" if scope == small else "9", scope) for scope in scopes]
    with pytest.raises(BudgetReached, match=f"the budget of {small}"):
        await ledger_of(database, owner).reserve(wanted, Decimal(1))
    assert await all_totals(database, owner) == {}


async def test_the_day_of_all_is_the_sum_of_everybodys(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """It counts what others spent, also when a person's own day has no budget; a person sees only their part."""
    everybody = one("all:2025-01-01", "1", "all")
    await ledger_of(database, owner).reserve([everybody], Decimal("0.7"))
    with pytest.raises(BudgetReached, match=r"0\.7 are spent"):
        await ledger_of(database, other_user).reserve([everybody], Decimal("0.4"))
    await ledger_of(database, other_user).reserve([everybody], Decimal("0.3"))
    async with database.as_worker() as connection:
        assert await spent(connection, owner, "all:2025-01-01") == 1
        assert await spent(connection, owner, "day:2025-01-01") == Decimal("0.7")
        assert await spent(connection, owner, "day:2025-01-02") == 0
    async with database.as_user(owner) as connection:
        assert await spent(connection, owner, "all:2025-01-01") == Decimal("0.7")


async def test_two_budgets_of_one_scope_are_charged_once(database: Database, owner: UUID) -> None:
    """A Skill's and a person's limit of the same run: the lower one holds, and a call counts once."""
    ledger = ledger_of(database, owner)
    wanted = [one("run:a", "5", "the skill"), one("run:a", "1", "the person")]
    await ledger.reserve(wanted, Decimal("0.6"))
    with pytest.raises(BudgetReached, match="the budget of the person"):
        await ledger.reserve(wanted, Decimal("0.6"))
    await ledger.settle(wanted, Decimal("0.6"), Decimal("0.1"), None)
    assert await all_totals(database, owner) == {"run:a": Decimal("0.1")}


async def test_a_cost_above_the_worst_case_is_booked_as_it_is(database: Database, owner: UUID) -> None:
    """What was paid was paid: the total passes the limit, and nothing more is let through."""
    ledger = ledger_of(database, owner)
    await ledger.reserve([one("run:a", "1")], Decimal("0.5"))
    await ledger.settle([one("run:a", "1")], Decimal("0.5"), Decimal("1.25"), None)
    assert await all_totals(database, owner) == {"run:a": Decimal("1.25")}
    with pytest.raises(BudgetReached):
        await ledger.reserve([one("run:a", "1")], ZERO)


async def test_a_call_is_paid_and_kept_together_or_not_at_all(database: Database, owner: UUID) -> None:
    """Where the row is refused, the worst case stays set aside."""
    ledger = ledger_of(database, owner)
    await ledger.reserve(budgets("a"), Decimal(1))
    with pytest.raises(Refused):
        await ledger.settle(budgets("a"), Decimal(1), ZERO, call("k" * 201, ZERO))
    assert (await all_totals(database, owner))["run:a"] == 1
    await ledger.settle(budgets("a"), Decimal(1), ZERO, call("k", ZERO))
    assert (await all_totals(database, owner))["run:a"] == 0
    assert await ledger.find("k")


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-1"])
async def test_what_is_no_amount_is_refused(database: Database, owner: UUID, amount: str) -> None:
    """Such a worst case would make a budget endless."""
    ledger = ledger_of(database, owner)
    with pytest.raises(DatabaseError):
        await ledger.reserve([one("run:a", "1")], Decimal(amount))
    assert await all_totals(database, owner) == {}


async def test_a_deleted_run_takes_its_total_along_and_no_day(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Also with a call still out, which is then settled on the day alone."""
    doomed = await ask_for_run(database, owner)
    ledger, wanted = ledger_of(database, owner), budgets(str(doomed))
    await ledger.reserve(wanted, Decimal("0.5"))
    await ledger.reserve(budgets("other"), Decimal("0.25"))
    await ledger_of(database, other_user).reserve([wanted[0]], Decimal("0.125"))
    async with database.as_worker() as connection:
        assert await delete_run(connection, owner, doomed)
    await ledger.settle(wanted, Decimal("0.5"), Decimal("0.375"), None)
    assert await all_totals(database, owner) == {f"day:{DAY}": Decimal("0.625"), "run:other": Decimal("0.25")}
    assert await all_totals(database, other_user) == {f"run:{doomed}": Decimal("0.125")}


async def test_the_worker_may_delete_no_total_but_a_runs(database: Database, owner: UUID) -> None:
    """What a day cost can't be made to be forgotten, even by its own grant."""
    await ledger_of(database, owner).reserve(budgets(str(uuid4())), Decimal(1))
    async with database.as_worker() as connection:
        await connection.execute("delete from inference_totals")
    assert await all_totals(database, owner) == {f"day:{DAY}": Decimal(1)}


async def test_totals_are_found_by_how_their_scope_begins(database: Database, owner: UUID) -> None:
    """In order of the scope; a sign that means something to SQL means nothing here."""
    ledger = ledger_of(database, owner)
    for scope in ("day:2025-01-02", "day:2025-01-01", "run:a"):
        await ledger.reserve([one(scope, "9")], Decimal(1))
    async with database.as_user(owner) as connection:
        assert list(await totals(connection, owner, "day:")) == ["day:2025-01-01", "day:2025-01-02"]
        assert await totals(connection, owner, "day_") == {}
