"""The link that works once, and the sessions it opens."""

from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.time import ManualClock
from web.sign_in import CODE_LIFE_MS, MOST_SESSIONS, PAUSE_MS, SESSION_LIFE_MS, SignIn

WHO = UUID(int=7)


class Desk(SignIn):
    """A sign-in with a clock to move, tokens in a row, and what was announced."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_000_000)
        self.announced: list[str] = []
        numbers = count(1)
        super().__init__(WHO, self.clock, lambda: f"token-{next(numbers)}", self.announced.append)

    def wait(self, duration_ms: int) -> None:
        """Let time go by."""
        self.clock.move_to(self.clock.now_ms() + duration_ms)


@pytest.fixture
def desk() -> Desk:
    """A desk of this test's own."""
    return Desk()


def test_a_code_opens_one_session_once(desk: Desk) -> None:
    """The second use is refused, the session of the first goes on."""
    code = desk.issue()

    token = desk.redeem(code)

    assert token is not None
    assert desk.user_of(token) == WHO
    assert desk.redeem(code) is None
    assert desk.user_of(token) == WHO


def test_a_code_is_no_session(desk: Desk) -> None:
    """Only the token that it was changed for is."""
    code = desk.issue()
    desk.redeem(code)

    assert desk.user_of(code) is None


@given(st.text(max_size=80))
def test_nothing_else_opens_a_session(guess: str) -> None:
    """Whatever is given, before and while a code is out; and the code still works after it."""
    desk = Desk()
    assert desk.redeem(guess) is None

    code = desk.issue()
    if guess != code:
        assert desk.redeem(guess) is None
        assert desk.user_of(guess) is None
    assert desk.redeem(code) is not None


@pytest.mark.parametrize(("waited_ms", "opens"), [(CODE_LIFE_MS - 1, True), (CODE_LIFE_MS, False)])
def test_a_code_works_for_a_while(desk: Desk, waited_ms: int, opens: bool) -> None:
    """On both sides of its end."""
    code = desk.issue()
    desk.wait(waited_ms)

    assert (desk.redeem(code) is not None) is opens


def test_a_fresh_code_voids_the_one_before(desk: Desk) -> None:
    """There is one that works at a time."""
    first, second = desk.issue(), desk.issue()

    assert desk.redeem(first) is None
    assert desk.redeem(second) is not None


@pytest.mark.parametrize(("waited_ms", "is_open"), [(SESSION_LIFE_MS - 1, True), (SESSION_LIFE_MS, False)])
def test_a_session_ends_by_itself(desk: Desk, waited_ms: int, is_open: bool) -> None:
    """On both sides of its end."""
    token = desk.redeem(desk.issue())
    assert token is not None
    desk.wait(waited_ms)

    assert (desk.user_of(token) is not None) is is_open


def test_signing_out_ends_that_session_alone(desk: Desk) -> None:
    """And one that does not exist can be ended, to no effect."""
    one, other = desk.redeem(desk.issue()), desk.redeem(desk.issue())
    assert one is not None
    assert other is not None

    desk.end(one)
    desk.end("nobody's")

    assert desk.user_of(one) is None
    assert desk.user_of(other) == WHO


def test_there_are_so_many_sessions_and_no_more(desk: Desk) -> None:
    """The oldest makes room."""
    tokens = [desk.redeem(desk.issue()) or "" for _ in range(MOST_SESSIONS + 1)]

    assert desk.user_of(tokens[0]) is None
    assert all(desk.user_of(token) for token in tokens[1:])


def test_a_fresh_code_is_shown_on_request_but_not_in_a_flood(desk: Desk) -> None:
    """Asking again at once shows nothing and leaves the code that was shown alone."""
    desk.announce_fresh()
    desk.announce_fresh()
    assert desk.announced == ["token-1"]

    desk.wait(PAUSE_MS)
    desk.announce_fresh()

    assert desk.announced == ["token-1", "token-2"]
    assert desk.redeem("token-1") is None
    assert desk.redeem("token-2") is not None
