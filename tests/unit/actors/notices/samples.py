"""A notice of every kind, and notifications that wait."""

from decimal import Decimal
from uuid import UUID

import msgspec

from db.notifications import Waiting
from domain.deployments import CommandKind, CommandState
from domain.ids import uuid7
from domain.journal import HaltCause
from domain.notices import (
    BudgetUsed,
    CommandEnded,
    FeedStale,
    Filled,
    Flattened,
    GaveUp,
    Halted,
    HaltLatched,
    Notice,
    Restarted,
    Started,
    Stopped,
)
from domain.orders import Fill, Liquidity, Side

T0 = 1_735_689_600_000
"""2025-01-01 00:00 UTC."""
ME, YOU = UUID(int=1), UUID(int=2)
D = Decimal


def fill(cause: str = "market", *, side: Side = Side.BUY, size: str = "0.25", px: str = "60300.5") -> Fill:
    """A fill that realized 29 USD."""
    return Fill(
        ts=T0,
        order=1,
        symbol="BTC",
        side=side,
        size=D(size),
        px=D(px),
        fee=D(1),
        realized=D(29) if side is Side.SELL else D(0),
        reference_px=D(px),
        liquidity=Liquidity.TAKER,
        cause=cause,
        position=D(0),
        cash=D(1000),
    )


def one_of_each(text: str = "trend", ts: int = T0) -> list[Notice]:
    """A notice of every kind and turn, with `text` wherever a text goes."""
    of = {"ts": ts, "deployment": text}
    return [
        Started(**of, skill=text, version=3, mode=text, feed=text),
        Stopped(**of, reason=text, holding=(text, text)),
        Filled(**of, fills=(fill(),)),
        Filled(**of, fills=(msgspec.structs.replace(fill("liquidation"), symbol=text),) * 12),
        HaltLatched(**of, cause=HaltCause.DAILY_LOSS, equity=D("949.5"), level=D(950)),
        Halted(**of, cause=HaltCause.DRAWDOWN, equity=D("949.5"), lifts=text),
        Flattened(**of, equity=D(1000)),
        FeedStale(**of, symbols=(text,) * 40, last_ts=None),
        FeedStale(**of, symbols=("BTC",), last_ts=ts, is_fresh_again=True),
        CommandEnded(**of, command=CommandKind.STOP, state=CommandState.FAILED, result=text),
        BudgetUsed(**of, budget=text, spent_usd=D("1.60"), limit_usd=D(2)),
        Restarted(**of, part=text, error=text, restarts=3),
        GaveUp(**of, reason=text, holding=(text,)),
    ]


def waiting(count: int = 1, **fields: object) -> list[Waiting]:
    """Notifications that wait, told a second apart from T0."""
    return [
        msgspec.structs.replace(
            Waiting(
                id=uuid7(T0 + 1000 * n),
                user_id=ME,
                seq=n,
                kind="fill",
                severity="info",
                deployment="trend",
                title=f"fill {n}",
                body="",
                created_ts=T0 + 1000 * n,
                attempts=0,
                message=None,
                delivered=[],
            ),
            **fields,
        )
        for n in range(count)
    ]
