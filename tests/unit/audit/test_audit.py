"""The auditor is content with a life that was lived by the rules, and finds every fault that is planted in it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from domain.actions import CancelOrder, ProposeOrder
from domain.caps import Caps, StopGuard
from domain.events import FundingPaid, OrderChanged
from domain.feeds import Mark, Quote
from domain.journal import DayOpened, Entry, HaltChanged, HaltPhase, IntentRecorded
from domain.orders import Fill, Order, OrderState, Side
from domain.time import DAY_MS, HOUR_MS
from tests.audit.account import beside_venue
from tests.audit.journal import Auditor, audit
from tests.unit.audit.lives import CAPS, CASH, SYMBOLS, Life, lived
from tests.unit.audit.test_lives import faults

D = Decimal
E = TypeVar("E")
Entries = list[Entry]
changed = msgspec.structs.replace


@pytest.fixture(scope="module")
def life() -> Life:
    """A life in which everything happens: orders of all kinds, protections, funding, a halt and its lifting."""
    made = lived(SEED, 200)
    assert faults(made) == []
    return made


SEED = 5


def found(entries: Entries, caps: Caps = CAPS, **more: Any) -> str:
    """All faults, as one text."""
    return "\n".join(audit(entries, caps, SYMBOLS, CASH, **more))


def where(entries: Entries, kind: type[E], fits: Callable[[E], bool] = lambda entry: True) -> int:
    """The place of the first entry of this kind that fits."""
    return next(index for index, entry in enumerate(entries) if isinstance(entry, kind) and fits(entry))


def raising(intent: IntentRecorded) -> bool:
    return any(not order.reduce_only for order in intent.orders)


def sent(entries: Entries) -> Order:
    """The first order that raises."""
    intent = entries[where(entries, IntentRecorded, raising)]
    assert isinstance(intent, IntentRecorded)
    return intent.orders[0]


def filled(entries: Entries) -> int:
    """Where an order that somebody asked for fills first."""
    asked = {o.number for e in entries if isinstance(e, IntentRecorded) and e.action for o in e.orders}
    return where(entries, Fill, lambda fill: fill.order in asked)


# Doubled and lost.


def test_an_order_that_is_sent_again_under_its_own_name_is_found(life: Life) -> None:
    """With another number, as by a process that did not know that it had been sent."""
    entries = [*life.disk.entries]
    at = where(entries, IntentRecorded, raising)
    intent = entries[at]
    assert isinstance(intent, IntentRecorded)
    twin = changed(intent, orders=tuple(changed(order, number=9_000) for order in intent.orders))

    entries.insert(at + 1, twin)

    assert "have one client id: doubled" in found(entries)


def test_an_order_that_is_intended_twice_is_found(life: Life) -> None:
    """The very same entry, written down again."""
    entries = [*life.disk.entries]
    at = where(entries, IntentRecorded, raising)

    entries.insert(at + 1, entries[at])

    assert f"order {sent(entries).number} was intended twice" in found(entries)


def test_a_fill_that_is_booked_twice_is_found(life: Life) -> None:
    """The venue's word was taken in again after a crash."""
    entries = [*life.disk.entries]
    at = filled(entries)

    entries.insert(at + 1, entries[at])

    text = found(entries)
    assert "its fills are" in text
    assert "cash is" in text


def test_an_order_that_fills_twice_is_found(life: Life) -> None:
    """More than its size, though positions and cash are those of all fills."""
    entries = [*life.disk.entries]
    at = filled(entries)
    fill = entries[at]
    assert isinstance(fill, Fill)
    order = next(
        o for e in entries if isinstance(e, IntentRecorded) for o in e.orders if o.number == fill.order
    )
    again = changed(
        fill,
        size=order.size,
        position=fill.position + fill.side.sign * order.size,
        cash=fill.cash - fill.fee,
        realized=D(0),
    )

    assert f"order {fill.order} filled more than its size: doubled" in found([*entries[: at + 1], again])


def test_a_fill_that_is_lost_is_found(life: Life) -> None:
    """By the order that says it has filled, and by the next fill's position."""
    entries = [*life.disk.entries]

    del entries[filled(entries)]

    text = found(entries)
    assert "its fills are 0" in text
    assert "by the books" in text


def test_an_order_without_an_intent_is_found(life: Life) -> None:
    """It was sent, and had not been written down."""
    entries = [*life.disk.entries]
    number = sent(entries).number

    del entries[where(entries, IntentRecorded, raising)]

    text = found(entries)
    assert f"order {number} is in no intent" in text


def test_a_fill_of_nobody_s_order_is_found(life: Life) -> None:
    """A position without its journal."""
    entries = [*life.disk.entries]
    at = filled(entries)

    entries[at] = changed(entries[at], order=9_000)

    assert "a fill of order 9000, which is in no intent" in found(entries)


