"""The record of what models and tools answered: the same to the byte, found by whom it belongs to, never rewritten."""

import itertools
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.errors import Refused
from db.inference import (
    CallRow,
    PostgresLedger,
    ToolRow,
    calls_of_keys,
    import_calls,
    import_tool_results,
    mean_usage,
    tool_results,
)
from db.pool import Database
from domain.inference import Budget, CallRecord, Failure, Outcome, Recorded, Reply, ToolUse, Usage
from domain.money import ZERO
from tests.integration.db.spender import call

ORIGIN, ANOTHER = "a" * 64, "b" * 64
LATE = Failure("timeout", "the model did not answer in time")
USE = ToolUse("weather", {"city": "Oslo", "at": 1e16}, "rain \x00 ☂", True)

_numbers = itertools.count()
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ba\x00é", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def ledger_of(database: Database, user_id: UUID, **options: Any) -> PostgresLedger:
    return PostgresLedger(database, user_id, **{"route": "direct", **options})


def reply(text: str) -> Outcome:
    return call("", text=text).outcome


async def keep(ledger: PostgresLedger, key: str, outcome: Outcome, cost: Decimal | None = ZERO) -> None:
    await ledger.settle([], ZERO, ZERO, msgspec.structs.replace(call(key, cost), outcome=outcome))


async def outcome_of(ledger: PostgresLedger, key: str = "k") -> Outcome | None:
    found = await ledger.find(key)
    return None if found is None else found.outcome


async def take_in(database: Database, user_id: UUID, origin: str, *rows: CallRow) -> None:
    async with database.as_worker() as connection:
        await import_calls(connection, user_id, origin, rows)


def row(key: str = "k", text: str = "from a file", route: str = "direct", ts: int = 0) -> CallRow:
    return CallRow(route, key, 0, "a-model", {"message 0": key}, reply(text), Decimal("0.01"), 5, ts)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.text("ba", max_size=2), _JSON, max_size=3), max_size=3))
async def test_an_answer_comes_back_to_the_byte(
    database: Database, owner: UUID, content: list[dict[str, Any]]
) -> None:
    """Whatever a model wrote: the order of its keys, how its numbers are written, signs that SQL does not take."""
    key = str(next(_numbers))
    said = Reply(tuple(content), "tool_use", Usage(1, 2, 3, 4, 5), "a-model-2025", "req_1")
    await keep(ledger_of(database, owner), key, said)
    found = await outcome_of(ledger_of(database, owner), key)
    assert msgspec.json.encode(found) == msgspec.json.encode(said)


@pytest.mark.parametrize("cost", [None, ZERO, Decimal("0.000000123456789")])
@pytest.mark.parametrize("outcome", [reply("hold"), LATE])
async def test_an_outcome_is_found_with_what_it_cost(
    database: Database, owner: UUID, outcome: Outcome, cost: Decimal | None
) -> None:
    """A cost that is not known stays so, and is not 0; what was never asked is not there."""
    ledger = ledger_of(database, owner)
    assert await ledger.find("k") is None
    await keep(ledger, "k", outcome, cost)
    assert await ledger.find("k") == Recorded(outcome, cost)


async def test_a_failure_gives_way_to_a_reply_and_a_reply_to_nothing(database: Database, owner: UUID) -> None:
    """The first failure stays until there is a reply, with the reply's cost; and that one stays for good."""
    ledger = ledger_of(database, owner)
    await keep(ledger, "k", LATE)
    await keep(ledger, "k", Failure("overloaded", "later"), Decimal(1))
    assert await ledger.find("k") == Recorded(LATE, ZERO)
    await keep(ledger, "k", reply("first"), Decimal("0.25"))
    for later in (reply("second"), LATE):
        await keep(ledger, "k", later, Decimal(1))
        assert await ledger.find("k") == Recorded(reply("first"), Decimal("0.25"))


async def test_whoever_comes_second_is_told_the_first_answer(database: Database, owner: UUID) -> None:
    """Two runs that ask the same at once both go on from what is kept, so that each can be replayed."""
    ledger = ledger_of(database, owner)
    first, second, later = (
        msgspec.structs.replace(call("k", Decimal(n)), outcome=outcome)
        for n, outcome in enumerate((LATE, reply("first"), reply("second")))
    )
    budget = [Budget("run:a", Decimal(9), "the run")]
    for record, kept in ((first, first), (second, second), (later, second), (first, second)):
        await ledger.reserve(budget, Decimal(1))
        found = await ledger.settle(budget, Decimal(1), ZERO, record)
        assert found == Recorded(kept.outcome, kept.cost_usd)
    assert await ledger.settle(budget, ZERO, ZERO, None) is None


async def test_not_even_the_worker_rewrites_a_reply(database: Database, owner: UUID) -> None:
    """Row security keeps it, past the program; a failure can be made a reply, and no other failure."""
    ledger = ledger_of(database, owner)
    await keep(ledger, "said", reply("first"))
    await keep(ledger, "failed", LATE)
    async with database.as_worker() as connection:
        done = await connection.execute("update model_calls set usage = '{}', model = 'x'")
        assert done == "UPDATE 1"
    assert await outcome_of(ledger, "said") == reply("first")


