"""From when to when a deployment is compared, and what of its journal lies in there."""

from collections.abc import Sequence

import msgspec

from domain.events import FundingPaid, OrderChanged
from domain.ids import decision_id
from domain.journal import ActionRefused, DayOpened, Entry, IntentRecorded
from domain.orders import Fill
from domain.time import ceil_to, floor_to


class Extent(msgspec.Struct, frozen=True):
    """The range that is compared, [from, to] in UTC ms, and the entries up to the instant `to`, before its tick."""

    from_ts: int
    to_ts: int
    entries: Sequence[Entry]


def of_tape(
    entries: Sequence[Entry], account: str, from_ts: int, ends: int, reached: int, step_ms: int, is_over: bool
) -> Extent:
    """The extent of a replay over [from, `ends`) in steps, of which `reached` is the last instant it was seen at.

    At one instant a bar closes, the tick is taken and the next bar opens. So where the end lies in the middle of that,
    the tick's own mark in the journal tells them apart; where there is none, the comparison ends a step earlier.
    """
    last = max((entry.ts for entry in entries), default=from_ts)
    to = min(ends, from_ts + floor_to(max(reached, last) - from_ts, step_ms))
    if is_over and last >= to and to < ends:  # what was closed at the end was closed at the next open
        to = min(ends, from_ts + ceil_to(last + 1 - from_ts, step_ms))
    while to > from_ts:
        before = [entry for entry in entries if entry.ts < to]
        inside = [entry for entry in entries if entry.ts == to]
        if to == ends or not any(isinstance(entry, Fill | OrderChanged) for entry in inside):
            return Extent(from_ts, to, [*before, *_until_tick(inside, account, to)])
        if any(_is_of_tick(entry, account, to) for entry in inside):
            return Extent(from_ts, to, [*before, *_until_tick(inside, account, to)])
        to -= step_ms
    return Extent(from_ts, from_ts, [])


def of_clock(entries: Sequence[Entry], from_ts: int, until: int, step_ms: int) -> Extent:
    """The extent of a deployment that went by the clock, up to the last full step before `until`.

    There the tick of an instant comes first of all that is stamped with it, but for funding and the day.
    """
    to = floor_to(until, step_ms)
    kept = [
        entry
        for entry in entries
        if entry.ts < to or (entry.ts == to and isinstance(entry, FundingPaid | DayOpened))
    ]
    return Extent(from_ts, to, kept)


def _until_tick(entries: Sequence[Entry], account: str, ts: int) -> list[Entry]:
    """What came at an instant before its tick."""
    for number, entry in enumerate(entries):
        if _is_of_tick(entry, account, ts):
            return list(entries[:number])
    return list(entries)


def _is_of_tick(entry: Entry, account: str, ts: int) -> bool:
    return isinstance(entry, IntentRecorded | ActionRefused) and entry.decision_id == decision_id(account, ts)
