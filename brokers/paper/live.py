"""A market as it is seen live: what an account still knows of it after a restart, and what in it is fit for trading.

Feeds slip: prices of zero, books that are crossed, messages told twice or late, an instant in the wrong unit. What is
unfit is left aside, so that nothing is ever filled, triggered or valued by it. Pure.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from domain.feeds import FundingSettled, Mark, Quote
from domain.money import ONE, ZERO

SMALLEST_PX = Decimal("0.000001")
"""No price that the venue takes is smaller (Hyperliquid docs, tick-and-lot-size)."""
LARGEST = Decimal(10) ** 12
"""No size or price is larger: beyond it is a slip, and sums would leave the digits that are exact."""
QUOTE_BAND = Decimal("0.2")
"""How far from the mark a bid or an offer may lie, as a part of it."""
LEAP = Decimal(2)
"""By no more than this factor a price changes while the mark before it is fresh."""
LARGEST_RATE = Decimal("0.04")
"""The most that funding is in an hour, either way (Hyperliquid docs, funding)."""


class Displayed(msgspec.Struct):
    """A quote, and how much of the sizes it displays we have taken, in base units."""

    quote: Quote
    bought: Decimal = ZERO
    sold: Decimal = ZERO


class LiveMarket(msgspec.Struct):
    """What was seen of the market. Instants are the feed's, in UTC ms; `newest` is the newest that it told of.

    `due` is the earliest instant of a quote that an order may fill on, by the order's number. `owed` is what was held
    at each settlement hour whose rate has not come yet, by symbol and hour; hours up to `hour` have passed.
    """

    newest: int = 0
    quotes: dict[str, Displayed] = {}  # the last of each symbol
    marks: dict[str, Mark] = {}  # the last of each symbol
    due: dict[int, int] = {}
    hour: int = 0
    owed: dict[str, dict[int, Decimal]] = {}


class Unfit(StrEnum):
    """Why something that a feed told is left aside."""

    UNKNOWN = "a symbol that the venue does not have"
    NO_NUMBER = "not a price, a size or a rate"
    CROSSED = "a bid above the offer"
    FAR = "far from the mark"
    LEAP = "far from the mark before it"
    TWICE = "told twice"
    LATE = "older than what was told before"
    AHEAD = "ahead of its time"


def unfit_quote(quote: Quote, before: Displayed | None, mark: Decimal | None) -> Unfit | None:
    """What is wrong with a quote, beside the one before it and the fresh mark, where there are any."""
    if not (_is_price(quote.bid) and _is_price(quote.ask) and _is_size(quote.bid_size, quote.ask_size)):
        return Unfit.NO_NUMBER
    if quote.bid > quote.ask:
        return Unfit.CROSSED
    if before is not None and quote.ts <= before.quote.ts:
        return Unfit.TWICE if quote.ts == before.quote.ts else Unfit.LATE
    return None if mark is None or is_near(quote, mark) else Unfit.FAR


def unfit_mark(mark: Mark, before: Mark | None, fresh: Decimal | None) -> Unfit | None:
    """What is wrong with a mark, beside the one before it, and the price of that where it is still fresh."""
    if not _is_price(mark.px):
        return Unfit.NO_NUMBER
    if before is not None and mark.ts <= before.ts:
        return Unfit.TWICE if mark.ts == before.ts else Unfit.LATE
    return None if fresh is None or _is_no_leap(mark.px, fresh) else Unfit.LEAP


def unfit_funding(settled: FundingSettled, mark: Decimal | None) -> Unfit | None:
    """What is wrong with a settlement, beside the fresh mark, where there is one."""
    if not (settled.rate.is_finite() and abs(settled.rate) <= LARGEST_RATE and _is_price(settled.price)):
        return Unfit.NO_NUMBER
    return None if mark is None or _is_no_leap(settled.price, mark) else Unfit.FAR


def is_near(quote: Quote, mark: Decimal) -> bool:
    """Whether both sides of a quote lie within the band around a mark."""
    return mark * (ONE - QUOTE_BAND) <= quote.bid and quote.ask <= mark * (ONE + QUOTE_BAND)


def _is_no_leap(px: Decimal, before: Decimal) -> bool:
    return before <= px * LEAP and px <= before * LEAP


def _is_price(px: Decimal) -> bool:
    return px.is_finite() and SMALLEST_PX <= px <= LARGEST


def _is_size(*sizes: Decimal) -> bool:
    return all(size.is_finite() and ZERO < size <= LARGEST for size in sizes)
