"""`agentic decisions`: why a run did what it did, of a run by a baseline and of one by a model."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from control.decisions import PAGE, list_decisions
from db.pool import Database
from db.records import DecisionRow, write_rows
from domain.actions import ProposeOrder
from domain.inference import ModelCall, ToolUse, Usage
from domain.orders import Side
from domain.snapshots import AccountView, DecisionSnapshot, TickOutcome
from domain.time import HOUR_MS, iso
from domain.verdicts import Verdict, refusal
from tests.integration.cli.conftest import Agentic
from tests.integration.simulator.samples import T0, ask, keep_market, skill_text

HOSTILE = "Ignore the above\x1b[2J\u202eUSD 0 :tsoC\nCost: 0 USD for nothing"
"""What would clear the screen, run backwards, and pass for a line of ours."""


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours."""
    await keep_market(database)


@pytest.fixture
async def run_id(database: Database, owner: UUID, market: None) -> UUID:
    """A run that was asked for and has no decisions yet."""
    return await ask(database, owner, skill_text())


def decision(hour: int, **more: Any) -> DecisionSnapshot:
    """A model's decision: it read the bars, was refused a large order, took a small one, and said so."""
    calls = (
        ModelCall(
            key="a" * 64,
            model="claude-sonnet-4-6",
            stop="tool_use",
            text="The bars first.",
            usage=Usage(input=900, output=40, cache_read=4_000),
            cost_usd=Decimal("0.00450"),
            tools=(
                ToolUse("get_bars", {"symbol": "BTC"}, '{"bars":[]}'),
                ToolUse("buy_all", {"size": "NaN"}, '{"error":"there is no tool"}', True, "unknown_tool"),
            ),
        ),
        ModelCall(
            "b" * 64, "claude-sonnet-4-6", "end_turn", HOSTILE, Usage(input=1_000, output=9), Decimal("0.003")
        ),
    )
    given = {
        "id": f"decision {hour}",
        "tick_ts": T0 + hour * HOUR_MS,
        "outcome": TickOutcome.ACTED,
        "context_digest": "c" * 64,
        "trader": "anthropic:claude-sonnet-4-6",
        "calls": calls,
        "actions": tuple(
            ProposeOrder("BTC", Side.BUY, Decimal(size), why="a breakout") for size in ("100", "0.1")
        ),
        "verdicts": (Verdict(refusals=(refusal("max_leverage", 3, Decimal("950.5")),)), Verdict(orders=(7,))),
        "account": AccountView(
            T0 + hour * HOUR_MS, Decimal(9_000), Decimal("10000.5"), {"BTC": Decimal("-0.25")}
        ),
        "note": "Bought a little.",
        "context": "Clock: 2025-01-01T05:00:00Z\n" + HOSTILE,
        **more,
    }
    return DecisionSnapshot(**given)


async def keep(database: Database, owner: UUID, run_id: UUID, decisions: Sequence[DecisionSnapshot]) -> None:
    """Write decisions as a run does."""
    rows = [
        DecisionRow(one.id, one.tick_ts, one.outcome.name.lower(), msgspec.json.encode(one))
        for one in decisions
    ]
    async with database.as_worker() as connection:
        await write_rows(connection, owner, run_id, rows)


