"""Without costs the venue gives what plain arithmetic gives, written from the rules alone (§2.4, §2.8)."""

import random
from fractions import Fraction
from math import floor

import pytest

from domain.orders import Side
from tests.unit.brokers.samples import FREE, INSTRUMENTS, Desk, Row, tape_of

BARS = 400


def market(dice: random.Random, px: float, decimals: int) -> list[Row]:
    """A random walk whose bars open where the last one closed, give or take a tick."""
    rows: list[Row] = []
    for _ in range(BARS):
        opened = round(px * (1 + dice.gauss(0, 0.0002)), decimals)
        px = round(opened * (1 + dice.gauss(0, 0.004)), decimals)
        high, low = max(opened, px) * (1 + dice.random() / 300), min(opened, px) * (1 - dice.random() / 300)
        rows.append((opened, round(high, decimals), round(low, decimals), px, dice.choice([0.0, 1.0, 5e4])))
    return rows


def by_hand(rows: dict[str, list[Row]], trades: list[dict[str, Fraction]]) -> list[Fraction]:
    """Equity at each close: every trade at its bar's open, less 4.5 bps cut to a millionth, and what is held."""
    cash, held, equity = Fraction(1_000_000), dict.fromkeys(rows, Fraction(0)), []
    for index, wanted in enumerate(trades):
        for symbol, size in wanted.items():
            opened = Fraction(repr(rows[symbol][index][0]))
            fee = Fraction(floor(abs(size) * opened * Fraction("0.00045") * 10**6), 10**6)
            cash -= size * opened + fee
            held[symbol] += size
        worth = sum(held[symbol] * Fraction(repr(rows[symbol][index][3])) for symbol in rows)
        equity.append(cash + worth)
    return equity


@pytest.mark.parametrize("seed", range(3))
def test_equity_is_what_plain_arithmetic_says_at_every_close(seed: int) -> None:
    """Three symbols, buying, selling, turning round; equal at each of the closes, to the last digit."""
    dice = random.Random(seed)
    rows = {"BTC": market(dice, 60_000, 1), "ETH": market(dice, 3_000, 2), "DOGE": market(dice, 0.2, 5)}
    typical = {"BTC": 2, "ETH": 40, "DOGE": 500_000}
    trades: list[dict[str, Fraction]] = []
    desk = Desk(tape_of({**rows}), cash="1000000", leverage=10, costs=FREE)
    equity = []
    for _ in range(BARS):
        wanted = {}
        for symbol in dice.sample(sorted(rows), dice.randint(0, 3)):
            lots = round(typical[symbol] * dice.random() * 10 ** INSTRUMENTS[symbol].sz_decimals) + 1
            towards = -1 if desk.size(symbol) > 0 else 1
            size = towards * lots * INSTRUMENTS[symbol].lot
            desk.place(desk.order(Side.BUY if size > 0 else Side.SELL, abs(size), symbol=symbol))
            wanted[symbol] = Fraction(size)
        trades.append(wanted)
        desk.step()
        equity.append(Fraction(desk.equity))

    assert len(desk.fills) == sum(map(len, trades)) > BARS
    assert equity == by_hand(rows, trades)
