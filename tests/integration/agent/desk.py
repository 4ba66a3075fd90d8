"""A language model at a desk: the real loop, door and engine, the stand-in for the API, and somebody who trusts nobody.

Each action is audited around the engine, each amount in the ledger against its budgets.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from agent.allowance import Allowance
from agent.asking import Asker
from agent.gate import Gate
from agent.language import LanguageTrader
from agent.models import AnthropicDoor
from agent.outside import Outside
from agent.run import Agent, Decision, run_skill
from brokers.paper.tape import Tape
from config.models import load_models
from db.market import BAR
from domain.actions import Action
from domain.caps import Caps
from domain.inference import Budget, BudgetReached, CallRecord, Parts, Recorded, ToolUse
from domain.money import ZERO
from domain.time import HOUR_MS, ManualClock, parse_ts
from domain.verdicts import Verdict
from market.history import History, Series
from market.news import NewsSource
from skills import skill_md
from skills.skill import Skill
from tests.standins.messages_api import Answers, StandIn, stand_in
from tests.unit.brokers.samples import START, flat, tape_of
from tests.unit.engine.auditor import Auditor
from tests.unit.engine.samples import House

KEY = "sk-ant-planted-0123456789"
NOW = parse_ts("2026-06-01")
HOURS = 100
PX = 100.0

SKILL = """\
---
name: at-the-desk
description: Trades a little
model: anthropic:claude-sonnet-4-6
schedule: 1h
market: {symbols: [BTC], interval: 1h, bars: 20, news: 5, funding: false}
tools: [get_bars, get_portfolio, propose_order, set_protection, search_news]
risk:
  max_leverage: 0.5
  max_order_usd: 500
  max_position_usd: 2000
  max_gross_usd: 2000
  max_open_positions: 1
  max_orders_per_hour: 8
  max_orders_per_day: 20
  max_actions_per_tick: 5
  require_stop: true
  max_stop_distance_pct: 5
  cooldown_after_loss: 2h
---
You trade a little.
"""


class MemoryLedger:
    """A ledger that is gone afterwards. `most` is the highest that any budget's total has stood at."""

    def __init__(self) -> None:
        self.calls: dict[str, CallRecord] = {}
        self.tools: dict[str, ToolUse] = {}
        self.spent: dict[str, Decimal] = {}
        self.open_usd = ZERO  # set aside, and not settled yet

    async def find(self, key: str) -> Recorded | None:
        found = self.calls.get(key)
        return None if found is None else Recorded(found.outcome, found.cost_usd)

    async def nearest(self, parts: Parts) -> Parts | None:
        return next((call.parts for call in self.calls.values()), None)

    async def reserve(self, budgets: Sequence[Budget], worst_usd: Decimal) -> None:
        for budget in budgets:
            if (spent := self.spent.get(budget.scope, ZERO)) + worst_usd > budget.limit_usd:
                raise BudgetReached(budget, spent, worst_usd)
        self._add(budgets, worst_usd)
        self.open_usd += worst_usd

    async def settle(
        self, budgets: Sequence[Budget], worst_usd: Decimal, cost_usd: Decimal, call: CallRecord | None
    ) -> None:
        self._add(budgets, cost_usd - worst_usd)
        self.open_usd -= worst_usd if budgets else ZERO
        if call is not None:
            self.calls[call.key] = msgspec.json.decode(msgspec.json.encode(call), type=CallRecord)

    async def find_tool(self, key: str) -> ToolUse | None:
        return self.tools.get(key)

    async def keep_tool(self, key: str, use: ToolUse) -> ToolUse:
        return self.tools.setdefault(key, use)

    def _add(self, budgets: Sequence[Budget], usd: Decimal) -> None:
        for budget in budgets:
            self.spent[budget.scope] = self.spent.get(budget.scope, ZERO) + usd


class _Watched:
    """An engine that is audited around every action, and seen only through what the agent may use of it."""

    def __init__(self, house: House, auditor: Auditor) -> None:
        self._house, self._auditor = house, auditor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._house.engine, name)

    async def submit(self, action: Action, *, ts: int, decision: str, index: int) -> Verdict:
        self._auditor.before()
        verdict = await self._house.engine.submit(action, ts=ts, decision=decision, index=index)
        self._house._write()
        self._auditor.after(action, verdict, index)
        return verdict


class Desk:
    """A Skill for a language model, hour by hour. Use `desk()` to open one."""

    def __init__(
        self, api: StandIn, door: AnthropicDoor, skill: Skill, history: History, outside: Outside | None
    ):
        self.api = api
        self.skill = skill
        self.house = House(skill.caps, market(), symbols=skill.market.symbols)
        self.auditor = Auditor(self.house)
        self.ledger = MemoryLedger()
        self.allowance = allowance()
        facts = load_models().find("claude-sonnet-4-6")
        assert facts is not None
        asker = Asker(
            self.ledger,
            Gate(4),
            self.allowance,
            facts.price_at,
            ManualClock(NOW),
            open_door=lambda: door,
            sleep=_at_once,
        )
        self.agent = Agent(
            skill,
            LanguageTrader(skill, skill.caps, facts, asker, outside),
            history,
            _Watched(self.house, self.auditor),  # type: ignore[arg-type]
            "test",
            "data",
        )

    async def decide(self) -> Decision:
        """Let the model decide now. Whatever it does, budgets hold and nothing stays set aside."""
        decision = await run_skill(self.agent, self.house.ts)
        assert self.ledger.open_usd == ZERO
        for budget in self.allowance.budgets(NOW):
            assert self.ledger.spent.get(budget.scope, ZERO) <= budget.limit_usd
        return decision

    def hour(self) -> None:
        """Let an hour pass, and the auditor look."""
        self.house.step()
        self.auditor.hour()


@asynccontextmanager
async def desk(
    answers: Answers,
    *,
    skill: Skill | None = None,
    news: NewsSource | None = None,
    outside: Outside | None = None,
    **faults: Any,
) -> AsyncIterator[Desk]:
    """A desk whose model answers like this."""
    shown = History({"BTC": closed_bars()}, {}, news=news)
    async with stand_in(answers, keys={KEY}, **faults) as api:
        door = AnthropicDoor(KEY, base_url=api.url)
        try:
            yield Desk(api, door, skill or skill_md.read(SKILL), shown, outside)
        finally:
            await door.close()


def closed_bars() -> Series:
    """What the model sees of BTC: hours that end before the account begins."""
    opens = range(START - 5 * HOUR_MS, START, HOUR_MS)
    return Series("BTC", HOUR_MS, np.array([(ts, ts + HOUR_MS, PX, PX, PX, PX, 1e6) for ts in opens], BAR))


def market() -> Tape:
    """Bars in which the price swings a little, so that stops are hit now and then, and losses made."""
    swings = [flat(PX + (3 * (n % 5) - 6) / 4) for n in range(HOURS)]
    return tape_of({"BTC": swings, "ETH": [flat(10)] * HOURS, "DOGE": [flat(1)] * HOURS})


def allowance() -> Allowance:
    """Enough for what the tests ask, and no more."""
    usd = Decimal(1)
    run = Budget("run:test", 20 * usd, "the run")
    return Allowance(10 * usd, 15 * usd, 40 * usd, 80 * usd, run)


def caps_but(skill: Skill, **changes: Any) -> Skill:
    """A Skill with other caps."""
    caps: Caps = msgspec.structs.replace(skill.caps, **changes)
    return msgspec.structs.replace(skill, caps=caps)


async def _at_once(seconds: float) -> None:
    """A pause that takes no time."""
    await asyncio.sleep(0)