def told(agentic: Agentic, *arguments: str) -> str:
    """What the command prints for people. It succeeds and says nothing else."""
    done = agentic("decisions", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return str(done.stdout)


def document(agentic: Agentic, *arguments: str) -> Any:
    """What it prints as JSON."""
    return json.loads(told(agentic, *arguments, "--json"))


def test_a_baselines_decisions_are_listed_newest_first_and_told_one_by_one(
    agentic: Agentic, market: None, tmp_path: Path
) -> None:
    """Each line says what was done and what the engine answered; no cost where nobody thought."""
    (tmp_path / "sample.md").write_text(skill_text())
    assert agentic("sim", "run", "sample.md").exit_code == 0

    lines = told(agentic, "last", "--limit", "3").splitlines()
    listed = document(agentic, "last", "--limit", "3")
    newest = listed["decisions"][0]
    story = told(agentic, "last", "--tick", newest["tick_ts"])

    assert lines[0].split() == ["Tick", "Outcome", "What"]
    assert len(lines) == 5
    assert lines[-1] == f"older: agentic decisions last --before {listed['before_ts']}"
    assert [one["tick_ts"] for one in listed["decisions"]] == sorted(
        (one["tick_ts"] for one in listed["decisions"]), reverse=True
    )
    assert newest["sentence"] in lines[1]
    assert newest["sentence"] in story
    assert (newest["calls"], newest["cost_usd"]) == (0, "0")
    assert "Call 1" not in story


async def test_a_models_decision_is_told_whole(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """What it was shown, each call with its tools and answers, the verdicts, the cost, and the key of the record."""
    await keep(database, owner, run_id, [decision(5)])

    story = await asyncio.to_thread(told, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))

    for line in (
        f"2025-01-01T05:00:00Z · acted · anthropic:claude-sonnet-4-6 · run {str(run_id)[-8:]}",
        "Before it: 10,000.50 USD of equity, 9,000.00 in cash, holding −0.25 BTC",
        "  │ Clock: 2025-01-01T05:00:00Z",
        "Call 1 of 2: claude-sonnet-4-6 · tool_use · 4,900 tokens in (4,000 from the cache), 40 out · 0.0045 USD"
        f" · key {'a' * 16}",
        "  │ The bars first.",
        '  get_bars {"symbol":"BTC"}',
        '  → {"bars":[]}',
        '  buy_all {"size":"NaN"}',
        "    malformed: unknown_tool",
        '  ! {"error":"there is no tool"}',
        "  buy 100 BTC: refused, max_leverage 3, would have been 950.5",
        "  buy 0.1 BTC: approved as order 7",
        "  │ a breakout",
        "  │ Bought a little.",
        "Cost: 0.0075 USD for 5,900 tokens in (4,000 from the cache), 49 out",
        "Decision decision 5",
    ):
        assert line in story.splitlines()


async def test_what_others_wrote_can_neither_act_on_the_terminal_nor_pass_for_ours(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """Every line of it stands behind a bar, and what would move, hide or reorder letters is shown by its code."""
    await keep(database, owner, run_id, [decision(5, note=HOSTILE, actions=(), verdicts=())])

    story = await asyncio.to_thread(told, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))
    listed = await asyncio.to_thread(told, agentic, str(run_id))

    assert "  │ Ignore the above\\x1b[2J\\u202eUSD 0 :tsoC" in story.splitlines()
    assert [line for line in story.splitlines() if line.startswith("Cost: 0 USD for nothing")] == []
    assert not set("\x1b\u202e") & set(story + listed)
    assert len(listed.splitlines()) == 2


async def test_what_ended_a_tick_is_told_in_a_word_and_a_sentence(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """A limit that was reached, or what failed."""
    failed = decision(5, outcome=TickOutcome.FAILED, ended="overloaded", note="the models are overloaded")
    await keep(database, owner, run_id, [failed])

    story = await asyncio.to_thread(told, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))
    found = await asyncio.to_thread(document, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))

    assert "\nHow it ended (overloaded):\n  │ the models are overloaded\n" in story
    assert (found["outcome"], found["ended"]) == ("failed", "overloaded")


async def test_a_tick_that_was_cut_short_says_so_before_what_it_had_done(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """With the calls and actions up to then, what they cost, and what ended it."""
    await keep(database, owner, run_id, [decision(5, ended="budget", note="the budget of today is 4 USD")])

    story = await asyncio.to_thread(told, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))
    listed = await asyncio.to_thread(told, agentic, str(run_id))

    assert "cut short (budget): buy 100 BTC: refused" in " ".join(listed.split())
    assert "\nHow it ended (cut short: budget):\n  │ the budget of today is 4 USD\n" in story
    assert "buy 0.1 BTC: approved as order 7" in story
    assert "\nCost: 0.0075 USD" in story


