"""Why a run did what it did: its decisions, a line each, and the whole of one."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import msgspec

from control.errors import Invalid, NotFound
from db.decisions import decision_at, newest_decisions, ticks_around
from db.pool import Database
from db.records import DecisionRow
from domain.actions import Action, in_words
from domain.inference import Inference
from domain.snapshots import DecisionSnapshot
from domain.time import iso
from domain.verdicts import Verdict
from simulator.report.words import grouped

MOST_DECISIONS = 1_000
PAGE = 100
LONGEST_SENTENCE = 240


class DecisionLine(msgspec.Struct, frozen=True):
    """One decision in a list. `tick_ts` is UTC ms; `cost_usd` is that of its `calls` when made, None if not known."""

    id: str
    tick_ts: int
    outcome: str
    sentence: str
    calls: int
    cost_usd: Decimal | None


class DecisionPage(msgspec.Struct, frozen=True):
    """Some decisions, newest first, and the instant before which the older ones are; None when there are none."""

    decisions: list[DecisionLine]
    before_ts: int | None


async def list_decisions(
    database: Database, user_id: UUID, run_id: UUID, *, limit: int, before: int | None = None
) -> DecisionPage:
    """Give the newest decisions of a person's run, those before an instant (UTC ms) if it is given.

    Raises Invalid for a limit that is out of bounds.
    """
    if not 1 <= limit <= MOST_DECISIONS:
        raise Invalid(f"limit is {limit}; it must be from 1 to {MOST_DECISIONS:,}")
    lines: list[DecisionLine] = []
    while len(lines) <= limit:
        asked = min(PAGE, limit + 1 - len(lines))
        async with database.as_user(user_id) as connection:
            rows = await newest_decisions(connection, run_id, limit=asked, before=before)
        lines += [line_of(row) for row in rows]
        if len(rows) < asked:
            return DecisionPage(lines, None)
        before = rows[-1].tick_ts
    return DecisionPage(lines[:limit], lines[limit - 1].tick_ts)


async def load_decision(database: Database, user_id: UUID, run_id: UUID, tick_ts: int) -> DecisionSnapshot:
    """Give the decision of one tick of a person's run. Raises NotFound, naming the nearest ones."""
    async with database.as_user(user_id) as connection:
        row = await decision_at(connection, run_id, tick_ts)
        around = [] if row else await ticks_around(connection, run_id, tick_ts)
    if row is None:
        nearest = f"; nearest: {' and '.join(map(iso, around))}" if around else ""
        raise NotFound(
            f"there is no decision at {iso(tick_ts)}: no tick was due, or nothing was done{nearest}"
        )
    return msgspec.convert(row.body, DecisionSnapshot)


def line_of(row: DecisionRow) -> DecisionLine:
    """Make a decision's line of its row."""
    decision = msgspec.convert(row.body, DecisionSnapshot)
    spent = thinking_of(decision)
    return DecisionLine(row.id, row.tick_ts, row.outcome, sentence(decision), spent.calls, spent.cost_usd)


def thinking_of(decision: DecisionSnapshot) -> Inference:
    """The calls of one decision, added up."""
    total = Inference()
    total.take(decision.calls, "")
    return total


def sentence(decision: DecisionSnapshot) -> str:
    """Say in one line what was done and what the engine answered, or else what the tick itself said.

    What cut a tick short is said first, as what was done is then not all that was meant.
    """
    done = "; ".join(answer_in_words(*each) for each in steps(decision))
    if done and decision.was_cut_short:
        done = f"cut short ({decision.ended}): {done}"
    text = " ".join((done or decision.note or "held").split())
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1] + "…"


def steps(decision: DecisionSnapshot) -> Iterator[tuple[Action, Verdict]]:
    """What was done, each with the engine's answer."""
    return zip(decision.actions, decision.verdicts, strict=True)


def answer_in_words(action: Action, verdict: Verdict) -> str:
    """One action and what the engine said of it: "buy 0.1 BTC: refused, max_leverage 3, would have been 5"."""
    what = in_words(action, grouped)
    if verdict.refusals:
        return f"{what}: refused, {' and '.join(map(str, verdict.refusals))}"
    numbers = ", ".join(map(str, verdict.orders))
    return f"{what}: approved" + (f" as order {numbers}" if numbers else "")