async def test_the_same_request_by_another_way_is_another_call(database: Database, owner: UUID) -> None:
    """Each way to a model has its own answers; a replay takes its own first, then the newest of any."""
    direct, gateway = ledger_of(database, owner), ledger_of(database, owner, route="gateway")
    await keep(direct, "both", reply("direct"))
    await keep(gateway, "both", reply("gateway"))
    await keep(gateway, "one", reply("gateway"))
    assert await outcome_of(direct, "both") == reply("direct")
    assert await outcome_of(gateway, "both") == reply("gateway")
    assert await outcome_of(direct, "one") is None
    assert await outcome_of(ledger_of(database, owner, any_route=True), "both") == reply("direct")
    assert await outcome_of(ledger_of(database, owner, any_route=True), "one") == reply("gateway")
    neither = ledger_of(database, owner, route="elsewhere", any_route=True)
    assert await outcome_of(neither, "both") == reply("gateway")


async def test_what_came_with_a_file_serves_its_replays_alone(database: Database, owner: UUID) -> None:
    """A stranger's file plants no answer: it is found under its own origin, and own answers are not found there."""
    own, imported = ledger_of(database, owner), ledger_of(database, owner, origin=ORIGIN, any_route=True)
    await take_in(database, owner, ORIGIN, row("planted"), row("both"))
    await keep(own, "both", reply("own"))
    await keep(own, "own", reply("own"))
    for mine in (own, ledger_of(database, owner, any_route=True)):
        assert await outcome_of(mine, "planted") is None
        assert await outcome_of(mine, "both") == reply("own")
        assert await mine.nearest({"message 0": "planted"}) is None
    assert await outcome_of(imported, "both") == reply("from a file")
    assert await outcome_of(imported, "own") is None
    assert await outcome_of(ledger_of(database, owner, origin=ANOTHER), "both") is None
    async with database.as_worker() as connection:
        assert (await mean_usage(connection, owner, "a-model")).calls == 2  # type: ignore[union-attr]
        assert [found.key for found in await calls_of_keys(connection, owner, ["planted"])] == []


async def test_what_is_asked_anew_is_never_put_among_what_came_with_a_file(
    database: Database, owner: UUID
) -> None:
    """A run that uses a file's answers and asks for more keeps those as the person's own."""
    imported = ledger_of(database, owner, origin=ORIGIN)
    await keep(imported, "k", reply("own"))
    await imported.keep_tool("k", USE)
    assert await outcome_of(imported) is None
    assert await imported.find_tool("k") is None
    assert await outcome_of(ledger_of(database, owner)) == reply("own")
    assert await ledger_of(database, owner).find_tool("k") == USE


