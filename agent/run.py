"""`run_skill()`: one tick of one Skill, the same in a simulation and in a deployment."""

import hashlib

import msgspec

from agent.baselines import Trader, baseline
from agent.tick import Tick
from domain.snapshots import DecisionSnapshot, TickOutcome
from engine.engine import Engine
from market.history import History
from skills.skill import Skill


class NoTrader(ValueError):
    """Nobody can decide for this Skill here. One line."""


class Agent(msgspec.Struct, frozen=True):
    """A Skill that is ready to run: who decides, and what it looks at and acts through.

    `account` names the trading account in decision ids. `data_digest` stands for all market data there is.
    """

    skill: Skill
    trader: Trader
    history: History
    engine: Engine
    account: str
    data_digest: str


class Decision(msgspec.Struct, frozen=True):
    """How a tick ended. `snapshot` is there when something was done or tried."""

    outcome: TickOutcome
    snapshot: DecisionSnapshot | None = None


HELD = Decision(TickOutcome.HOLD)
SHUT = Decision(TickOutcome.HALTED)
"""A tick that was due and not taken, because the account is halted and flat: thinking would only cost."""


async def run_skill(agent: Agent, ts: int) -> Decision:
    """Let a Skill decide at `ts`, and give what came of it. Nothing it does can pass the engine's caps."""
    tick = Tick(agent.skill, agent.engine, agent.history.as_of(ts), agent.account)
    await agent.trader.decide(tick)
    if not tick.actions:
        return HELD
    return Decision(tick.outcome, _snapshot(agent, tick))


def trader_for(skill: Skill, seed: int) -> Trader:
    """Find who decides for a Skill: this is where models enter. Raises NoTrader, saying what can be done."""
    if skill.baseline is None:
        raise NoTrader(
            f"{skill.name} is decided by {skill.model}; language models are not there yet, "
            "so use one of the baselines, such as model: baseline:sma-cross"
        )
    return baseline(skill, seed)


def _snapshot(agent: Agent, tick: Tick) -> DecisionSnapshot:
    return DecisionSnapshot(
        id=tick.decision,
        tick_ts=tick.ts,
        outcome=tick.outcome,
        context_digest=_context_digest(agent, tick),
        trader=agent.skill.model,
        calls=(),
        actions=tuple(tick.actions),
        verdicts=tuple(tick.verdicts),
        account=tick.account,
    )


def _context_digest(agent: Agent, tick: Tick) -> str:
    """Name what the tick was shown: the data, the instant and the account say it all, so no window is hashed."""
    parts = (agent.data_digest, tick.ts, tick.account)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
