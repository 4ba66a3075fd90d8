"""How many messages leave: never more than the ration, and nothing is lost for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.notices.ration import BURST, Bucket, Rations, batches
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.unit.actors.notices.samples import T0

PER_HOUR = st.integers(1, 3600)
STEPS = st.lists(st.tuples(st.integers(0, 2 * HOUR_MS), st.integers(0, 12)), max_size=60)


def test_a_few_leave_at_once_and_then_one_after_the_other() -> None:
    """With 30 in an hour: five, and then one every two minutes."""
    bucket = Bucket.full(30, T0)
    for _ in range(BURST):
        assert bucket.tokens(T0)
        bucket.take(T0)

    assert (bucket.tokens(T0), bucket.next_token(T0)) == (0, T0 + 2 * MINUTE_MS)
    assert bucket.tokens(T0 + 2 * MINUTE_MS - 1) == 0
    assert bucket.tokens(T0 + 2 * MINUTE_MS) == 1
    assert bucket.tokens(T0 + DAY_MS) == BURST


@given(PER_HOUR, STEPS)
def test_no_hour_has_more_than_its_ration(per_hour: int, steps: list[tuple[int, int]]) -> None:
    """However they come, in any stretch of an hour at most the rate and the burst leave."""
    bucket, now_ms, left = Bucket.full(per_hour, T0), T0, list[int]()
    for pause_ms, wanted in steps:
        now_ms += pause_ms
        for _ in range(min(wanted, bucket.tokens(now_ms))):
            bucket.take(now_ms)
            left.append(now_ms)

    for start in left:
        assert sum(start <= ts <= start + HOUR_MS for ts in left) <= per_hour + BURST


@given(PER_HOUR, STEPS)
def test_the_next_token_comes_when_it_was_said_and_not_before(
    per_hour: int, steps: list[tuple[int, int]]
) -> None:
    """So who waits until then waits once."""
    bucket, now_ms = Bucket.full(per_hour, T0), T0
    for pause_ms, wanted in steps:
        now_ms += pause_ms
        for _ in range(wanted):
            bucket.take(now_ms)
        due_ms = bucket.next_token(now_ms)
        if due_ms > now_ms:
            assert Bucket(per_hour, bucket.units, bucket.ts).tokens(due_ms - 1) == 0
        assert Bucket(per_hour, bucket.units, bucket.ts).tokens(due_ms) >= 1


@pytest.mark.parametrize("jump_ms", [-DAY_MS, DAY_MS])
def test_a_clock_that_is_set_silences_nobody(jump_ms: int) -> None:
    """After a jump, forward and back, tokens come at the old rate."""
    bucket = Bucket.full(30, T0)
    for _ in range(BURST):
        bucket.take(T0)
    bucket.tokens(T0 + jump_ms)
    for _ in range(BURST):
        bucket.take(T0)

    assert bucket.next_token(T0) == T0 + 2 * MINUTE_MS


@given(st.integers(0, 40), st.integers(0, 8))
def test_what_is_over_the_ration_is_folded_into_the_last_message(count: int, tokens: int) -> None:
    """Each goes into exactly one message, in order; there are no more messages than tokens; without one all wait."""
    shares = batches(range(count), tokens)

    assert [one for share in shares for one in share] == (list(range(count)) if tokens else [])
    assert len(shares) == min(count, tokens)
    assert all(len(share) == 1 for share in shares[:-1])


def test_people_and_kinds_have_rations_of_their_own_that_outlive_a_process() -> None:
    """What was sent before is taken off; a full bucket is as good as none."""
    rations = Rations(30)
    rations.recall([(("me", "fill"), T0 + n) for n in range(7)])

    assert rations.bucket(("me", "fill"), T0 + 7).tokens(T0 + 7) == 0
    assert rations.bucket(("me", "halt"), T0 + 7).tokens(T0 + 7) == BURST
    assert rations.bucket(("you", "fill"), T0 + 7).tokens(T0 + 7) == BURST
    assert rations.bucket(("me", "fill"), T0 + DAY_MS).tokens(T0 + DAY_MS) == BURST
