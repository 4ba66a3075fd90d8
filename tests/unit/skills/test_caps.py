"""Caps have safe defaults, and a platform's only ever tighten a Skill's."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from domain.caps import DEFAULTS, LOOSEST, Caps, StopGuard, tightest
from tests.unit.skills.samples import CAPS

INFINITE = Decimal("Infinity")


def at_most(one: Any, other: Any) -> bool:
    """Lower is tighter, and None is no cap at all."""
    return (INFINITE if one is None else one) <= (INFINITE if other is None else other)


def at_least(one: int | None, other: int | None) -> bool:
    """Longer is tighter, and None is no pause at all."""
    return (one or 0) >= (other or 0)


def guards_as_well(one: StopGuard | None, other: StopGuard | None) -> bool:
    """It pauses whenever the other does, for as long."""
    if other is None:
        return True
    return (
        one is not None
        and one.stops <= other.stops
        and one.window_ms >= other.window_ms
        and one.pause_ms >= other.pause_ms
    )


AS_TIGHT: dict[str, Callable[[Any, Any], bool]] = {
    "allow_short": at_most,
    "require_stop": at_least,
    "cooldown_after_loss_ms": at_least,
    "stop_guard": guards_as_well,
    "halt_lifts": lambda one, other: one == "by_hand" or other == "next_day",
}


@given(CAPS, CAPS)
def test_what_holds_is_as_tight_as_the_skill_and_as_the_platform(skill: Caps, platform: Caps) -> None:
    """No cap of either side is loosened, whatever the two are."""
    held = tightest(skill, platform)

    for name in Caps.__struct_fields__:
        as_tight = AS_TIGHT.get(name, at_most)
        assert as_tight(getattr(held, name), getattr(skill, name)), name
        assert as_tight(getattr(held, name), getattr(platform, name)), name


@given(CAPS, CAPS)
def test_each_cap_that_holds_was_asked_for_by_someone(skill: Caps, platform: Caps) -> None:
    """Nothing is tightened beyond what one of the two says; a stop guard is judged by its parts elsewhere."""
    held = tightest(skill, platform)

    for name in Caps.__struct_fields__:
        if name != "stop_guard":
            assert getattr(held, name) in (getattr(skill, name), getattr(platform, name)), name


@given(CAPS, CAPS, CAPS)
def test_the_order_in_which_caps_are_combined_does_not_matter(a: Caps, b: Caps, c: Caps) -> None:
    """Combining is commutative, associative and idempotent, so caps can come from any number of places."""
    assert tightest(a, b) == tightest(b, a)
    assert tightest(tightest(a, b), c) == tightest(a, tightest(b, c))
    assert tightest(a, a) == a


@given(CAPS)
def test_the_loosest_platform_changes_nothing(skill: Caps) -> None:
    """A platform at the far end of every cap leaves what the Skill says."""
    assert tightest(skill, LOOSEST) == skill


def test_both_guards_hold_at_once() -> None:
    """Of two stop guards, the fewer stops, the longer window and the longer pause hold."""
    skill = Caps(stop_guard=StopGuard(stops=2, window_ms=1000, pause_ms=9000))
    platform = Caps(stop_guard=StopGuard(stops=5, window_ms=4000, pause_ms=3000))

    assert tightest(skill, platform).stop_guard == StopGuard(stops=2, window_ms=4000, pause_ms=9000)


def test_what_is_left_out_is_safe() -> None:
    """Without a word about risk there is no shorting, little leverage, and a halt on a bad day."""
    assert not DEFAULTS.allow_short
    assert DEFAULTS.max_leverage == 3
    assert DEFAULTS.daily_loss_pct == 10
    assert DEFAULTS.max_drawdown_pct == 30


def test_caps_do_not_change() -> None:
    """Caps are frozen: what was checked is what holds."""
    with pytest.raises(AttributeError):
        DEFAULTS.max_leverage = Decimal(50)  # type: ignore[misc]
