"""A feed's time does not run back, and does not stand still for long."""

from hypothesis import given
from hypothesis import strategies as st

from market.feeds.onward import CORRECTED_MS, Onward

T0 = 1_735_689_600_000
HOUR_MS = 3_600_000


class Clocks:
    """A clock that people set, and one that nobody sets."""

    def __init__(self) -> None:
        self.set_ms, self.passed_ms = T0, 0

    def now_ms(self) -> int:
        return self.set_ms

    def monotonic_s(self) -> float:
        return self.passed_ms / 1000

    async def sleep(self, delay_s: float) -> None: ...

    def go(self, passed_ms: int, set_by_ms: int = 0) -> None:
        self.set_ms += passed_ms + set_by_ms
        self.passed_ms += passed_ms


def test_it_is_the_clocks_time() -> None:
    """Also after the clock was set forward, as after a sleep of the machine."""
    clocks = Clocks()
    onward = Onward(clocks)
    clocks.go(1_500)
    assert onward.now_ms() == T0 + 1_500
    clocks.go(0, HOUR_MS)
    assert onward.now_ms() == T0 + 1_500 + HOUR_MS


def test_a_clock_set_back_a_little_is_waited_for() -> None:
    """So that feed and clock agree again after a correction."""
    clocks = Clocks()
    onward = Onward(clocks)
    clocks.go(0, -500)
    shown = []
    for _ in range(3):
        shown.append(onward.now_ms() - T0)
        clocks.go(400)
    assert shown == [0, 0, 300]


def test_a_clock_set_back_far_is_not_waited_for() -> None:
    """Time goes on as it passes, until the clock has caught up."""
    clocks = Clocks()
    onward = Onward(clocks)
    clocks.go(0, -HOUR_MS)
    for second in range(1, 10):
        clocks.go(1_000)
        assert onward.now_ms() == T0 + second * 1_000
    clocks.go(0, HOUR_MS)
    assert onward.now_ms() == T0 + 9_000


@given(
    st.lists(
        st.tuples(st.integers(0, 5_000), st.sampled_from([0, 0, 0, -HOUR_MS, HOUR_MS, -900, -2_500, 700])),
        max_size=50,
    )
)
def test_it_never_runs_back_and_never_stops(steps: list[tuple[int, int]]) -> None:
    """However the clock is set: no later than the clock says is right, and behind passing time by a little at most."""
    clocks = Clocks()
    onward = Onward(clocks)
    before = first = onward.now_ms()
    for passed_ms, set_by_ms in steps:
        clocks.go(passed_ms, set_by_ms)
        now = onward.now_ms()
        assert now >= max(before, clocks.set_ms)
        before = now
    steps_back = sum(1 for _, by in steps if by < 0)
    assert before - first >= clocks.passed_ms - steps_back * (CORRECTED_MS + 5_000)
