"""When a child is started again: the table, the pauses, and giving up."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel import Ending, Exit
from supervisor.policy import Past, Policy, Restart, Rules, decide

CRASH = Exit(Ending.CRASHED)
CHANCES = st.floats(0, 1, exclude_max=True)
RULES = st.builds(
    Rules,
    restart=st.just(Restart.PERMANENT),
    most=st.integers(0, 12),
    calm_s=st.floats(1, 600),
    first_s=st.floats(0.01, 5),
    longest_s=st.floats(5, 120),
)


@pytest.mark.parametrize(
    ("restart", "comes_back_after"),
    [
        (Restart.PERMANENT, {Ending.FINISHED, Ending.CRASHED}),
        (Restart.TRANSIENT, {Ending.CRASHED}),
        (Restart.TEMPORARY, set()),
    ],
)
def test_what_comes_back_is_in_the_table(restart: Restart, comes_back_after: set[Ending]) -> None:
    """A child that was told to stop never does, and nothing is counted for what stays away."""
    rules, past = Rules(restart), Past(2, 5.0)
    for ending in Ending:
        after, delay = decide(rules, past, ending, 6.0, 0.5)

        assert (delay is not None) == (ending in comes_back_after)
        assert after.attempts == (3 if ending in comes_back_after else 2)


def test_pauses_double_up_to_a_minute() -> None:
    """From half a second, where chance shortens none."""
    policy, now, pauses = Policy(Rules(), lambda: 0.0, 0.0), 0.0, []
    while (pause := policy.after(CRASH, now)) is not None:
        pauses.append(pause)
        now += pause

    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert policy.attempts == Rules().most


@given(RULES, st.lists(st.tuples(st.floats(0, 1000), CHANCES), max_size=40))
def test_a_pause_is_within_its_bounds(rules: Rules, runs: list[tuple[float, float]]) -> None:
    """At least half of what the attempt's number says, and never more, whatever a child does."""
    past, now = Past(), 0.0
    for lasted, chance in runs:
        now += lasted
        calm = now - past.began_s > rules.calm_s
        number = 0 if calm else past.attempts
        after, delay = decide(rules, past, Ending.CRASHED, now, chance)
        if delay is None:
            assert number == rules.most
            assert after == past
            continue
        whole = min(rules.first_s * 2**number, rules.longest_s)
        assert whole / 2 <= delay <= whole
        assert after.attempts == number + 1 <= rules.most
        past, now = after, now + delay


@given(RULES, st.lists(CHANCES, min_size=20, max_size=20))
def test_what_never_runs_well_is_given_up(rules: Rules, chances: list[float]) -> None:
    """After exactly the attempts that there are, however short or long each took below the calm time."""
    policy, now, starts = Policy(rules, iter(chances).__next__, 0.0), 0.0, 0
    while (pause := policy.after(CRASH, now)) is not None:
        starts += 1
        now += pause + rules.calm_s / 2

    assert starts == rules.most


@given(st.integers(1, 12), CHANCES)
def test_a_calm_run_is_a_new_beginning(most: int, chance: float) -> None:
    """A child that runs well in between is started again for ever, and waits no longer for it."""
    policy, now = Policy(Rules(most=most), lambda: chance, 0.0), 0.0
    pauses = []
    for _ in range(50):
        now += Rules().calm_s + 1
        pauses.append(policy.after(CRASH, now))
        now += pauses[-1] or 0.0

    assert all(one == other is not None for one, other in pairwise(pauses))


def test_a_pause_is_not_part_of_the_run() -> None:
    """What waited long and then failed at once did not run well."""
    rules = Rules(calm_s=10, first_s=100, longest_s=100, most=1)
    policy = Policy(rules, lambda: 0.0, 0.0)

    assert policy.after(CRASH, 1.0) == 100
    assert policy.after(CRASH, 101.5) is None