def test_an_order_whose_fate_nobody_knows_is_found_once_all_is_at_rest(life: Life) -> None:
    """The last thing that is known is the intent."""
    entries = life.disk.entries[: where(life.disk.entries, IntentRecorded, raising) + 1]

    assert found(entries) == ""
    assert f"nobody knows what became of order {sent(entries).number}" in found(entries, at_rest=True)


def test_an_order_that_comes_to_life_again_is_found(life: Life) -> None:
    """It was over, and is told of as resting."""
    entries = [*life.disk.entries]
    at = where(entries, OrderChanged, lambda e: not e.order.is_live)
    over = entries[at]
    assert isinstance(over, OrderChanged)
    alive = changed(over.order, state=OrderState.RESTING, closed_ts=None)

    entries.insert(at + 1, changed(over, order=alive))

    assert f"order {over.order.number} was {over.order.state} and became resting" in found(entries)


def test_an_order_that_is_not_what_was_intended_is_found(life: Life) -> None:
    """Larger, or at another price."""
    entries = [*life.disk.entries]
    at = where(entries, OrderChanged, lambda e: e.order.number == sent(entries).number)
    told = entries[at]
    assert isinstance(told, OrderChanged)

    entries[at] = changed(told, order=changed(told.order, size=told.order.size * 2, limit_px=D(7)))

    text = found(entries)
    assert f"order {told.order.number} is larger than what was intended" in text
    assert f"order {told.order.number} changed its limit_px" in text


# Money.


def bounded_buy(fill: Fill) -> bool:
    """Whether a fill has an upper bound."""
    return fill.side is Side.BUY and fill.cause in ("market", "limit")


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        (Fill, {"cash": D(1)}, "cash is 1, by the books"),
        (Fill, {"position": D(77)}, "is 77, its fills are"),
        (Fill, {"realized": D(5)}, "a fill realized 5, by the books"),
        (Fill, {"fee": D(-1)}, "with a fee below 0"),
        (Fill, {"px": D(10) ** 9}, "filled at 1000000000, beyond its"),
        (FundingPaid, {"amount": D(1)}, "funding of 1, by the rate"),
        (FundingPaid, {"position": D(77)}, "funding on 77, never held"),
        (Fill, {"cause": "liquidation", "order": 0}, "a liquidation without a liquidation"),
    ],
)
def test_an_amount_that_is_not_what_the_books_make_of_it_is_found(
    life: Life, kind: type[Entry], change: dict[str, Any], fault: str
) -> None:
    """Cash, positions, profit, fees, prices and funding, each by a figure of its own."""
    entries = [*life.disk.entries]
    at = where(entries, kind, bounded_buy if kind is Fill else bool)

    entries[at] = changed(entries[at], **change)

    assert fault in found(entries)


# Halts.


def latched(entries: Entries) -> int:
    return where(entries, HaltChanged, lambda e: e.phase is HaltPhase.FLATTENING)


def test_something_that_raises_in_a_halt_is_found(life: Life) -> None:
    """Sent right after the latch."""
    entries = [*life.disk.entries]
    at = latched(entries)
    order = changed(sent(entries), number=9_000, client_id="0x9000")

    entries.insert(at + 1, IntentRecorded(entries[at].ts, "d", CancelOrder(1), (order,)))

    assert "order 9000 raises while flattening" in found(entries)


def test_something_that_raises_of_the_engine_s_own_accord_is_found(life: Life) -> None:
    """It may only reduce where nobody asked for anything."""
    entries = [*life.disk.entries]
    order = changed(sent(entries), number=9_000, client_id="0x9000")

    entries.insert(0, IntentRecorded(entries[0].ts, "d", None, (order,)))

    assert "order 9000 raises, and nobody asked for it" in found(entries)


def test_a_halt_that_is_forgotten_is_found(life: Life) -> None:
    """Trading went on as if it had been lifted; nobody lifted it."""
    entries = [e for e in life.disk.entries if not (isinstance(e, HaltChanged) and e.phase == "active")]

    assert "raises while halted" in found(entries)


def test_a_halt_that_was_never_latched_is_found(life: Life) -> None:
    """It is complete, and had not begun."""
    entries = [*life.disk.entries]

    del entries[latched(entries)]

    assert "active became halted" in found(entries)


def test_a_halt_without_a_loss_is_found(life: Life) -> None:
    """Equity above the level; and a level that is not the day's."""
    entries = [*life.disk.entries]
    at = latched(entries)

    entries[at] = changed(entries[at], equity=D(10) ** 6, level=D(7))

    text = found(entries)
    assert "a halt at 1000000, above 7" in text
    assert "the day's level is" in text


