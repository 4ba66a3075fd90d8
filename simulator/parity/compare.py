"""Two accounts compared: what differed, and why, so that the causes add up to the whole difference.

Every fill has a worth: what it brought once the position that it made is valued at the last marks, less its fee. An
account is worth its start, its fills, its funding and what was written off. So the difference of two accounts is the
sum of the differences of their fills and payments, and each of these has a cause.

Orders are paired by what wanted them (a tick, a halt) and by symbol, side and kind. A pair of one size differs in
price and fee. Where one side alone filled something, the two hold different positions from then on, and what they do
next may differ for no other reason. So all of that is put down to what set them apart, until both hold the same
again.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from domain.money import ZERO, plain, truncate_usd
from simulator.parity.account import NOTHING_PAID, AccountRecord, Executed, Key, Origin, Paid
from simulator.parity.causes import OF_THEIR_OWN, Cause
from simulator.parity.report import (
    MOST_SHOWN,
    Difference,
    Figures,
    Fills,
    Parity,
    Part,
)
from simulator.parity.ticks import Circumstances, actions_at, ticks_of

_BPS = 10_000


def compare(live: AccountRecord, sim: AccountRecord, around: Circumstances) -> Parity:
    """Say what a deployment and its simulation have and have not in common.

    Raises ValueError when they did not begin with the same.
    """
    if live.start_usd != sim.start_usd:
        raise ValueError(f"the accounts began with {live.start_usd} and {sim.start_usd} USD")
    walk = _Walk(live, sim, around)
    differences = walk.all()
    ends = [_end(live, around), _end(sim, around)]
    points = _points(live, sim)
    return Parity(
        from_ts=around.from_ts,
        to_ts=around.to_ts,
        start_usd=live.start_usd,
        deployment=_figures(live, ends[0]),
        simulation=_figures(sim, ends[1]),
        ticks=ticks_of(live, sim, around),
        fills=walk.fills,
        parts=_parts(differences),
        differences=tuple(sorted(differences, key=lambda one: (-abs(one.usd), one.ts))[:MOST_SHOWN]),
        equity=points,
        widest_usd=max((abs(ours - theirs) for _, ours, theirs in points), default=ZERO),
    )


class _Walk:
    """The differences of two accounts, in order of time."""

    def __init__(self, live: AccountRecord, sim: AccountRecord, around: Circumstances) -> None:
        self._live = live
        self._sim = sim
        self._around = around
        self._apart: dict[str, Decimal] = defaultdict(Decimal)  # by how much more the deployment holds
        self._cause: dict[str, Cause] = {}  # what set the two apart
        self._found: list[Difference] = []

    def all(self) -> list[Difference]:
        """Everything that differs, in dollars."""
        for ts, step in sorted(self._steps(), key=lambda one: one[0]):
            if isinstance(step, Key):
                self._order(ts, step)
            else:
                self._funding(ts[0], step[0])
        self._rest()
        return self._found

    @property
    def fills(self) -> Fills:
        """How many orders were filled on which side, and at how much worse prices."""
        ours, theirs = self._live.executed, self._sim.executed
        pairs = [(ours[key], theirs[key]) for key in ours.keys() & theirs.keys()]
        same = [(one, other) for one, other in pairs if one.size == other.size]
        usd = sum((other.usd for _, other in same), ZERO)
        worse = sum((one.key.side.sign * (one.usd - other.usd) for one, other in same), ZERO)
        return Fills(
            both=len(pairs),
            only_deployment=len(ours) - len(pairs),
            only_simulation=len(theirs) - len(pairs),
            bps=float(worse / usd * _BPS) if usd else None,
        )

    def _steps(self) -> Iterator[tuple[tuple[int, int], Key | tuple[str, int]]]:
        """What there is to compare, by its instant; at one instant funding comes first."""
        ours, theirs = self._live.executed, self._sim.executed
        for key in sorted({*ours, *theirs}):
            yield (min(side[key].first_ts for side in (ours, theirs) if key in side), 1), key
        for symbol, hour in sorted({*self._live.funding, *self._sim.funding}):
            yield (hour, 0), (symbol, hour)

    def _note(self, ts: int, symbol: str, cause: Cause, usd: Decimal, text: str) -> None:
        if usd:
            self._found.append(Difference(ts, symbol, cause, usd, text))

    # Orders.

    def _order(self, at: tuple[int, int], key: Key) -> None:
        one, other = self._live.executed.get(key), self._sim.executed.get(key)
        if one is not None and other is not None and one.size == other.size:
            self._pair(one, other)
            return
        cause = self._reason(key, one, other)
        worth = _worth(one, self._around) - _worth(other, self._around)
        common = ZERO
        if cause is Cause.SIZE and one is not None and other is not None:  # of what both filled, the prices
            size = min(one.size, other.size)
            common = truncate_usd(key.side.sign * size * (other.usd / other.size - one.usd / one.size))
            self._note(one.first_ts, key.symbol, self._priced(one, other), common, _prices(one, other))
        self._note(at[0], key.symbol, cause, worth - common, _alone(key, one, other))
        self._set_apart(key.symbol, cause, _signed(one) - _signed(other))

    def _pair(self, one: Executed, other: Executed) -> None:
        """The same order, filled to the same size on both sides."""
        symbol = one.key.symbol
        usd = one.key.side.sign * (other.usd - one.usd)
        self._note(one.first_ts, symbol, self._priced(one, other), usd, _prices(one, other))
        fees = f"fee {plain(one.fees)} USD, simulated {plain(other.fees)}"
        self._note(one.first_ts, symbol, Cause.FEES, other.fees - one.fees, fees)

    def _priced(self, one: Executed, other: Executed) -> Cause:
        """Why two fills of the same order have other prices."""
        is_late = abs(one.first_ts - other.first_ts) >= self._around.interval_ms
        return Cause.TIMING if is_late else Cause.FILL_PRICE

    def _set_apart(self, symbol: str, cause: Cause, by: Decimal) -> None:
        """Take in that one side holds more now. Once both hold the same again, nothing sets them apart."""
        self._apart[symbol] += by
        if self._apart[symbol]:
            self._cause[symbol] = cause
        else:
            self._cause.pop(symbol, None)

    def _reason(self, key: Key, one: Executed | None, other: Executed | None) -> Cause:
        """Why an order was filled on one side alone, or to another size."""
        primary = self._primary(key, one, other)
        return primary if primary in OF_THEIR_OWN else self._cause.get(key.symbol, primary)

    def _primary(self, key: Key, one: Executed | None, other: Executed | None) -> Cause:
        if key.origin is not Origin.TICK:
            return {
                Origin.HALT: Cause.HALT,
                Origin.BY_HAND: Cause.BY_HAND,
                Origin.LIQUIDATION: Cause.LIQUIDATION,
            }[key.origin]
        ts = key.at
        if one is None and (cause := self._not_taken(ts, key.symbol)) is not None:
            return cause
        if ts in self._live.interrupted:
            return Cause.INTERRUPTED
        if actions_at(self._live, ts) == actions_at(self._sim, ts):
            same = self._live.refusals(ts) == self._sim.refusals(ts)
            return Cause.SIZE if same else Cause.REFUSAL
        if one is not None and self._sim.halt_at(ts):
            return Cause.HALT
        return Cause.LATE_DATA if ts in self._around.late else Cause.DECISION

    def _not_taken(self, ts: int, symbol: str) -> Cause | None:
        """Why the deployment took no tick at an instant, or None where it took it, as far as is known."""
        if ts in self._live.interrupted:
            return Cause.INTERRUPTED
        if ts in self._live.by_tick:
            return None
        if halt := self._live.halt_at(ts):
            return Cause.BY_HAND if halt.by_hand else Cause.HALT
        if self._around.absence(ts) or self._around.keeps_all:
            return Cause.MISSED_TICK
        # A tick that does nothing leaves no decision behind. With the same position in the same market it would
        # have done the same; so it was not taken, unless it saw other data or held something else.
        if ts in self._around.late or symbol in self._cause:
            return None
        return Cause.MISSED_TICK

    # Funding, and what is left.

    def _funding(self, ts: int, symbol: str) -> None:
        at = (symbol, ts)
        one, other = (side.funding.get(at, NOTHING_PAID) for side in (self._live, self._sim))
        is_same = one.position == other.position
        cause = Cause.FUNDING if is_same else self._cause.get(symbol, Cause.FUNDING)
        text = f"funding {_paid(one)}, simulated {_paid(other)}"
        self._note(ts, symbol, cause, one.amount - other.amount, text)

    def _rest(self) -> None:
        """What is in neither fills nor funding, so that nothing is left out."""
        live, sim, around = self._live, self._sim, self._around
        written_off = live.adjusted - sim.adjusted
        text = f"written off {plain(live.adjusted)} USD, simulated {plain(sim.adjusted)}"
        self._note(around.to_ts, "", Cause.LIQUIDATION, written_off, text)
        for record, sign in ((live, 1), (sim, -1)):
            left = sign * (_end(record, around) - record.worth(around.marks))
            cause = Cause.MARKS if record.positions else Cause.UNEXPLAINED
            self._note(around.to_ts, "", cause, left, "what is held, valued at the end")


def _worth(one: Executed | None, around: Circumstances) -> Decimal:
    return ZERO if one is None else one.worth(around.marks[one.key.symbol])


def _signed(one: Executed | None) -> Decimal:
    return ZERO if one is None else one.signed


def _end(record: AccountRecord, around: Circumstances) -> Decimal:
    """What an account was worth at the end, as it was recorded; else as its entries have it."""
    last = record.equity[-1] if record.equity else None
    return last[1] if last is not None and last[0] == around.to_ts else record.worth(around.marks)


def _figures(record: AccountRecord, equity: Decimal) -> Figures:
    return Figures(
        equity=equity,
        fills=len(record.fills),
        fees=sum((fill.fee for fill in record.fills), ZERO),
        funding=sum((row.amount for row in record.funding.values()), ZERO),
        refused=sum(not verdict.approved for one in record.decisions for verdict in one.verdicts),
    )


def _parts(differences: Sequence[Difference]) -> tuple[Part, ...]:
    """The causes, the dearest first."""
    by_cause: dict[Cause, list[Decimal]] = defaultdict(list)
    for one in differences:
        by_cause[one.cause].append(one.usd)
    parts = [Part(cause, sum(usd, ZERO), len(usd)) for cause, usd in by_cause.items()]
    return tuple(sorted(parts, key=lambda part: (-abs(part.usd), part.cause)))


def _points(live: AccountRecord, sim: AccountRecord) -> tuple[tuple[int, Decimal, Decimal], ...]:
    theirs = dict(sim.equity)
    return tuple((ts, usd, theirs[ts]) for ts, usd in live.equity if ts in theirs)


# In words.


def _prices(one: Executed, other: Executed) -> str:
    def price(filled: Executed) -> str:
        return f"{filled.usd / filled.size:.8g}"

    return f"{one.key.side} {plain(one.size)} {one.key.symbol} at {price(one)}, simulated {price(other)}"


def _paid(one: Paid) -> str:
    return f"{plain(one.amount)} USD on {plain(one.position)}"


def _alone(key: Key, one: Executed | None, other: Executed | None) -> str:
    what = f"{key.side} {key.symbol}" + ("" if key.kind == "market" else f" ({key.kind})")
    ours = "nothing" if one is None else plain(one.size)
    theirs = "nothing" if other is None else plain(other.size)
    return f"{what}: {ours}, simulated {theirs}"
