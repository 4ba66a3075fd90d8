"""After a crash: what became of each order that was written down, before anything new is decided.

The venue is asked. What it has told since is taken in first; an intent that is then still only written down, or whose
answer was lost, is looked for by its client id.
"""

import msgspec

from brokers.base import Broker, Found, Lost
from domain.events import OrderChanged
from domain.orders import Order, OrderEvent, OrderState
from engine.engine import Engine

NEVER_SENT = "never sent"
GONE = "not found at the venue"


class Recovered(msgspec.Struct, frozen=True):
    """What was found, by order number. Nothing may raise the symbols of what is `unresolved`."""

    adopted: tuple[int, ...] = ()
    never_sent: tuple[int, ...] = ()
    unresolved: tuple[int, ...] = ()


async def recover(engine: Engine, broker: Broker, ts: int) -> Recovered:
    """Settle what became of every order in doubt. Safe to be done again, at any time."""
    engine.absorb()
    adopted, dead, unresolved = [], [], []
    for order in list(engine.book.orders.values()):
        if order.state not in (OrderState.RECORDED, OrderState.UNKNOWN):
            continue
        found = await broker.look_up(order.client_id)
        if isinstance(found, Found):
            engine.learn(OrderChanged(ts, found.order))
            adopted.append(order.number)
        elif found is Lost.FOR_GOOD:
            engine.learn(OrderChanged(ts, _dead(order, ts)))
            dead.append(order.number)
        else:
            unresolved.append(order.number)
    return Recovered(tuple(adopted), tuple(dead), tuple(unresolved))


def _dead(order: Order, ts: int) -> Order:
    """An order that never lived, or is proven dead."""
    reason = NEVER_SENT if order.state is OrderState.RECORDED else GONE
    return order.after(OrderEvent.CANCELLED, ts=ts, reason=reason)
