"""The ticks of two records compared: which were taken, and what was done at them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from domain.actions import Action, CancelOrder, in_words
from domain.snapshots import DecisionSnapshot
from simulator.parity.account import AccountRecord
from simulator.parity.report import MOST_SHOWN, TickDifference, Ticks


class Absence(msgspec.Struct, frozen=True):
    """A time in which the deployment took no ticks, [from, to) in UTC ms, and why: "paused", "not running"."""

    from_ts: int
    to_ts: int
    why: str


class Circumstances(msgspec.Struct, frozen=True):
    """What is known besides the two records.

    `marks` are the last ones of the range, in USD, by symbol. `interval_ms` is that of the execution bars. `late` are
    ticks at which data that was due was not there yet. `keeps_all` says that every tick that was taken left a
    decision behind, as a model's do.
    """

    from_ts: int
    to_ts: int
    marks: Mapping[str, Decimal]
    interval_ms: int
    absences: Sequence[Absence] = ()
    late: frozenset[int] = frozenset()
    keeps_all: bool = False

    def absence(self, ts: int) -> str:
        """Why no tick was taken at an instant; "" where nothing is known of that."""
        return next((one.why for one in self.absences if one.from_ts <= ts < one.to_ts), "")


def ticks_of(live: AccountRecord, sim: AccountRecord, around: Circumstances) -> Ticks:
    """Count the ticks that were due, and list those that differ. Where nothing was to be done, none is missed."""
    same = different = missing = refused = 0
    listed: list[TickDifference] = []
    for ts in live.due:
        why = _why_missing(live, sim, around, ts)
        ours, theirs = actions_at(live, ts), actions_at(sim, ts)
        refusals = live.refusals(ts), sim.refusals(ts)
        missing += bool(why)
        different += not why and ours != theirs
        refused += not why and ours == theirs and refusals[0] != refusals[1]
        same += not why and ours == theirs and refusals[0] == refusals[1]
        differs = ours != theirs or refusals[0] != refusals[1] or ts in live.interrupted
        if differs and len(listed) < MOST_SHOWN:
            listed.append(TickDifference(ts, _told(live, ts, "nothing" if why else ""), _told(sim, ts), why))
    return Ticks(len(live.due), same, different, missing, refused, tuple(listed))


def _why_missing(live: AccountRecord, sim: AccountRecord, around: Circumstances, ts: int) -> str:
    """Why a tick that was due was not taken; "" where it was, as far as is known."""
    if ts in live.interrupted:
        decision = live.by_tick.get(ts)
        return (decision.ended if decision else "") or "interrupted"
    if ts in live.by_tick:
        return ""
    if why := around.absence(ts):
        return why
    if halt := live.halt_at(ts):
        same = sim.halt_at(ts) is not None and not halt.by_hand
        return "" if same else ("flattened by hand" if halt.by_hand else "halted")
    return "not taken" if around.keeps_all and not sim.halt_at(ts) else ""


def actions_at(record: AccountRecord, ts: int) -> tuple[object, ...]:
    """What was done at a tick, without reasons, and without order numbers, which differ between records."""
    decision = record.by_tick.get(ts)
    return () if decision is None else tuple(_bare(action) for action in decision.actions)


def _bare(action: Action) -> object:
    return CancelOrder(0) if isinstance(action, CancelOrder) else msgspec.structs.replace(action, why="")


def _told(record: AccountRecord, ts: int, otherwise: str = "") -> str:
    """What was done at a tick, in words."""
    decision: DecisionSnapshot | None = record.by_tick.get(ts)
    if decision is None or not decision.actions:
        return otherwise or "held"
    done = zip(decision.actions, decision.verdicts, strict=True)
    return "; ".join(
        in_words(action) + (f" (refused: {verdict.refusals[0].cap})" if verdict.refusals else "")
        for action, verdict in done
    )
