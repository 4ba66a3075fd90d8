"""Traders that are plain code: yardsticks, examples, and what runs without a model key.

They see and do what a model does, through the same tick. They keep nothing between ticks, so a run that is resumed
decides as if it had never stopped.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from agent.tick import Tick
from domain.actions import ProposeOrder
from domain.money import BPS, ONE, ZERO
from domain.orders import Side
from skills.skill import Skill

FEE_ALLOWANCE_BPS = Decimal(5)
"""What buy-and-hold leaves for the taker fee."""


class Trader(Protocol):
    """Whoever decides. Called once a tick; acts through it."""

    async def decide(self, tick: Tick) -> None:
        """Look, and do what there is to do."""


class Hold:
    """Does nothing."""

    async def decide(self, tick: Tick) -> None:
        """Nothing to do."""


class BuyAndHold:
    """Puts an equal share of the equity into each symbol, at no leverage, and never trades again."""

    async def decide(self, tick: Tick) -> None:
        """Buy at the first tick at which every symbol has a closed bar; sized so that the worst fill is paid for."""
        symbols = tick.skill.market.symbols
        if tick.has_traded or tick.orders or not all(len(tick.bars(symbol)) for symbol in symbols):
            return
        share = tick.account.equity / len(symbols)
        worst = ONE + (tick.skill.caps.max_slippage_bps + FEE_ALLOWANCE_BPS) * BPS
        for symbol in symbols:
            close = tick.bars(symbol).last(1)[0].close
            await tick.act(
                ProposeOrder(symbol, Side.BUY, share / (close * worst), why="an equal share, once")
            )


class SmaCross:
    """Long while the fast average is above the slow one; short, or flat where that is not allowed, while below."""

    def __init__(self, fast: int, slow: int, size: Decimal) -> None:
        self._fast, self._slow, self._size = fast, slow, size

    async def decide(self, tick: Tick) -> None:
        """Trade the difference to the target with one market order; equal averages change nothing."""
        fast, slow = self._fast, self._slow
        for symbol in tick.skill.market.symbols:
            bars = tick.bars(symbol)
            if bars.count < slow:
                continue
            lead = bars.close_sum(fast) * slow - bars.close_sum(slow) * fast
            if lead:
                target = self._size if lead > 0 else self._below(tick)
                missing = target - tick.held(symbol)
                if missing:
                    await tick.act(self._order(symbol, missing, is_above=lead > 0, closes=not target))

    def _below(self, tick: Tick) -> Decimal:
        return -self._size if tick.skill.caps.allow_short else ZERO

    def _order(self, symbol: str, missing: Decimal, *, is_above: bool, closes: bool) -> ProposeOrder:
        side = Side.BUY if missing > ZERO else Side.SELL
        why = f"SMA {self._fast} is {'above' if is_above else 'below'} SMA {self._slow}"
        return ProposeOrder(symbol, side, abs(missing), reduce_only=closes, why=why)


class RandomTrader:
    """Tosses a coin for each symbol: buys, sells, or does nothing. The seed decides, tick by tick."""

    def __init__(self, seed: int, size: Decimal) -> None:
        self._seed, self._size = seed, size

    async def decide(self, tick: Tick) -> None:
        """One toss a symbol, made of the seed, the symbol and the instant alone."""
        for symbol in tick.skill.market.symbols:
            if not len(tick.bars(symbol)):
                continue
            toss = hashlib.sha256(f"{self._seed}:{symbol}:{tick.ts}".encode()).digest()[0] % 3
            if toss:
                side = Side.BUY if toss == 1 else Side.SELL
                await tick.act(ProposeOrder(symbol, side, self._size, why="a toss of the coin"))


def baseline(skill: Skill, seed: int) -> Trader:
    """Make the trader that a Skill names as `baseline:NAME`. Raises KeyError for one that does not exist."""
    assert skill.baseline is not None
    return _MAKERS[skill.baseline](skill, seed)


def _sma_cross(skill: Skill, seed: int) -> Trader:
    fast, slow = (skill.model_params[name] for name in ("fast", "slow"))
    assert isinstance(fast, int)
    assert isinstance(slow, int)
    return SmaCross(fast, slow, _size(skill))


def _size(skill: Skill) -> Decimal:
    return Decimal(str(skill.model_params["size"]))


_MAKERS: dict[str, Callable[[Skill, int], Trader]] = {
    "hold": lambda skill, seed: Hold(),
    "buy-and-hold": lambda skill, seed: BuyAndHold(),
    "sma-cross": _sma_cross,
    "random": lambda skill, seed: RandomTrader(seed, _size(skill)),
}
