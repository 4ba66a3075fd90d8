"""The rules of live quotes once more, written from docs/trading-rules.md alone: what becomes of each order.

For an account so rich that margin is never short. Prices and sizes are fractions, orders plain dictionaries.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Any

from domain.feeds import FundingSettled, Mark, Quote
from domain.instruments import Instrument
from tests.unit.brokers.live_samples import Told

F = Fraction
FRESH, HOUR = 15_000, 3_600_000
Row = tuple[Any, ...]


class Model:
    """What the rules say becomes of each order. `fills` and `funding` are what the venue's events are compared with."""

    def __init__(self, instruments: dict[str, Instrument]) -> None:
        self.instruments = instruments
        self.time = 0  # of the feed
        self.marks: dict[str, tuple[int, Fraction]] = {}
        self.quotes: dict[str, dict[str, Any]] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.held: dict[str, Fraction] = {}
        self.was: dict[str, list[tuple[int, Fraction]]] = {}  # what was held from which instant on
        self.settled: set[tuple[str, int]] = set()
        self.began: int | None = None
        self.numbers = 0
        self.fills: list[Row] = []
        self.funding: list[Row] = []

    # What is told.

    def tell(self, told: Told, now: int) -> None:
        """Hear something at the feed's time `now`, as it has passed since the newest."""
        if not self._sound(told, now):
            return
        self.time = max(self.time, told.ts)
        self.began = self.time // HOUR if self.began is None else self.began
        for number, order in list(self.orders.items()):
            if order["state"] == "new" and order["at_once"] and self.time >= order["due"] + FRESH:
                del self.orders[number]
        if isinstance(told, Quote):
            self._quote(told)
        elif isinstance(told, Mark):
            self._mark(told)
        else:
            self._funding(told)

    def _sound(self, told: Told, now: int) -> bool:
        if told.symbol not in self.instruments or told.ts > now + (60_000 if self.time else 24 * HOUR):
            return False
        at, mark = self.marks.get(told.symbol, (-(10**15), F(1)))
        mark = mark if told.ts - at <= FRESH else F(0)
        if isinstance(told, FundingSettled):
            price = F(told.price)
            return abs(told.rate) <= F("0.04") and (not mark or mark / 2 <= price <= mark * 2)
        numbers = [told.px] if isinstance(told, Mark) else [told.bid, told.ask, told.bid_size, told.ask_size]
        if any(not number.is_finite() or number <= 0 for number in numbers):
            return False
        if isinstance(told, Mark):
            return told.ts > at and (not mark or mark / 2 <= F(told.px) <= mark * 2)
        before = self.quotes.get(told.symbol, {"ts": 0})
        near = not mark or (mark * F("0.8") <= F(told.bid) and F(told.ask) <= mark * F("1.2"))
        return told.bid <= told.ask and told.ts > before["ts"] and near

    def _mark_of(self, symbol: str) -> Fraction | None:
        at, px = self.marks.get(symbol, (-(10**15), F(0)))
        return px if self.time - at <= FRESH else None

    def _quote(self, told: Quote) -> None:
        sides = {1: [F(told.ask), F(told.ask_size)], -1: [F(told.bid), F(told.bid_size)]}
        self.quotes[told.symbol] = {"ts": told.ts, **sides}
        if self._mark_of(told.symbol) is None or self.time - told.ts > FRESH:
            return
        turn = {"fired": 0, "rests": 1, "new": 2}
        own = [(turn[o["state"]], n) for n, o in self._of(told.symbol).items() if o["state"] in turn]
        for _, number in sorted(own):
            order = self.orders.get(number)
            if order is not None and told.ts >= order["due"]:
                self._meet(order)

    def _meet(self, order: dict[str, Any]) -> None:
        sign, limit = order["sign"], order["limit"]
        offered, _ = self.quotes[order["symbol"]][sign]
        if order["state"] == "fired":
            for number in [n for n, o in self._of(order["symbol"]).items() if o["kind"] and o is not order]:
                del self.orders[number]
            self._take(order)
        elif order["state"] == "rests":
            if (offered - limit) * sign < 0:
                self._fill(order, limit, "maker")
        elif order["reduces"] and not self._wanted(order):
            del self.orders[order["number"]]
        elif order["alo"]:
            self._rest_unless(order, (offered - limit) * sign <= 0)
        else:
            if limit is None or (self._legal(order, offered) - limit) * sign <= 0:
                self._take(order)
            if order["number"] in self.orders:
                self._rest_unless(order, order["at_once"])

    def _rest_unless(self, order: dict[str, Any], gone: bool) -> None:
        if gone:
            del self.orders[order["number"]]
        else:
            order["state"] = "rests"

    def _mark(self, told: Mark) -> None:
        px = F(round(F(told.px) * 10**6), 10**6)
        self.marks[told.symbol] = told.ts, px
        if self.time - told.ts > FRESH:
            return
        for number in list(self._of(told.symbol)):
            order = self.orders.get(number)
            if order is None or not order["kind"] or order["state"] != "waits":
                continue
            if (px - order["trigger"]) * order["away"] >= 0:
                for other in [n for n, o in self._of(told.symbol).items() if o["kind"] and n != number]:
                    del self.orders[other]
                order["state"], order["due"] = "fired", told.ts
                quote = self.quotes.get(told.symbol, {"ts": 0})
                if quote["ts"] >= told.ts and px * F("0.8") <= quote[-1][0] and quote[1][0] <= px * F("1.2"):
                    self._take(order)

    def _funding(self, told: FundingSettled) -> None:
        hour = told.ts // HOUR
        assert self.began is not None
        known = self.began < hour <= self.time // HOUR and hour > self.time // HOUR - 48
        if not known or (told.symbol, hour) in self.settled:
            return
        self.settled.add((told.symbol, hour))
        held = next((size for ts, size in reversed(self.was.get(told.symbol, [])) if ts < hour * HOUR), F(0))
        if held:
            owed = held * F(told.price) * F(told.rate) * 10**6
            self.funding.append((told.symbol, held, F(-int(owed), 10**6)))

    # What somebody does.

    def place(self, number: int, now: int, symbol: str, sign: int, size: Fraction, **more: Any) -> None:
        """Take an order of this number at the feed's time `now`."""
        self.numbers = number
        kind = more.get("kind")
        order = {"number": number, "symbol": symbol, "sign": sign, "size": size, "filled": F(0), "due": 0}
        order |= {
            "limit": None,
            "trigger": None,
            "stop": None,
            "profit": None,
            "reduces": False,
            "alo": False,
        }
        order |= {"at_once": False, "kind": None, "state": "new"} | more
        if kind:
            self._protect(order)
            return
        at, _ = self.marks.get(symbol, (-(10**15), F(0)))
        if now - at > FRESH or (order["reduces"] and not self._wanted(order)):
            return
        order["due"] = now
        self.orders[number] = order

    def _protect(self, order: dict[str, Any]) -> None:
        if self.held.get(order["symbol"], F(0)) * order["sign"] >= 0:
            return
        for number, other in self._of(order["symbol"]).items():
            if other["kind"] == order["kind"] and other["state"] == "waits":
                del self.orders[number]
        away = order["sign"] if order["kind"] == "stop" else -order["sign"]
        self.orders[order["number"]] = order | {"state": "waits", "away": away, "reduces": True}

    # Fills.

    def _of(self, symbol: str) -> dict[int, dict[str, Any]]:
        return {number: order for number, order in self.orders.items() if order["symbol"] == symbol}

    def _wanted(self, order: dict[str, Any]) -> Fraction:
        left = order["size"] - order["filled"]
        against = max(F(0), -self.held.get(order["symbol"], F(0)) * order["sign"])
        if order["kind"]:
            return against
        return min(left, against) if order["reduces"] else left

    def _take(self, order: dict[str, Any]) -> None:
        self._fill(order, self._legal(order, self.quotes[order["symbol"]][order["sign"]][0]), "taker")

    def _fill(self, order: dict[str, Any], px: Fraction, liquidity: str) -> None:
        symbol, sign = order["symbol"], order["sign"]
        shown = self.quotes[symbol][sign]
        lot = F(1, 10 ** self.instruments[symbol].sz_decimals)
        wanted = self._wanted(order)
        size = min(wanted, floor(shown[1] / lot) * lot)
        if not size:
            return
        shown[1] -= size
        before = self.held.get(symbol, F(0))
        after = self.held[symbol] = before + sign * size
        self.was.setdefault(symbol, []).append((self.time, after))
        self.fills.append((order["number"], symbol, sign, size, px, liquidity))
        opens = not order["filled"] or before * sign <= 0
        order["filled"] += size
        if order["filled"] == order["size"] or (order["kind"] and size == wanted):
            del self.orders[order["number"]]
        if before and before * after <= 0:
            for number in [n for n, o in self._of(symbol).items() if o["reduces"]]:
                del self.orders[number]
        if opens and after * sign > 0:
            for kind, trigger in (("stop", order["stop"]), ("take_profit", order["profit"])):
                if trigger is not None:
                    self.numbers += 1
                    self._protect(self._attached(order, kind, trigger))

    def _attached(self, order: dict[str, Any], kind: str, trigger: Fraction) -> dict[str, Any]:
        own = {"number": self.numbers, "symbol": order["symbol"], "sign": -order["sign"], "size": F(0)}
        rest = {"filled": F(0), "due": 0, "limit": None, "stop": None, "profit": None, "alo": False}
        return own | rest | {"at_once": False, "kind": kind, "trigger": trigger}

    def _legal(self, order: dict[str, Any], px: Fraction) -> Fraction:
        """Five figures, 6 − szDecimals decimals, whole numbers always: against whoever trades."""
        if px.denominator == 1:
            return px
        figures = (
            len(str(floor(px))) if px >= 1 else min(n for n in range(0, -9, -1) if px >= F(10) ** (n - 1))
        )
        places = max(0, min(6 - self.instruments[order["symbol"]].sz_decimals, 5 - figures))
        scaled = px * 10**places
        return F(ceil(scaled) if order["sign"] > 0 else floor(scaled), 10**places)
