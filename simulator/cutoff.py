"""A result split where the model's knowledge ends: before it, the run may be memory; after it, it can't be."""

from collections.abc import Sequence

import msgspec
import numpy as np

from domain.bars import Floats
from domain.money import exact
from domain.time import iso
from simulator.curves import Curve, curve
from simulator.record import RunRecord
from simulator.trades import Trade

HOLD = "buy-and-hold"


class Side(Curve, frozen=True, kw_only=True):
    """The figures of one side, its first point taken as its start, beside those of buying and holding over it.

    It reaches from `from_ts` to `to_ts` (UTC ms) and is `share` of the run. `trades` are the closed ones that began in
    it. `hold` is None where the run has no such baseline, or it was worth nothing by then.
    """

    from_ts: int
    to_ts: int
    share: float
    trades: int
    hold: Curve | None


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A run on both sides of the cutoff. A side is None where no part of the run is there, or no money was left.

    `share_before` is the share of the run's intervals that begin before the cutoff; all of them where `cutoff_ts` is
    None, because nobody knows it.
    """

    cutoff_ts: int | None
    share_before: float
    before: Side | None
    after: Side | None


def split(record: RunRecord, made: Sequence[Trade]) -> Split | None:
    """Split a run, with its trades, at its model's cutoff. Gives None for a trader that remembers nothing.

    The two sides meet in one equity point, the first at or after the cutoff: an interval that it falls into counts as
    before. So the growth of both sides multiplies to that of the run.
    """
    if record.cutoff_ts == 0:
        return None
    last = len(record.ts) - 1
    meet = last if record.cutoff_ts is None else int(np.searchsorted(record.ts, record.cutoff_ts))
    meet = min(meet, last)
    return Split(
        cutoff_ts=record.cutoff_ts,
        share_before=meet / last if last else float(_is_before(record)),
        before=_side(record, made, 0, meet) if meet else None,
        after=_side(record, made, meet, last) if meet < last else None,
    )


def _is_before(record: RunRecord) -> bool:
    """Whether the only instant of a run lies before the cutoff."""
    return record.cutoff_ts is None or int(record.ts[0]) < record.cutoff_ts


def _side(record: RunRecord, made: Sequence[Trade], first: int, last: int) -> Side | None:
    """The run from one equity point to another."""
    own = _between(record, record.equity, first, last)
    hold = record.baselines.get(HOLD)
    if own is None:
        return None
    from_ts, to_ts = int(record.ts[first]), int(record.ts[last])
    ends_it = last == len(record.ts) - 1
    return Side(
        **msgspec.structs.asdict(own),
        from_ts=from_ts,
        to_ts=to_ts,
        share=(last - first) / (len(record.ts) - 1),
        trades=sum(
            from_ts <= trade.entry_ts and (ends_it or trade.entry_ts < to_ts)
            for trade in made
            if not trade.is_open
        ),
        hold=None if hold is None else _between(record, hold, first, last),
    )


def _between(record: RunRecord, equity: Floats, first: int, last: int) -> Curve | None:
    """A series from one point to another; None when it is worth nothing at the first."""
    if equity[first] <= 0:
        return None
    part = slice(first, last + 1)
    ends = (exact(float(equity[place])) for place in (first, last))
    return Curve(**curve(record.ts[part], equity[part], record.interval_ms, *ends))


def warning(share_before: float, cutoff_ts: int | None, *, is_masked: bool = False) -> tuple[str, str] | None:
    """What a reader must be told first, as a sentence and what it means; None where no part may be memory.

    The instants of a masked run are not the real ones, so its cutoff is not dated.
    """
    if cutoff_ts is None:
        return "Nobody knows when this model's knowledge ends.", "All of this run may be memory."
    if not share_before:
        return None
    when = "" if is_masked else f" ({iso(cutoff_ts)[:10]})"
    told = f"{_part(share_before)} of this run lies before the model's knowledge ends{when}."
    return told, "It may remember how it went."


def _part(share: float) -> str:
    """A share in percent that is not rounded to all or nothing."""
    if share == 1:
        return "All"
    return "Under 1%" if share < 0.01 else "Over 99%" if share > 0.99 else f"{share:.0%}"
