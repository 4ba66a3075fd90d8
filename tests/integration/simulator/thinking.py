"""Runs that a language model decides, and somebody at the other end who writes down what each answer costs."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from agent.keys import KEY_FORM
from agent.models import api_version
from agent.provider import Provider
from config.models import Price, cost_usd, load_models
from control import runs, skills
from control.runs import RunRequest
from db.pool import Database
from domain.caps import LOOSEST
from domain.inference import Usage
from domain.money import ZERO
from tests.integration.simulator.samples import DAYS, T0
from tests.standins.brains import Brain, digest, symbols, system_text, trend, turns
from tests.standins.provider import NOW
from tests.standins.steps import Step, call, refuse

SKILL = """\
---
name: thinker
description: Trades a little of everything it is shown
model: anthropic:claude-sonnet-4-6
schedule: 4h
market: {symbols: [BTC], interval: 1h, bars: 10}
tools: [get_bars, propose_order]
risk: {max_leverage: 2, allow_short: true, max_inference_usd_per_run: 50}
---
You trade BTC. Buy or sell a little at every tick.
"""
PERIOD: dict[str, Any] = {"from_ts": T0 + DAYS, "to_ts": T0 + 3 * DAYS}
TICKS = 12


def thinker(name: str = "thinker", usd: str = "50", **lines: str) -> str:
    """The Skill under another name, with another budget for a run, and with some of its lines changed."""
    text = SKILL.replace("name: thinker", f"name: {name}").replace("per_run: 50", f"per_run: {usd}")
    for key, value in lines.items():
        text = re.sub(rf"^{key}: .*$", f"{key}: {value}", text, flags=re.MULTILINE)
    return text


async def ask(
    database: Database, owner: UUID, provider: Provider, text: str = SKILL, **request: Any
) -> list[UUID]:
    """Ask for runs of a Skill over the period, or over another."""
    saved = await skills.save(database, owner, text)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    return await runs.ask(database, owner, version, RunRequest(**{**PERIOD, **request}), LOOSEST, provider)


def key_of(body: Mapping[str, Any], sample: int = 0) -> str:
    """The key under which a request is kept, worked out from what came over the wire."""
    asked = {name: value for name, value in body.items() if name != "stream"}
    asked |= {"api_version": api_version(asked), "form": KEY_FORM, "sample": sample}
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()


def price() -> Price:
    """What a call costs on the day of the tests."""
    facts = load_models().find("claude-sonnet-4-6")
    found = facts and facts.price_at(NOW)
    assert found
    return found


def whimsical(body: Mapping[str, Any], number: int) -> Step:
    """Look, buy, sell or hold, by a digest of what is shown; two or three answers to a tick."""
    if turns(body) == 0 and digest(body) % 3 == 0:
        return call("get_bars", {"symbol": symbols(body)[0], "count": 5})
    looked = turns(body) == 1 and digest({**body, "messages": body["messages"][:1]}) % 3 == 0
    if looked:
        return trend({**body, "messages": body["messages"][-1:]}, number)
    return trend(body, number)


class Biller:
    """A mind that answers as another does, and bills any number of tokens that such a request may be billed for.

    The same request always costs the same. With `faults`, so many of a hundred answers go wrong: refused, broken off,
    too late. What was begun is billed in full, whether it arrives or not. `billed` is by request, as (skill, tick,
    call); `keys` are those asked for.
    """

    def __init__(
        self, brain: Brain = whimsical, *, seed: int = 0, faults: int = 0, late_ms: float = 0
    ) -> None:
        self.billed: list[tuple[str, str, str, Decimal]] = []
        self.keys: list[str] = []
        self._brain, self._seed, self.faults, self._late_ms = brain, seed, faults, late_ms
        self._price = price()

    def __call__(self, body: Mapping[str, Any], number: int) -> Step:
        """Answer, or not."""
        key = key_of(body)
        dice = Random(f"{self._seed} {key} {self.keys.count(key)}")
        self.keys.append(key)
        step = self._spoilt(self._brain(body, number), dice)
        if step.status == 200:
            usage = _usage(body, Random(f"{self._seed} {key}"))
            self._book(body, key, cost_usd(self._price, usage))
            step = step.but(usage=_on_the_wire(usage))
        return step

    def _spoilt(self, step: Step, dice: Random) -> Step:
        if dice.randrange(100) >= self.faults:
            return step
        return dice.choice(
            (
                refuse(529, "overloaded_error", headers={"retry-after-ms": "1"}),
                refuse(429, "rate_limit_error", headers={"retry-after-ms": "1"}),
                refuse(500, "api_error"),
                step.but(fault="error"),
                step.but(fault="cut"),
                step.but(fault="eof"),
                step.but(fault="hang"),
                step.but(piece_bytes=40, piece_ms=self._late_ms / 4),
                step.but(latency_ms=self._late_ms),
            )
        )

    def _book(self, body: Mapping[str, Any], key: str, usd: Decimal) -> None:
        name = re.search(r"^The Skill: (.+)$", system_text(body), re.MULTILINE)
        assert name
        tick = hashlib.sha256(json.dumps(body["messages"][0]).encode()).hexdigest()
        self.billed.append((name[1], tick, key, usd))

    def by(self, what: Callable[[str, str, str], Any]) -> dict[Any, Decimal]:
        """What was billed, added up for each skill, tick or call: `what` is told all three."""
        sums: dict[Any, Decimal] = {}
        for skill, tick, key, usd in self.billed:
            sums[what(skill, tick, key)] = sums.get(what(skill, tick, key), ZERO) + usd
        return sums

    @property
    def total(self) -> Decimal:
        """What was billed to everybody."""
        return sum((usd for *_, usd in self.billed), ZERO)


def _usage(body: Mapping[str, Any], dice: Random) -> Usage:
    """Tokens up to the most there can be: one for a byte, all written to the dearest cache, the output at its bound."""
    sent = {name: value for name, value in body.items() if name != "stream"}
    prompt = len(json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode())
    prompt, output = (
        round(most * max(dice.random(), dice.random())) for most in (prompt, body["max_tokens"])
    )
    kind = dice.choice(("input", "cache_read", "cache_write_5m", "cache_write_1h"))
    return Usage(**{kind: prompt, "output": output})


def _on_the_wire(usage: Usage) -> dict[str, Any]:
    written = usage.cache_write_5m + usage.cache_write_1h
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
    }