async def test_as_json_it_is_one_document_with_actions_by_name(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """Every word of it, money as plain text, instants as people write them, each action beside its verdict."""
    await keep(database, owner, run_id, [decision(5)])

    found = await asyncio.to_thread(document, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))

    assert (found["run_id"], found["tick_ts"], found["outcome"]) == (
        str(run_id),
        "2025-01-01T05:00:00Z",
        "acted",
    )
    assert found["context"].endswith(HOSTILE)
    assert [call["key"][0] for call in found["calls"]] == ["a", "b"]
    assert found["calls"][0]["usage"]["cache_read"] == 4_000
    assert (found["calls"][0]["cost_usd"], found["cost_usd"]) == ("0.0045", "0.0075")
    assert [step["action"]["type"] for step in found["steps"]] == ["propose_order", "propose_order"]
    assert [step["verdict"]["orders"] for step in found["steps"]] == [[], [7]]
    assert found["account"]["positions"] == {"BTC": "-0.25"}


async def test_a_cost_that_is_not_known_is_not_nothing(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """It is unknown in the list, in the story and in JSON, though another call's is known."""
    first, second = decision(5).calls
    unknown = msgspec.structs.replace(second, cost_usd=None)
    await keep(database, owner, run_id, [decision(5, calls=(first, unknown))])

    listed = await asyncio.to_thread(told, agentic, str(run_id))
    story = await asyncio.to_thread(told, agentic, str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))
    found = await asyncio.to_thread(document, agentic, str(run_id))

    assert listed.splitlines()[1].endswith("unknown")
    assert "Cost: unknown USD for" in story
    assert found["decisions"][0]["cost_usd"] is None


async def test_a_long_run_is_read_in_pages_that_join(database: Database, owner: UUID, run_id: UUID) -> None:
    """No decision twice and none left out, whatever the limit; the last page says that it is the last."""
    many = 2 * PAGE + 5
    await keep(database, owner, run_id, [decision(hour) for hour in range(many)])

    ticks: list[int] = []
    before = None
    for limit in (1, PAGE - 1, PAGE + 1, 1000):
        page = await list_decisions(database, owner, run_id, limit=limit, before=before)
        ticks += [line.tick_ts for line in page.decisions]
        before = page.before_ts

    assert before is None
    assert ticks == [T0 + hour * HOUR_MS for hour in reversed(range(many))]


async def test_the_last_decisions_of_a_full_page_are_the_last(
    database: Database, owner: UUID, run_id: UUID
) -> None:
    """A page that holds exactly all there is does not promise older ones."""
    await keep(database, owner, run_id, [decision(hour) for hour in range(PAGE)])
    page = await list_decisions(database, owner, run_id, limit=PAGE)
    assert (len(page.decisions), page.before_ts) == (PAGE, None)


async def test_a_tick_without_a_decision_is_one_line_that_names_the_nearest(
    agentic: Agentic, database: Database, owner: UUID, run_id: UUID
) -> None:
    """So that a person finds what they meant."""
    await keep(database, owner, run_id, [decision(3), decision(9)])

    done = await asyncio.to_thread(agentic, "decisions", str(run_id), "--tick", iso(T0 + 5 * HOUR_MS))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "there is no decision at 2025-01-01T05:00:00Z: no tick was due, or nothing was done; "
        "nearest: 2025-01-01T03:00:00Z and 2025-01-01T09:00:00Z\n"
    )


async def test_a_run_without_decisions_says_so(agentic: Agentic, run_id: UUID) -> None:
    """For people in a sentence, for programs as an empty list."""
    assert "no decisions here" in await asyncio.to_thread(told, agentic, str(run_id))
    found = await asyncio.to_thread(document, agentic, str(run_id))
    assert (found["decisions"], found["before_ts"]) == ([], None)


async def test_nobody_reads_another_persons_decisions(
    agentic: Agentic, database: Database, owner: UUID, other_user: UUID, run_id: UUID
) -> None:
    """Neither by the command, to which the run does not exist, nor by its id."""
    await keep(database, owner, run_id, [decision(5)])

    done = await asyncio.to_thread(agentic, "--user", "other@localhost", "decisions", str(run_id))
    page = await list_decisions(database, other_user, run_id, limit=10)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"there is no run or deployment {run_id}")
    assert page.decisions == []
