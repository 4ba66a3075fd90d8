"""A feed's own time, where nobody tells it: that of the clock, without its steps back."""

from market.feeds.base import Time

CORRECTED_MS = 2_000
"""A clock that is set back by no more than this is waited for."""


class Onward:
    """The clock's time, that never runs back.

    Where the clock is set back by more than a little, time goes on from where it was as it passes, until the clock has
    caught up. So what was told once is not told again, and prices keep coming. Where it is set forward, so is this.
    """

    def __init__(self, time: Time) -> None:
        self._time = time
        self._newest = time.now_ms()
        self._at_s = time.monotonic_s()

    def now_ms(self) -> int:
        """The instant it is, in UTC ms."""
        clock, at_s = self._time.now_ms(), self._time.monotonic_s()
        if self._newest - clock > CORRECTED_MS:
            clock = self._newest + int((at_s - self._at_s) * 1000)
        self._newest, self._at_s = max(self._newest, clock), at_s
        return self._newest
