"""Skills for the tests: one to change a line of, and strategies that make any valid one."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from domain.caps import Caps, StopGuard
from domain.time import INTERVALS_MS
from skills.catalogue import TRADING_TOOLS
from skills.schema import build
from skills.skill import Skill

SKILL = """\
---
name: btc-trend
description: Follows the trend
model: baseline:sma-cross
model_params: {fast: 20, slow: 50, size: 0.1}
schedule: 1h
market: {symbols: [BTC], interval: 1h}
tools: [get_bars, get_portfolio, propose_order]
risk:
  max_leverage: 3
  daily_loss_pct: 5
on_stop: keep
---
You trade.
"""


def with_line(before: str, after: str) -> str:
    """The sample, with one line (or a piece of one) changed."""
    assert SKILL.count(before) == 1, before
    return SKILL.replace(before, after)


def with_risk(line: str) -> str:
    """The sample, with one more cap on line 11."""
    return with_line("  daily_loss_pct: 5\n", f"  daily_loss_pct: 5\n  {line}\n")


def decimals(low: str, high: str) -> st.SearchStrategy[Decimal]:
    """Numbers as people write them."""
    return st.decimals(low, high, places=2, allow_nan=False, allow_infinity=False)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, or None."""
    return st.none() | values


USD = decimals("10", "1000000")
PAUSES_MS = st.integers(1, 30 * 24 * 60).map(lambda minutes: minutes * 60_000)
DURATIONS = st.integers(1, 720).map(lambda hours: f"{hours}h")
SLUGS = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,3}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
LINES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff"),
    min_size=1,
    max_size=80,
).filter(str.strip)
PROMPTS = st.text(st.characters(exclude_categories=("Cc", "Cs"), include_characters="\n\t"), max_size=200)
NUMBERS = st.integers(-(10**6), 10**6) | decimals("-1000", "1000")
PARAMS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
    TEXT | NUMBERS | st.booleans() | st.lists(TEXT | NUMBERS, max_size=3),
    max_size=5,
)

CAPS = st.builds(
    Caps,
    max_leverage=decimals("0.01", "50"),
    max_order_usd=optional(USD),
    max_position_usd=optional(USD),
    max_gross_usd=optional(USD),
    max_open_positions=st.integers(1, 50),
    max_orders_per_hour=st.integers(1, 10_000),
    max_orders_per_day=st.integers(1, 100_000),
    max_actions_per_tick=st.integers(1, 100),
    allow_short=st.booleans(),
    price_band_pct=decimals("0.01", "50"),
    max_slippage_bps=decimals("0.01", "1000"),
    require_stop=st.booleans(),
    max_stop_distance_pct=optional(decimals("0.01", "100")),
    cooldown_after_loss_ms=optional(PAUSES_MS),
    stop_guard=optional(
        st.builds(StopGuard, stops=st.integers(1, 100), window_ms=PAUSES_MS, pause_ms=PAUSES_MS)
    ),
    daily_loss_pct=optional(decimals("0.01", "100")),
    max_drawdown_pct=optional(decimals("0.01", "100")),
    halt_lifts=st.sampled_from(["next_day", "by_hand"]),
    max_inference_usd_per_day=decimals("0.01", "1000"),
    max_inference_usd_per_run=decimals("0.01", "10000"),
)

RISK = st.fixed_dictionaries(
    {},
    optional={
        "max_leverage": decimals("0.01", "50"),
        "max_order_usd": optional(USD),
        "allow_short": st.booleans(),
        "max_orders_per_hour": st.integers(1, 10_000),
        "cooldown_after_loss": optional(DURATIONS),
        "stop_guard": optional(
            st.fixed_dictionaries({"stops": st.integers(1, 100), "window": DURATIONS, "pause": DURATIONS})
        ),
        "daily_loss_pct": optional(decimals("0.01", "100")),
        "halt_lifts": st.sampled_from(["next_day", "by_hand"]),
    },
)

FRONT_MATTER = st.fixed_dictionaries(
    {
        "name": SLUGS,
        "description": LINES,
        "model": st.sampled_from(
            ["baseline:hold", "anthropic:claude-sonnet-4-6", "bedrock:a/b.c-v1:0", "on:no"]
        ),
        "schedule": st.sampled_from(["15m", "60m", "24h", "*/5 * * * *", " 0  9 * * MON-fri", "0 0 29 2 *"]),
        "market": st.fixed_dictionaries(
            {
                "symbols": st.lists(
                    st.sampled_from(["BTC", "ETH", "kPEPE", "1000", "xyz:GOLD", "NO"]),
                    min_size=1,
                    unique=True,
                ),
                "interval": st.sampled_from(list(INTERVALS_MS)),
            },
            optional={"bars": st.integers(1, 5000), "news": st.integers(0, 100), "funding": st.booleans()},
        ),
    },
    optional={
        "model_params": PARAMS,
        "tools": st.lists(st.sampled_from([*TRADING_TOOLS, "wx.now", "a-b.Get_it"]), unique=True),
        "mcp": st.lists(SLUGS, unique=True, max_size=4),
        "risk": RISK,
        "on_stop": st.sampled_from(["keep", "flatten"]),
    },
)

SKILLS: st.SearchStrategy[Skill] = st.builds(build, FRONT_MATTER, PROMPTS)
