"""The verdict on a life can fail: with one thing of the product taken away, the same life ends badly."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

import actors.account
import actors.staging
from actors.ticker import Ticker
from brokers.paper.kept import KeptVenue
from db.connection import Connection
from db.pool import Database
from domain.journal import HaltPhase
from engine.recovery import Recovered
from tests.chaos.lives import lived
from tests.chaos.plans import Asked, Fault, Kind, Plan

open_account, begin = actors.staging.open_account, KeptVenue.__init__


async def _without_its_latch(*args: Any) -> Any:
    """A halt is forgotten when the account is opened again."""
    account = await open_account(*args)
    account.engine.state.watch.phase = HaltPhase.ACTIVE
    return account


async def _without_recovery(engine: Any, *args: Any) -> Recovered:
    """Nobody asks the venue what became of what was in doubt."""
    engine.absorb()
    return Recovered()


async def _without_settling(*args: Any) -> None:
    """A tick that was begun leaves no decision."""


def _hearing_again(self: Any, inner: Any, store: Any, kept: Any, heard: int, *more: Any) -> None:
    """What the venue told is told once more after a restart."""
    begin(self, inner, store, kept, kept.told, *more)


TAKEN_AWAY = {
    "the latch of a halt": (actors.staging, "open_account", _without_its_latch, Kind.KILL_NOW),
    "recovery": (actors.account, "recover", _without_recovery, Kind.KILL),
    "the end of a tick that was begun": (Ticker, "_settle", _without_settling, Kind.KILL),
    "what was heard": (KeptVenue, "__init__", _hearing_again, Kind.KILL_NOW),
}


def _plans(kind: Kind) -> Iterator[Plan]:
    """One deployment that halts soon, struck once, each time a point later."""
    for points in range(2, 14):
        at_s = 21 + 10 * points if kind is Kind.KILL_NOW else 20
        fault = Fault(at_s, kind, points=points, lasts_s=20, of_an_intent=True)
        yield Plan(
            7,
            (Asked("random", "synthetic@7", 0.05, "keep"),),
            165 if kind is Kind.KILL_NOW else 100,
            (fault,),
        )


@pytest.mark.parametrize("what", TAKEN_AWAY)
async def test_a_life_ends_badly_without(
    database: Database, admin: Connection, owner: UUID, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Sooner or later, as the strike comes a point later each time; and with it the same life ends well."""
    place, name, instead, kind = TAKEN_AWAY[what]
    for plan in _plans(kind):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, instead)
            badly = await lived(database, admin, owner, plan)
        if badly.faults:
            break
    assert badly.faults
    well = await lived(database, admin, owner, plan)
    assert well.faults == []