async def test_nobody_is_answered_with_what_another_asked(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """The same request of two people is asked twice, and each keeps their own."""
    await keep(ledger_of(database, owner), "k", reply("the owner's"))
    await ledger_of(database, owner).keep_tool("k", USE)
    other = ledger_of(database, other_user, any_route=True)
    assert await other.find("k") is None
    assert await other.find_tool("k") is None
    assert await other.nearest({"message 0": "k"}) is None
    await keep(other, "k", reply("another's"))
    assert await outcome_of(ledger_of(database, owner)) == reply("the owner's")


async def test_the_nearest_request_has_most_parts_in_common(database: Database, owner: UUID) -> None:
    """Counted by name and content; among equals the shortest, then the newest; nothing where nothing is in common."""
    ledger = ledger_of(database, owner)
    kept = [
        {"model": "m", "system": "s", "message 0": "x"},
        {"model": "m", "system": "t", "message 0": "y"},
        {"model": "m", "system": "s", "message 0": "w"},
        {"model": "m", "system": "s", "message 0": "z", "message 1": "z"},
    ]
    for number, parts in enumerate(kept):
        await ledger.settle([], ZERO, ZERO, CallRecord(str(number), parts, "m", LATE, None))
    assert await ledger.nearest({"model": "m", "system": "t", "message 0": "?"}) == kept[1]
    assert await ledger.nearest({"model": "m", "system": "s", "message 0": "?"}) == kept[2]
    assert await ledger.nearest({"model": "m", "system": "s", "message 0": "x"}) == kept[0]
    assert await ledger.nearest({"model": "n", "message 1": "x", "tools": "s"}) is None
    assert await ledger.nearest({}) is None


async def test_the_first_answer_of_a_tool_stays(database: Database, owner: UUID) -> None:
    """It comes back to the byte. What never came gives way to what did, whatever signs are in either."""
    ledger = ledger_of(database, owner)
    never = ToolUse("weather", {"city": "\x00"}, "no answer \x00", True, "timeout")
    assert await ledger.find_tool("k") is None
    for kept, expected in ((never, never), (USE, USE), (ToolUse("weather", {}, "sun"), USE), (never, USE)):
        assert await ledger.keep_tool("k", kept) == expected
        assert msgspec.json.encode(await ledger.find_tool("k")) == msgspec.json.encode(expected)
    async with database.as_worker() as connection:
        assert await connection.execute("update tool_results set body = '{}'") == "UPDATE 0"


async def test_the_mean_is_of_a_models_replies(database: Database, owner: UUID) -> None:
    """Failures, other models and calls that came with a file do not count; tokens are rounded up."""
    ledger = ledger_of(database, owner)
    for key, usage in (("1", Usage(10, 1, 4)), ("2", Usage(13, 2, 0, 8, 1))):
        await keep(ledger, key, Reply((), "end_turn", usage))
    await keep(ledger, "3", LATE)
    record = msgspec.structs.replace(call("4"), model="another", latency_ms=7)
    await ledger.settle([], ZERO, ZERO, record)
    async with database.as_user(owner) as connection:
        mean = await mean_usage(connection, owner, "a-model")
        assert mean is not None
        assert (mean.calls, mean.usage) == (2, Usage(12, 2, 2, 4, 1))
        other = await mean_usage(connection, owner, "another")
        assert other is not None
        assert (other.calls, other.latency_ms) == (1, 7)
        assert await mean_usage(connection, owner, "unheard-of") is None


async def test_calls_go_through_a_file_unchanged(database: Database, owner: UUID, other_user: UUID) -> None:
    """What one person hands on as JSON is, taken in by another, the same in every column."""
    ledger = ledger_of(database, owner)
    outcomes = {"a": reply("\x00 é"), "b": LATE, "c": Reply(({"n": 1e16, "a": -0.0},), "tool_use")}
    for key, outcome in outcomes.items():
        await keep(ledger, key, outcome, None if key == "b" else Decimal("0.0100"))
        await ledger.keep_tool(key, USE)
    async with database.as_user(owner) as connection:
        calls = await calls_of_keys(connection, owner, ["c", "a", "b", "missing"])
        uses = await tool_results(connection, owner, ["c", "a", "missing"])
    assert {one.key: one.outcome for one in calls} == outcomes
    assert [one.key for one in uses] == ["a", "c"]
    calls_sent = msgspec.json.decode(msgspec.json.encode(calls), type=list[CallRow])
    uses_sent = msgspec.json.decode(msgspec.json.encode(uses), type=list[ToolRow])
    async with database.as_worker() as connection:
        await import_calls(connection, other_user, ORIGIN, calls_sent)
        await import_tool_results(connection, other_user, ORIGIN, uses_sent)
        assert await calls_of_keys(connection, other_user, list("abc"), origin=ORIGIN) == calls
        assert await tool_results(connection, other_user, list("abc"), origin=ORIGIN) == uses
    replayed = ledger_of(database, other_user, origin=ORIGIN, any_route=True, route="")
    assert await outcome_of(replayed, "c") == outcomes["c"]
    assert await replayed.find_tool("a") == USE


async def test_each_way_has_its_own_answer_to_a_request(database: Database, owner: UUID) -> None:
    """All of them are given, the newest first; a key that is asked for twice is one."""
    for route in ("gateway", "direct"):
        await keep(ledger_of(database, owner, route=route), "k", reply(route))
    async with database.as_worker() as connection:
        found = await calls_of_keys(connection, owner, ["k", "k"])
    assert [one.outcome for one in found] == [reply("direct"), reply("gateway")]


async def test_the_same_file_twice_changes_nothing(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Nor does another answer under the same key and origin: what is there stays."""
    await take_in(database, owner, ORIGIN, row(), row("other"))
    before = await admin.fetch("select t::text from model_calls t order by 1")
    await take_in(database, owner, ORIGIN, row(text="changed"), row("other"))
    assert await admin.fetch("select t::text from model_calls t order by 1") == before


@pytest.mark.parametrize(
    "bad",
    [
        row("k" * 201),
        row(route="r" * 501),
        row("k\x00"),
        row()._replace(model=""),
        row()._replace(sample=-1),
        row()._replace(sample=2**31),
        row()._replace(latency_ms=-1),
        row()._replace(cost_usd=Decimal("NaN")),
        row()._replace(cost_usd=Decimal("Infinity")),
        row()._replace(cost_usd=Decimal(-1)),
        row()._replace(outcome=reply("x" * 10_485_760)),
        row()._replace(parts={str(n): "x" * 1000 for n in range(1100)}),
    ],
)
async def test_what_is_out_of_bounds_is_refused_whole(database: Database, owner: UUID, bad: CallRow) -> None:
    """A file with one such row leaves none of its rows behind."""
    with pytest.raises(Refused):
        await take_in(database, owner, ORIGIN, row("good"), bad)
    assert await outcome_of(ledger_of(database, owner, origin=ORIGIN), "good") is None


@pytest.mark.parametrize(("origin", "error"), [("", ValueError), ("x", Refused), (ORIGIN.upper(), Refused)])
async def test_what_comes_with_a_file_needs_the_files_digest(
    database: Database, owner: UUID, origin: str, error: type[Exception]
) -> None:
    """Without one it would be among the person's own."""
    with pytest.raises(error):
        await take_in(database, owner, origin, row())
    assert await outcome_of(ledger_of(database, owner)) is None
