"""What can set a deployment and its simulation apart, and how it is said."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Cause(StrEnum):
    """Why two accounts are not worth the same. Every dollar of a divergence is put down to one of these."""

    FILL_PRICE = "fill_price"
    TIMING = "timing"
    SIZE = "size"
    FEES = "fees"
    FUNDING = "funding"
    MISSED_TICK = "missed_tick"
    INTERRUPTED = "interrupted"
    BY_HAND = "by_hand"
    HALT = "halt"
    LIQUIDATION = "liquidation"
    LATE_DATA = "late_data"
    REFUSAL = "refusal"
    DECISION = "decision"
    MARKS = "marks"
    UNEXPLAINED = "unexplained"


IN_WORDS: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.FILL_PRICE: "filled at another price than the simulator’s",
        Cause.TIMING: "filled at another time",
        Cause.SIZE: "filled in part, or not at all, on one side",
        Cause.FEES: "other fees",
        Cause.FUNDING: "other funding for the same position",
        Cause.MISSED_TICK: "ticks that the deployment did not take",
        Cause.INTERRUPTED: "ticks that were cut short: by a crash, a budget, a model out of reach",
        Cause.BY_HAND: "what was done by hand",
        Cause.HALT: "a halt on one side",
        Cause.LIQUIDATION: "a liquidation on one side",
        Cause.LATE_DATA: "decisions made while data was late",
        Cause.REFUSAL: "orders that were taken on one side and refused on the other",
        Cause.DECISION: "other decisions",
        Cause.MARKS: "other marks for what is held at the end",
        Cause.UNEXPLAINED: "not explained",
    }
)
"""Each cause as a table says it."""

OF_THEIR_OWN = frozenset({Cause.MISSED_TICK, Cause.INTERRUPTED, Cause.BY_HAND, Cause.HALT, Cause.LIQUIDATION})
"""Causes that are seen in what was done itself, whatever set the accounts apart before."""
