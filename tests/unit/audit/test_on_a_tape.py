"""The auditor is content with wild accounts on a tape too: gaps, liquidations, funding, halts, every cap."""

from collections import Counter
from decimal import Decimal

from tests.audit.journal import audit
from tests.unit.engine.samples import House
from tests.unit.engine.test_no_sequence_passes_a_cap import STEPS, Trading, caps_of, dice_of, market, one

Marks = dict[tuple[str, int], Decimal | None]


def traded(seed: int) -> tuple[House, Marks]:
    """An account that was traded in for some days, and the marks that it was traded by."""
    tape, costs = market(seed)
    machine, marks = Trading(), Marks()
    machine.house = house = House(caps_of(dice_of(seed, 1)), tape, costs=costs)
    machine.symbols = [track.symbol for track in tape.tracks]
    for hour in range(STEPS):
        dice = dice_of(seed, 2, hour)
        marks |= {(symbol, house.ts): house.venue.mark(symbol) for symbol in machine.symbols}
        for index in range(one(dice, 0, 1, 1, 2, 3)):
            makes = [*[machine._proposal] * 6, machine._close, machine._cancel, machine._protection]
            house.do(one(dice, *makes)(dice), index=index)
        house.step()
    return house, marks


def test_accounts_on_a_tape_are_clean() -> None:
    """With the marks that they were traded by, and without; and enough has happened in them."""
    happened: Counter[str] = Counter()
    for seed in range(40):
        house, marks = traded(seed)
        symbols, start_usd = ("BTC", "ETH", "DOGE"), house.venue.state.account.start
        known = audit(house.entries, house.caps, symbols, start_usd, marks=lambda *at, of=marks: of.get(at))
        assert known == [], f"seed {seed}"
        assert audit(house.entries, house.caps, symbols, start_usd) == [], f"seed {seed}"
        happened.update(type(entry).__name__ for entry in house.entries)

    assert happened["Fill"] > 200, happened
    assert happened["FundingPaid"] > 100, happened
    assert happened["HaltChanged"] > 20, happened
    assert happened["DayOpened"] > 40, happened
