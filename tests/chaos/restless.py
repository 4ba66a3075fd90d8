"""Somebody who trades all the time and in every way: decided by the seed, the symbol and the instant alone."""

import hashlib
from decimal import Decimal

from agent.tick import Tick
from domain.actions import Action, CancelOrder, ClosePosition, ProposeOrder, SetProtection
from domain.money import ZERO
from domain.orders import Side, Tif


class Restless:
    """A trader. One to three actions a tick."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def decide(self, tick: Tick) -> None:
        """Toss for each action what it is."""
        for symbol in tick.skill.market.symbols:
            if not len(tick.bars(symbol)):
                continue
            for turn in range(1 + self._toss(tick, symbol, 0, "many") % 3):
                await tick.act(self._action(tick, symbol, turn))

    def _action(self, tick: Tick, symbol: str, turn: int) -> Action:
        what = self._toss(tick, symbol, turn, "what") % 12
        px = Decimal(str(tick.bars(symbol).last(1)[0].close))
        held = tick.held(symbol)
        orders = sorted(tick.orders)
        if what == 0:
            return ClosePosition(symbol, "enough of it")
        if what == 1 and orders:
            return CancelOrder(orders[0], "changed my mind")
        if what in (2, 3) and held:
            towards = -1 if held > ZERO else 1
            return SetProtection(
                symbol, _near(px, towards * 20), _near(px, -towards * 20), why="some protection"
            )
        side = (Side.BUY, Side.SELL)[self._toss(tick, symbol, turn, "side") % 2]
        size = (Decimal(self._toss(tick, symbol, turn, "size") % 20 + 1) * 500 / px).quantize(
            Decimal("0.001")
        )
        is_limit = self._toss(tick, symbol, turn, "limit") % 3 == 0
        is_protected = self._toss(tick, symbol, turn, "stop") % 3 == 0
        away = -1 if side is Side.BUY else 1
        return ProposeOrder(
            symbol,
            side,
            size,
            limit_px=_near(px, away * 3) if is_limit else None,
            tif=Tif.GTC if is_limit else Tif.IOC,
            stop_px=_near(px, away * 30) if is_protected else None,
            take_profit_px=_near(px, -away * 30) if is_protected else None,
            why="a toss",
        )

    def _toss(self, tick: Tick, symbol: str, turn: int, about: str) -> int:
        text = f"{self._seed}:{symbol}:{tick.ts}:{turn}:{about}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def _near(px: Decimal, bps: int) -> Decimal:
    return px * (10_000 + bps) / 10_000
