"""Lives on live quotes in processes that are killed at every step, audited at their end."""

from collections import Counter

import pytest

from domain.journal import HaltChanged, HaltPhase
from domain.orders import Fill
from tests.audit.account import beside_venue
from tests.audit.journal import Auditor
from tests.unit.audit.lives import CASH, SYMBOLS, Life, lived

LIVES, BATCHES = 80, 4


def faults(life: Life) -> list[str]:
    """What the auditor finds in a life that has come to rest, in its journal and at its venue."""
    auditor = Auditor(life.caps, SYMBOLS, CASH, lambda symbol, ts: life.marks.get((symbol, ts)))
    for entry in life.disk.entries:
        auditor.read(entry)
    auditor.rest()
    return auditor.faults + beside_venue(auditor, life.disk.venue, life.disk.heard)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_nothing_is_doubled_or_lost_and_no_cap_passed_however_often_the_process_is_killed(batch: int) -> None:
    """Between and inside a tick's intent, its sending, fills, halts and their commits; a seed names each life."""
    happened: Counter[str] = Counter()
    for seed in range(batch * LIVES, (batch + 1) * LIVES):
        life = lived(seed)
        assert faults(life) == [], f"seed {seed}"
        entries = life.disk.entries
        happened["deaths"] += life.deaths
        happened["fills"] += sum(isinstance(entry, Fill) for entry in entries)
        happened["halts"] += sum(
            isinstance(entry, HaltChanged) and entry.phase is HaltPhase.HALTED for entry in entries
        )

    assert happened["deaths"] > 10 * LIVES
    assert happened["fills"] > 5 * LIVES
    assert happened["halts"] > LIVES / 2


def test_the_same_seed_is_the_same_life() -> None:
    """So a seed that fails can be looked at."""
    assert lived(5).disk.entries == lived(5).disk.entries
