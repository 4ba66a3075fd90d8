"""How the report writes numbers, times and names.

Minus is U+2212, profit and loss carry their sign, zero carries none. Undefined figures say so in a word.
"""

from decimal import ROUND_HALF_EVEN, Decimal

from domain.money import LONGEST_WRITTEN_OUT, plain
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, YEAR_MS, to_datetime

MINUS = "−"
UNDEFINED = "undefined"
UNKNOWN = "unknown"

SHORT_RUN_MS = 90 * DAY_MS
"""What a shorter run earned says little of a year."""

LARGEST_PERCENT = 1_000_000
"""More is not written out: a gain of an hour, annualised, may have eighty digits."""

CENT = Decimal("0.01")

Number = Decimal | float | int

BASELINES = {"buy-and-hold": "Buy and hold", "flat": "Stay flat"}
CAUSES = {
    "market": "Market order",
    "limit": "Limit order",
    "stop": "Stop",
    "take_profit": "Take-profit",
    "liquidation": "Liquidation",
    "backstop": "Backstop",
}


def number(value: Number | None, places: int = 2, *, signed: bool = False) -> str:
    """Write a number with thousands commas: 1,359.25, −41.86; with `signed` also +1,359.25."""
    if value is None:
        return UNDEFINED
    text = f"{abs(value):,.{places}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    sign = MINUS if value < 0 else "+" if signed else ""
    return sign + text


def percent(fraction: Number | None, places: int = 2, *, signed: bool = True) -> str:
    """Write a fraction in percent: 0.1359 → +13.59%."""
    if fraction is None:
        return UNDEFINED
    text = number(min(float(fraction) * 100, LARGEST_PERCENT), places, signed=signed) + "%"
    return f"over {text}" if fraction * 100 > LARGEST_PERCENT else text


def points(fraction: Number | None, places: int = 2) -> str:
    """Write a difference of fractions in percentage points: 0.0749 → +7.49 pp."""
    return UNDEFINED if fraction is None else number(float(fraction) * 100, places, signed=True) + " pp"


def dollars(amount: Number, places: int = 2, *, signed: bool = False) -> str:
    """Write an amount with its unit: $84.12, −$284.83; with `signed` +$1,359.25."""
    text = number(amount, places, signed=signed)
    return f"{text[0]}${text[1:]}" if text[0] in f"+{MINUS}" else f"${text}"


def whole_dollars(amount: Decimal) -> str:
    """Write an amount without cents where it has none: $10,000."""
    return dollars(amount, 0 if amount == amount.to_integral_value() else 2)


def inference(cost: Decimal) -> str:
    """Write what thinking cost: $41.86, and the smaller it is the finer: $0.8421, $0.001234."""
    return dollars(cost, 2 if cost >= 1 or not cost else 4 if cost >= CENT else 6)


def grouped(amount: Decimal) -> str:
    """Write all digits there are, with thousands commas: 91473.3 → 91,473.3. What a model asks for may be no number."""
    if not amount.is_finite() or abs(amount.adjusted()) > LONGEST_WRITTEN_OUT:
        return plain(amount)
    whole, _, rest = plain(abs(amount)).partition(".")
    text = f"{int(whole):,}" + (f".{rest}" if rest else "")
    return MINUS + text if amount < 0 else text


def price(px: Decimal, step: Decimal) -> str:
    """Write a price to the decimals of the series it belongs to."""
    return number(px.quantize(step, rounding=ROUND_HALF_EVEN), max(0, -int(step.as_tuple().exponent)))


def tone(value: Number | None, places: int = 2) -> str:
    """The class of a profit or a loss, "up" or "down"; "" for what reads as zero or is undefined."""
    text = number(value, places, signed=True)
    return {"+": "up", MINUS: "down"}.get(text[0], "")


def plural(count: int, noun: str) -> str:
    """Count things: 1 trade, 20 trades."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def span(duration_ms: int) -> str:
    """Write how long something lasted, in the largest unit that keeps it above one: 4 d, 6 h, 32 min."""
    for unit_ms, name in ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min")):
        if duration_ms >= unit_ms:
            return f"{duration_ms // unit_ms:,} {name}"
    return f"{duration_ms // SECOND_MS} s"


def long_span(duration_ms: int) -> str:
    """Write how long something lasted in words: 144 days, 5 hours, none."""
    for unit_ms, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        if duration_ms >= unit_ms:
            return plural(duration_ms // unit_ms, name)
    return "none"


def reach_of_a_year(duration_ms: int) -> str | None:
    """Say how much longer a year is than a short run: what its annualised figures are worth. None for a long one."""
    if not 0 < duration_ms < SHORT_RUN_MS:
        return None
    return f"The run lasted {long_span(duration_ms)}; a year is {YEAR_MS / duration_ms:,.0f} times that."


def day(ts: int) -> str:
    """Write a date: 25 Sep 2026."""
    moment = to_datetime(ts)
    return f"{moment.day} {moment:%b %Y}"


def minute(ts: int) -> str:
    """Write an instant to the minute, without its zone, which the page names once: 2026-09-25 14:00."""
    return f"{to_datetime(ts):%Y-%m-%d %H:%M}"


def period(from_ts: int, to_ts: int) -> str:
    """Write a range of time whose end is not part of it: 1 Jan to 30 Sep 2026."""
    first, last = to_datetime(from_ts), to_datetime(max(to_ts - 1, from_ts))
    if first.date() == last.date():
        return day(from_ts)
    start = f"{first.day} {first:%b}" if first.year == last.year else day(from_ts)
    return f"{start} to {day(to_ts - 1)}"


def cut(text: str, most: int) -> str:
    """Write at most so many characters, the last an ellipsis where some are missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def baseline(name: str) -> str:
    """The words for a baseline."""
    return BASELINES.get(name, name)


def cause(name: str) -> str:
    """The words for what made a fill."""
    return CAUSES.get(name, name)
