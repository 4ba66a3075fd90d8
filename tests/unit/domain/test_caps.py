"""A platform's caps tighten a Skill's and never loosen them."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.caps import _TIGHTER, DEFAULTS, LOOSEST, Caps, StopGuard, tightest

AMOUNTS = st.decimals("0.1", "1000", places=1)
COUNTS = st.integers(1, 1000)
GUARDS = st.builds(StopGuard, COUNTS, COUNTS, COUNTS)

LOWER = {
    "max_leverage": AMOUNTS,
    "max_order_usd": st.none() | AMOUNTS,
    "max_position_usd": st.none() | AMOUNTS,
    "max_gross_usd": st.none() | AMOUNTS,
    "max_open_positions": COUNTS,
    "max_orders_per_hour": COUNTS,
    "max_orders_per_day": COUNTS,
    "max_actions_per_tick": COUNTS,
    "price_band_pct": AMOUNTS,
    "max_slippage_bps": AMOUNTS,
    "max_stop_distance_pct": st.none() | AMOUNTS,
    "daily_loss_pct": st.none() | AMOUNTS,
    "max_drawdown_pct": st.none() | AMOUNTS,
    "max_inference_usd_per_day": AMOUNTS,
    "max_inference_usd_per_run": AMOUNTS,
}
"""The caps of which the lower value is the tighter, and None the loosest."""

OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "allow_short": st.booleans(),
    "require_stop": st.booleans(),
    "cooldown_after_loss_ms": st.none() | COUNTS,
    "stop_guard": st.none() | GUARDS,
    "halt_lifts": st.sampled_from(["next_day", "by_hand"]),
}

CAPS = st.builds(Caps, **LOWER, **OTHERS)


def never_looser(held: Caps, asked: Caps) -> None:
    """Every cap of `held` is at least as tight as that of `asked`, each by its own meaning."""
    for name in LOWER:
        ours, theirs = getattr(held, name), getattr(asked, name)
        assert theirs is None or (ours is not None and ours <= theirs), name
    assert asked.allow_short or not held.allow_short
    assert held.require_stop or not asked.require_stop
    assert (
        asked.cooldown_after_loss_ms is None
        or (held.cooldown_after_loss_ms or 0) >= asked.cooldown_after_loss_ms
    )
    assert asked.halt_lifts == "next_day" or held.halt_lifts == "by_hand"
    if asked.stop_guard is not None:
        assert held.stop_guard is not None
        assert held.stop_guard.stops <= asked.stop_guard.stops
        assert held.stop_guard.window_ms >= asked.stop_guard.window_ms
        assert held.stop_guard.pause_ms >= asked.stop_guard.pause_ms


@given(CAPS, CAPS)
def test_what_holds_is_as_tight_as_both_say(skill: Caps, platform: Caps) -> None:
    """In either order, and no tighter than one of them asked for."""
    held = tightest(skill, platform)

    never_looser(held, skill)
    never_looser(held, platform)
    assert held == tightest(platform, skill)
    for name in Caps.__struct_fields__:
        if name != "stop_guard":
            assert getattr(held, name) in (getattr(skill, name), getattr(platform, name))


@given(CAPS)
def test_a_platform_that_asks_the_same_or_nothing_changes_nothing(caps: Caps) -> None:
    """With itself, and with the loosest there is as far as its bounds go."""
    assert tightest(caps, caps) == caps


@given(CAPS, CAPS, CAPS)
def test_the_order_of_tightening_does_not_matter(one: Caps, two: Caps, three: Caps) -> None:
    """A third set of caps may come first or last."""
    assert tightest(tightest(one, two), three) == tightest(one, tightest(two, three))


def test_a_new_cap_must_say_which_way_is_tighter() -> None:
    """The table names every field, and so do these tests; one left out would fall back to its default unseen."""
    assert set(_TIGHTER) == set(Caps.__struct_fields__)
    assert set(LOWER) | set(OTHERS) == set(Caps.__struct_fields__)


def test_the_defaults_lie_within_the_loosest() -> None:
    """A Skill that says nothing is allowed everywhere, and the loosest platform takes nothing from it."""
    never_looser(DEFAULTS, LOOSEST)
    assert tightest(DEFAULTS, LOOSEST) == DEFAULTS


def test_the_defaults_are_safe() -> None:
    """No shorting, a loss that halts, a bound on leverage, slippage and spending."""
    assert not DEFAULTS.allow_short
    assert DEFAULTS.max_leverage == 3
    assert (DEFAULTS.daily_loss_pct, DEFAULTS.max_drawdown_pct) == (10, 30)
    assert (DEFAULTS.max_slippage_bps, DEFAULTS.price_band_pct) == (50, 5)
    assert DEFAULTS.max_inference_usd_per_day == Decimal(5)


def test_caps_are_frozen() -> None:
    """Nobody loosens them on the way."""
    assert msgspec.structs.replace(DEFAULTS, allow_short=True) != DEFAULTS
    assert Caps.__struct_config__.frozen
