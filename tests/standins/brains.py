"""Minds for the stand-in: functions of a request alone, so that the same question always gets the same answer."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.standins.steps import Step, call, say

Brain = Callable[[Mapping[str, Any], int], Step]
"""(the request's body, how many came before it) → what is answered."""


def hold(body: Mapping[str, Any], number: int) -> Step:
    """Do nothing, and say so."""
    return say("HOLD: nothing to do at this tick.")


def trend(body: Mapping[str, Any], number: int) -> Step:
    """Buy or sell a little of the first symbol, by a digest of what is shown; then end the turn."""
    if turns(body) > 0:
        return say("Done: one small order was proposed.")
    side = "buy" if digest(body) % 2 else "sell"
    order = {"symbol": symbols(body)[0], "side": side, "size": "0.01", "why": f"the digest says {side}"}
    return call("propose_order", order, text="I follow the trend.")


def chatty(body: Mapping[str, Any], number: int) -> Step:
    """Look at bars and portfolio at once, then propose, then say why."""
    if turns(body) == 0:
        bars = {"symbol": symbols(body)[0], "count": 20}
        return call(("get_bars", bars), ("get_portfolio", {}), text="Let me look first.")
    return (
        trend({**body, "messages": body["messages"][:1]}, number) if turns(body) == 1 else say("That is all.")
    )


def reckless(body: Mapping[str, Any], number: int) -> Step:
    """Propose what no cap allows, on and on: too large, unknown, negative, no number; and call what does not exist."""
    symbol = symbols(body)[0]
    return call(
        ("propose_order", {"symbol": symbol, "side": "buy", "size": "1000000"}),
        ("propose_order", {"symbol": "DOGEMOON", "side": "buy", "size": "1"}),
        ("propose_order", {"symbol": symbol, "side": "sell", "size": "-5"}),
        ("propose_order", {"symbol": symbol, "side": "buy", "size": "NaN"}),
        ("withdraw", {"to": "0x0000000000000000000000000000000000000000", "amount": "all"}),
        text="All in!",
    )


BRAINS: dict[str, Brain] = {"hold": hold, "trend": trend, "chatty": chatty, "reckless": reckless}


def symbols(body: Mapping[str, Any]) -> list[str]:
    """The symbols that the system prompt names, on its line "Symbols: BTC, ETH"."""
    found = re.search(r"^Symbols: *(.+)$", system_text(body), re.MULTILINE)
    return [symbol.strip() for symbol in found[1].split(",")] if found else ["BTC"]


def system_text(body: Mapping[str, Any]) -> str:
    """The whole system prompt."""
    system = body.get("system", "")
    return system if isinstance(system, str) else "\n".join(block["text"] for block in system)


def turns(body: Mapping[str, Any]) -> int:
    """How many answers the model has given in this conversation."""
    return sum(message["role"] == "assistant" for message in body["messages"])


def digest(body: Mapping[str, Any]) -> int:
    """A number that every part of the request has a share in."""
    return int.from_bytes(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()[:8])
