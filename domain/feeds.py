"""What a feed tells of a market, and how a person names one. Instants are UTC ms; prices USD, sizes base units."""

import re
from decimal import Decimal
from typing import Literal

import msgspec

from domain.bars import Bar
from domain.time import iso, parse_ts

FeedKind = Literal["live", "replay", "synthetic"]
_FORMS = (
    "write live, synthetic, synthetic@SEED, or replay:FROM..TO@60x, such as replay:2025-05-01..2025-06-01@max"
)
_REPLAY = re.compile(
    r"replay:(?P<from>[^@]+?)\.\.(?P<to>[^@]+?)(?:@(?P<speed>max|[0-9]{1,6}(?:\.[0-9]{1,3})?x))?"
)
_SYNTHETIC = re.compile(r"synthetic(?:@(?P<seed>[0-9]{1,9}))?")
FASTEST = Decimal(1_000_000)


class FeedSpec(msgspec.Struct, frozen=True):
    """Which market a deployment sees.

    A replay goes over [from, to) at `speed` times real time; a speed of None is @max: its time is what its market
    says, and it goes as fast as it can. A synthetic feed is made up from its seed, as time passes.
    """

    kind: FeedKind
    from_ts: int = 0
    to_ts: int = 0
    speed: Decimal | None = None
    seed: int = 0

    @property
    def is_replay(self) -> bool:
        return self.kind == "replay"

    @property
    def is_unpaced(self) -> bool:
        """Whether it is a replay that goes as fast as it can."""
        return self.is_replay and self.speed is None

    def __str__(self) -> str:
        """As `parse_feed` reads it."""
        if self.kind == "replay":
            speed = "max" if self.speed is None else f"{self.speed:f}x"
            return f"replay:{_instant(self.from_ts)}..{_instant(self.to_ts)}@{speed}"
        return f"synthetic@{self.seed}" if self.kind == "synthetic" else "live"


def parse_feed(text: str) -> FeedSpec:
    """Read what a person wrote for a feed. Raises ValueError saying the forms there are."""
    if text == "live":
        return FeedSpec("live")
    if found := _SYNTHETIC.fullmatch(text):
        return FeedSpec("synthetic", seed=int(found["seed"] or 0))
    found = _REPLAY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a feed; {_FORMS}")
    from_ts, to_ts = parse_ts(found["from"]), parse_ts(found["to"])
    if from_ts >= to_ts:
        raise ValueError(f"{text!r} ends before it begins; {_FORMS}")
    return FeedSpec("replay", from_ts, to_ts, _speed(found["speed"]))


def _speed(text: str | None) -> Decimal | None:
    if text == "max":
        return None
    speed = Decimal(1) if text is None else Decimal(text.removesuffix("x"))
    if not 0 < speed <= FASTEST:
        raise ValueError(f"a replay's speed is above 0x and at most {FASTEST:f}x, or max; found {text}")
    return speed


def _instant(ts: int) -> str:
    return iso(ts).removesuffix("T00:00:00Z")


class Quote(msgspec.Struct, frozen=True, tag="quote"):
    """The best bid and offer of a symbol, with the sizes displayed there."""

    ts: int
    symbol: str
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """The mark price that margin and triggers go by."""

    ts: int
    symbol: str
    px: Decimal


class BarClosed(msgspec.Struct, frozen=True, tag="bar"):
    """A bar that has closed; `ts` is when it became known: its close, or later where it was late."""

    ts: int
    symbol: str
    interval_ms: int
    bar: Bar


class FundingSettled(msgspec.Struct, frozen=True, tag="funding_rate"):
    """A settlement of funding at the hour `ts`; `price` is what positions are valued at, the oracle's where known."""

    ts: int
    symbol: str
    rate: Decimal
    price: Decimal


FeedEvent = Quote | Mark | BarClosed | FundingSettled
