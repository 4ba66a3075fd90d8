"""The books are exact after every step, whatever happens (§2.11): two bookkeepers, wild markets, random orders."""

from decimal import localcontext

import pytest
from hypothesis import given, settings

from domain.events import Adjusted, OrderChanged
from domain.orders import Fill
from tests.unit.brokers.ledger import Ledger
from tests.unit.brokers.streams import Stream, act, desk_for, run, seeded, streams


def follow(made: Stream) -> Ledger:
    """Lead an account through a stream, with a second bookkeeper who looks after every step."""
    desk = desk_for(made)
    ledger = Ledger(desk)
    for index, actions in enumerate(made.actions):
        for action in actions:
            heard = len(desk.events)
            act(desk, action)
            ledger.hear(desk.events[heard:])
            ledger.agrees()
        for happens in (desk.open, desk.close):
            ledger.hear(happens())
            ledger.agrees()
        assert desk.venue._maintenance() < desk.equity or not desk.venue.state.positions
        ledger.check_bar(made.tape, index)
        ledger.hear(desk.settle())
        ledger.agrees()
    return ledger


@settings(max_examples=100)
@given(streams())
def test_the_books_are_exact_after_every_step(made: Stream) -> None:
    """Cash is the sum of its parts, positions the sums of fills, equity raw USD + Σ position × mark, to the digit.

    And on the way: no order in two states, none filled beyond its size or its limit, no bar taken beyond its share,
    nothing reduce-only that raises, no protection without a position, no closed bar below maintenance, no debt left.
    """
    follow(made)


@pytest.mark.parametrize("seed", range(12))
def test_twenty_eight_digits_are_enough(seed: int) -> None:
    """With sixty digits to compute with, every event and every alarm is the same."""
    made = seeded(seed, 60)
    usual, wide = desk_for(made), desk_for(made)
    run(made, usual)
    with localcontext() as context:
        context.prec = 60
        run(made, wide)

    assert usual.fills
    assert usual.events == wide.events
    assert usual.alarms == wide.alarms


def test_the_books_stay_exact_over_many_accounts_and_everything_happens_to_them() -> None:
    """Forty accounts over a hundred bars each; the stream is only worth something if it reaches every branch."""
    causes, reasons, adjusted = set(), set(), set()
    for seed in range(40):
        for event in follow(seeded(seed, 100)).desk.events:
            match event:
                case Fill():
                    causes.add((event.cause, event.liquidity.value))
                case OrderChanged():
                    reasons.add(event.order.reason)
                case Adjusted():
                    adjusted.add(event.reason)

    taken = {"market", "limit", "stop", "take_profit", "liquidation", "backstop"}
    assert causes == {*((cause, "taker") for cause in taken), ("limit", "maker")}
    assert adjusted == {"bankrupt", "backstop"}
    assert reasons == {
        "",
        "badAloPx",
        "cancelled",
        "iocCancel",
        "iocCancelRejected",
        "liquidatedCanceled",
        "marginCanceled",
        "no bar opened within one interval",
        "perpMargin",
        "reduceOnly",
        "reduceOnlyCanceled",
        "replaced",
        "siblingFilledCanceled",
    }
