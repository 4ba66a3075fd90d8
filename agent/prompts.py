"""What a model is told before it is shown anything: the rules of the house, then the Skill's own part.

Both are the same bytes at every tick of a version on a platform, so that the provider can read them from its cache and
a recorded answer is found again.
"""

from collections.abc import Iterator

from config.prompts import prompt
from domain.caps import Caps
from domain.money import plain
from domain.time import format_duration
from skills.skill import Skill


def system_blocks(skill: Skill, caps: Caps) -> list[str]:
    """The system prompt in its two parts. `caps` are those that hold: the Skill's, tightened by the platform's."""
    return [prompt("trader"), _own_part(skill, caps)]


def _own_part(skill: Skill, caps: Caps) -> str:
    market = skill.market
    lines = [
        f"The Skill: {skill.name}",
        f"Symbols: {', '.join(market.symbols)}",
        f"Bars: {market.interval}",
        f"Schedule (UTC): {skill.schedule}",
        "Caps, held by the engine whatever anybody says:",
        *(f"- {line}" for line in _in_words(caps)),
    ]
    return "\n".join(lines) + f"\n\nWhat its author wants:\n\n{skill.prompt}"


def _in_words(caps: Caps) -> Iterator[str]:
    """The caps as sentences, each with the name by which a refusal calls it."""
    yield f"max_leverage: gross notional is at most {plain(caps.max_leverage)} times equity"
    for name, of in _NOTIONAL.items():
        if (usd := getattr(caps, name)) is not None:
            yield f"{name}: {of} is at most {plain(usd)} USD"
    yield f"max_open_positions: at most {caps.max_open_positions} symbols are held at once"
    yield f"max_orders_per_hour, max_orders_per_day: {caps.max_orders_per_hour} and {caps.max_orders_per_day} orders"
    yield f"max_actions_per_tick: {caps.max_actions_per_tick} actions in one tick"
    yield f"allow_short: {'positions below zero are allowed' if caps.allow_short else 'no position below zero'}"
    yield f"price_band_pct: a price is within {plain(caps.price_band_pct)} % of the mark"
    yield f"max_slippage_bps: a market order fills within {plain(caps.max_slippage_bps)} bps of the mark, or not"
    yield from _stops_in_words(caps)
    yield from _losses_in_words(caps)


def _stops_in_words(caps: Caps) -> Iterator[str]:
    if caps.require_stop:
        yield "require_stop: an order that raises exposure must carry stop_px"
    if caps.max_stop_distance_pct is not None:
        yield f"max_stop_distance_pct: a stop is within {plain(caps.max_stop_distance_pct)} % of the entry"
    if caps.cooldown_after_loss_ms is not None:
        yield f"cooldown_after_loss: nothing is raised for {format_duration(caps.cooldown_after_loss_ms)} after a loss"
    if guard := caps.stop_guard:
        yield (
            f"stop_guard: after {guard.stops} stops within {format_duration(guard.window_ms)}, "
            f"nothing is raised for {format_duration(guard.pause_ms)}"
        )


def _losses_in_words(caps: Caps) -> Iterator[str]:
    if caps.daily_loss_pct is not None:
        yield f"daily_loss_pct: a loss of {plain(caps.daily_loss_pct)} % in a day halts the account and closes it out"
    if caps.max_drawdown_pct is not None:
        yield f"max_drawdown_pct: so does a fall of {plain(caps.max_drawdown_pct)} % from its highest equity"


_NOTIONAL = {
    "max_order_usd": "one order",
    "max_position_usd": "what could come to be held of one symbol",
    "max_gross_usd": "what could come to be held of all symbols together",
}