def test_an_account_that_is_halted_before_it_is_flat_is_found(life: Life) -> None:
    """The latch and the end, with nothing closed in between."""
    entries = [*life.disk.entries]
    at = latched(entries)
    latch = entries[at]
    assert isinstance(latch, HaltChanged)

    entries.insert(at + 1, changed(latch, phase=HaltPhase.HALTED))

    assert "halted before it was flat" in found(entries)


def test_a_day_that_is_opened_again_is_found() -> None:
    """A restart that moves the baseline would forgive the day's loss."""
    day = DayOpened(5 * DAY_MS, CASH)

    assert found([day]) == ""
    assert "its baseline was moved" in found([day, DayOpened(5 * DAY_MS + HOUR_MS, D(9000))])


# Caps.


@pytest.mark.parametrize(
    ("own", "cap"),
    [
        ({"allow_short": False}, "allow_short"),
        ({"max_order_usd": D(9_000)}, "max_order_usd"),
        ({"max_position_usd": D(9_000)}, "max_position_usd"),
        ({"max_gross_usd": D(9_000)}, "max_gross_usd"),
        ({"max_leverage": D("0.9")}, "max_leverage"),
        ({"max_open_positions": 1}, "max_open_positions"),
        ({"max_orders_per_hour": 5}, "max_orders_per_hour"),
        ({"max_orders_per_day": 6}, "max_orders_per_day"),
        ({"max_actions_per_tick": 0}, "max_actions_per_tick"),
        ({"require_stop": True}, "require_stop"),
        ({"price_band_pct": D("0.1")}, "price_band_pct"),
        ({"cooldown_after_loss_ms": 30 * HOUR_MS}, "cooldown_after_loss"),
        ({"stop_guard": StopGuard(1, HOUR_MS, 30 * HOUR_MS)}, "stop_guard"),
    ],
)
def test_a_cap_that_was_passed_is_found(life: Life, own: dict[str, Any], cap: str) -> None:
    """What was fine by the caps it was traded under is not by a tighter one."""
    caps = changed(CAPS, **own)

    text = found(life.disk.entries, caps, marks=lambda symbol, ts: life.marks.get((symbol, ts)))

    assert f"passes {cap}" in text


@pytest.mark.parametrize("cap", ["max_order_usd", "max_position_usd", "max_gross_usd"])
def test_a_cap_in_usd_is_held_without_marks_too(life: Life, cap: str) -> None:
    """An order's own price says enough."""
    assert f"passes {cap}" in found(life.disk.entries, changed(CAPS, **{cap: D(9_000)}))
    assert found(life.disk.entries) == ""


def test_a_symbol_that_is_not_traded_is_found(life: Life) -> None:
    """An order for it was sent."""
    assert "is for ETH, which is not traded" in "\n".join(audit(life.disk.entries, CAPS, ("BTC",), CASH))


def test_an_order_that_reduces_more_than_there_is_is_found(life: Life) -> None:
    """Sent reduce-only with nothing held, it would be refused by nobody."""
    order = changed(sent(life.disk.entries), reduce_only=True)

    assert "reduces more than is held" in found([IntentRecorded(0, "d", None, (order,))])


# Beside the venue.


def read(life: Life) -> Auditor:
    auditor = Auditor(CAPS, SYMBOLS, CASH)
    for entry in life.disk.entries:
        auditor.read(entry)
    return auditor


def test_what_the_venue_holds_and_the_journal_does_not_is_found(life: Life) -> None:
    """The journal lacks its last fill, the venue has it: the position has no journal."""
    entries = [*life.disk.entries]
    last = max(i for i, e in enumerate(entries) if isinstance(e, Fill) and e.position)
    shorter = Life()
    shorter.disk.entries = entries[:last]

    text = "\n".join(beside_venue(read(shorter), life.disk.venue, life.disk.heard))

    assert "cash is" in text
    assert "the venue holds" in text or "at the venue" in text


def test_a_venue_that_was_never_saved_is_found_where_there_are_fills(life: Life) -> None:
    """And is fine where there are none."""
    assert beside_venue(read(life), None, 0) == ["the journal has fills, and the venue was never saved"]
    assert beside_venue(read(Life()), None, 0) == []


def test_what_the_venue_has_not_told_yet_is_heard_before_they_are_compared() -> None:
    """The process was killed between the venue's commit of a fill and the journal's."""
    life = Life()
    life.tell(Mark(life.now, "BTC", D(60_000)))
    life.act(ProposeOrder("BTC", Side.BUY, D("0.1")))
    life.wait(100)
    life._begin = lambda: None  # type: ignore[method-assign]
    life.fuse.left = 1
    life.tell(Quote(life.now, "BTC", D(59_999), D(1), D(60_000), D(1)))
    auditor = read(life)
    assert auditor.positions == {}

    assert beside_venue(auditor, life.disk.venue, life.disk.heard) == []

    assert auditor.size("BTC") == D("0.1")
