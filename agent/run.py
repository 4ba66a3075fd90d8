"""`run_skill()`: one tick of one Skill, the same in a simulation and in a deployment."""

import hashlib
from collections.abc import Sequence

import msgspec

from agent.baselines import Trader, baseline
from agent.port import EnginePort
from agent.tick import Tick
from domain.actions import Action, in_words
from domain.inference import Memo
from domain.snapshots import DecisionSnapshot, TickOutcome
from domain.verdicts import Verdict
from market.history import History
from skills.skill import Skill

MOST_MEMOS = 8
MOST_MEMO_NOTE = 300


class Agent(msgspec.Struct, frozen=True):
    """A Skill that is ready to run: who decides, and what it looks at and acts through.

    `account` names the trading account in decision ids. `data_digest` stands for all market data there is. `memos` are
    the last decisions, oldest first: what a model remembers from tick to tick.
    """

    skill: Skill
    trader: Trader
    history: History
    engine: EnginePort
    account: str
    data_digest: str
    memos: list[Memo] = []


class Decision(msgspec.Struct, frozen=True):
    """How a tick ended. `snapshot` is there when something was done or tried."""

    outcome: TickOutcome
    snapshot: DecisionSnapshot | None = None


HELD = Decision(TickOutcome.HOLD)
SHUT = Decision(TickOutcome.HALTED)
"""A tick that was due and not taken, because the account is halted and flat: thinking would only cost."""


async def run_skill(agent: Agent, ts: int) -> Decision:
    """Let a Skill decide at `ts`, and give what came of it. Nothing it does can pass the engine's caps.

    Raises `asking.Stop` where a model decides and can't be asked any more; what was done until then is in the journal.
    """
    return await take(agent, open_tick(agent, ts))


def open_tick(agent: Agent, ts: int) -> Tick:
    """The tick of `ts`, as it opens: nothing was said or done in it yet."""
    return Tick(agent.skill, agent.engine, agent.history.as_of(ts), agent.account, agent.memos)


async def take(agent: Agent, tick: Tick) -> Decision:
    """`run_skill` on a tick that was opened. Whatever it raises, what was said and done until then is in the tick."""
    await agent.trader.decide(tick)
    if tick.calls or tick.ended:
        _remember(agent.memos, tick)
    elif not tick.actions:
        return HELD
    return Decision(tick.outcome, _snapshot(agent, tick))


def cut_short(agent: Agent, tick: Tick, ended: str, why: str) -> DecisionSnapshot:
    """What is kept of a tick that could not be decided to its end: all that was said and done in it, and why it ended.

    `ended` is one of `CUT_SHORT`, `why` one line for people, and for the model at its next tick.
    """
    tick.failed, tick.ended, tick.note = True, ended, why
    _remember(agent.memos, tick)
    return _snapshot(agent, tick)


def baseline_for(skill: Skill, seed: int) -> Trader | None:
    """Give the plain code that decides for a Skill, or None where a language model does."""
    return None if skill.baseline is None else baseline(skill, seed)


def memos_of(decisions: Sequence[DecisionSnapshot]) -> list[Memo]:
    """What is remembered of earlier ticks, oldest first: where a model goes on after a restart."""
    return [_memo(one.tick_ts, one.actions, one.verdicts, one.note) for one in decisions[-MOST_MEMOS:]]


def _remember(memos: list[Memo], tick: Tick) -> None:
    """Keep a decision for the ticks to come, and only the newest of them."""
    memos.append(_memo(tick.ts, tick.actions, tick.verdicts, tick.note))
    del memos[:-MOST_MEMOS]


def _memo(ts: int, actions: Sequence[Action], verdicts: Sequence[Verdict], note: str) -> Memo:
    done = [_told(*one) for one in zip(actions, verdicts, strict=True)]
    said = note[:MOST_MEMO_NOTE]
    return Memo(ts, "; ".join([*done, *([said] if said else [])]) or "held")


def _told(action: Action, verdict: Verdict) -> str:
    """One action and what the engine said of it."""
    said = f"refused: {verdict.refusals[0]}" if verdict.refusals else "approved"
    return f"{in_words(action)}: {said}"


def _snapshot(agent: Agent, tick: Tick) -> DecisionSnapshot:
    return DecisionSnapshot(
        id=tick.decision,
        tick_ts=tick.ts,
        outcome=tick.outcome,
        context_digest=_context_digest(agent, tick),
        trader=agent.skill.model,
        calls=tuple(tick.calls),
        actions=tuple(tick.actions),
        verdicts=tuple(tick.verdicts),
        account=tick.account,
        note=tick.note,
        context=tick.context,
        ended=tick.ended,
    )


def _context_digest(agent: Agent, tick: Tick) -> str:
    """Name what the tick was shown: the data, the instant and the account say it all, so no window is hashed."""
    parts = (agent.data_digest, tick.ts, tick.account)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
