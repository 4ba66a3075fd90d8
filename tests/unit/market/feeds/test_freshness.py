"""Which prices are fresh: by the feed's own time, whatever clocks are set to, and each change told once."""

from hypothesis import given
from hypothesis import strategies as st

from market.feeds.freshness import FRESH_MS, FRESH_S, Freshness, Silence, SymbolHealth

T0 = 1_735_689_600_000
HOUR_MS = 3_600_000


def watching(*symbols: str) -> Freshness:
    """A connected feed that began at 0 s."""
    watch = Freshness(symbols or ("BTC",), 0.0)
    watch.connected()
    return watch


def test_a_mark_is_fresh_for_fifteen_seconds() -> None:
    """Not before the first one, and not a millisecond longer."""
    watch = watching()
    assert not watch.is_fresh("BTC", 0.0)

    watch.marked("BTC", T0, 1.0)
    assert [watch.is_fresh("BTC", at) for at in (1.0, 16.0, 16.001)] == [True, True, False]
    assert watch.health(16.5).symbols == {"BTC": SymbolHealth(False, T0, 15_500)}
    assert watch.health(16.5).stale == ("BTC",)


def test_nothing_is_fresh_while_the_connection_is_down() -> None:
    """However young the mark is; the reason is told."""
    watch = watching()
    watch.marked("BTC", T0, 1.0)

    watch.lost("the venue closed the connection")
    assert not watch.is_fresh("BTC", 1.0)
    assert watch.health(1.0).problem == "the venue closed the connection"
    watch.connected()
    assert watch.is_fresh("BTC", 1.0)
    assert watch.health(1.0).problem == ""


def test_a_silence_is_told_when_it_begins_and_when_it_ends_and_not_in_between() -> None:
    """With the last mark before it, and how long it lasted."""
    watch = watching("BTC", "ETH")
    for second in range(60):
        watch.marked("BTC", T0 + second * 1000, float(second))
        if not 10 <= second < 40:
            watch.marked("ETH", T0 + second * 1000, float(second))
        told = watch.look(float(second))
        if second == 25:
            assert told == [Silence("ETH", T0 + 9_000)]
        elif second == 40:
            assert told == [Silence("ETH", T0 + 9_000, is_over=True, lasted_s=31.0)]
        else:
            assert told == []


def test_before_the_first_mark_there_is_silence_only_when_one_is_overdue() -> None:
    """A feed that has just begun is no news."""
    watch = watching()
    assert [watch.look(at) for at in (0.0, 15.0, 15.5, 16.0)] == [[], [], [Silence("BTC", None)], []]


def test_one_symbol_that_lags_behind_the_others_is_stale() -> None:
    """Its marks come, but they are of long ago by the feed's clock: as after a reconnection that shows old ones."""
    watch = watching("BTC", "ETH")
    watch.marked("BTC", T0 + 60_000, 1.0)
    watch.marked("ETH", T0, 1.0)

    assert watch.is_fresh("BTC", 1.0)
    assert not watch.is_fresh("ETH", 1.0)
    assert watch.health(1.0).symbols["ETH"].age_ms == 60_000


def test_an_old_mark_after_silence_is_not_fresh() -> None:
    """The feed's clock went on while nothing was heard, so what comes first may be too old."""
    watch = watching()
    watch.marked("BTC", T0, 0.0)
    watch.marked("BTC", T0 + 1_000, 60.0)
    assert not watch.is_fresh("BTC", 60.0)
    watch.marked("BTC", T0 + 60_000, 60.1)
    assert watch.is_fresh("BTC", 60.1)


def test_a_late_old_mark_does_not_make_a_symbol_stale() -> None:
    """What is known of it already is newer."""
    watch = watching()
    watch.marked("BTC", T0 + 60_000, 1.0)
    watch.marked("BTC", T0, 2.0)
    assert watch.is_fresh("BTC", 2.0)


def test_what_comes_later_and_later_is_stale() -> None:
    """As to a program that can't keep up: marks come all the time, and each is older than the one before it."""
    watch = watching()
    fresh = []
    for second in range(100):
        watch.marked("BTC", T0 + second * 1000, second * 1.5)
        fresh.append(watch.is_fresh("BTC", second * 1.5))
    assert fresh == [True] * 31 + [False] * 69


def test_a_clock_that_goes_a_little_slower_than_ours_makes_nothing_stale() -> None:
    """In a year it is behind by half an hour."""
    watch = watching()
    for hour in range(365 * 24):
        watch.marked("BTC", T0 + round(hour * HOUR_MS * (1 - 6e-5)), hour * 3600.0)
        assert watch.is_fresh("BTC", hour * 3600.0)


def test_a_feed_whose_clock_was_wrong_is_right_again_when_it_is_connected_anew() -> None:
    """One instant from far ahead makes everything else look old until then."""
    watch = watching("BTC", "ETH")
    watch.marked("BTC", T0 + 10 * HOUR_MS, 0.0)
    watch.marked("BTC", T0 + 1_000, 1.0)
    watch.marked("ETH", T0 + 1_000, 1.0)
    assert watch.health(1.0).stale == ("ETH",)

    watch.lost("everything is stale")
    watch.connected()
    watch.marked("ETH", T0 + 2_000, 2.0)
    assert watch.health(2.0).stale == ()
    assert watch.health(16.0).stale == ("BTC",)  # not heard of for longer


STEPS = st.lists(
    st.tuples(st.sampled_from(["BTC", "ETH"]), st.integers(0, 20_000), st.integers(0, 3_000), st.booleans()),
    max_size=60,
)


@given(STEPS)
def test_marks_of_a_steady_feed_are_as_old_as_they_are(steps: list[tuple[str, int, int, bool]]) -> None:
    """With any pauses, and delays on the way: what is fresh is never older than that, and silences come in pairs."""
    watch, now_ms, silent = watching("BTC", "ETH"), 0, set()
    newest: dict[str, int] = {}
    for symbol, pause_ms, delay_ms, is_mark in steps:
        now_ms += pause_ms
        if is_mark:
            watch.marked(symbol, T0 + now_ms - delay_ms, now_ms / 1000)
            newest[symbol] = max(newest.get(symbol, 0), T0 + now_ms - delay_ms)
        for one, ts in newest.items():
            age_ms = T0 + now_ms - ts
            if watch.is_fresh(one, now_ms / 1000):
                assert age_ms <= FRESH_MS + 3_000  # the delay can't be told from a clock that lags
            else:
                assert age_ms > FRESH_MS
        for silence in watch.look(now_ms / 1000):
            assert (silence.symbol in silent) == silence.is_over
            assert silence.lasted_s >= 0
            silent ^= {silence.symbol}
    assert FRESH_S * 1000 == FRESH_MS
