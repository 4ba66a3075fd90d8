"""Time is UTC in whole milliseconds, and is handed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.time import (
    DAY_MS,
    HOUR_MS,
    INTERVALS_MS,
    MINUTE_MS,
    ManualClock,
    SystemClock,
    ceil_to,
    floor_to,
    format_duration,
    format_interval,
    iso,
    minute,
    parse_duration,
    parse_interval,
    parse_ts,
    to_datetime,
    to_ms,
)

INSTANTS = st.integers(parse_ts("1970-01-01"), parse_ts("2200-01-01"))


@pytest.mark.parametrize("name", INTERVALS_MS)
def test_an_interval_is_read_and_named(name: str) -> None:
    """Each of them divides a day, so that bars never straddle midnight."""
    assert format_interval(parse_interval(name)) == name
    assert DAY_MS % parse_interval(name) == 0


@pytest.mark.parametrize("text", ["1w", "7m", "60m", "", "1H", " 1h"])
def test_an_interval_that_does_not_exist_is_refused_with_those_that_do(text: str) -> None:
    """Found and expected are in the message."""
    with pytest.raises(ValueError, match=f"'{text}' is not a bar interval; use one of 1m, 3m, 5m"):
        parse_interval(text)


def test_an_interval_without_a_name_is_written_as_a_duration() -> None:
    """90 minutes is no interval of the venue."""
    assert format_interval(90 * MINUTE_MS) == "90m"


@pytest.mark.parametrize(
    ("text", "ms"), [("90s", 90_000), ("15m", 900_000), ("4h", 4 * HOUR_MS), ("7d", 7 * DAY_MS)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, ms: int) -> None:
    """Seconds, minutes, hours, days."""
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["0m", "-5m", "1.5h", "5", "m", "1h30m", "5 m", "05m", "1000000d"])
def test_anything_else_is_no_duration(text: str) -> None:
    """And the message shows the form."""
    with pytest.raises(
        ValueError, match="is not a duration; write a whole number and s, m, h or d, such as 30m"
    ):
        parse_duration(text)


@given(st.integers(1, 999_999), st.sampled_from("smhd"))
def test_a_duration_is_written_so_that_it_reads_back(count: int, unit: str) -> None:
    """In its largest whole unit, which never takes more digits than it had."""
    ms = parse_duration(f"{count}{unit}")

    text = format_duration(ms)

    assert parse_duration(text) == ms
    assert len(text) <= len(f"{count}{unit}")


@pytest.mark.parametrize(
    ("ms", "text"), [(5_400_000, "90m"), (1_500, "1500ms"), (0, "0ms"), (DAY_MS, "1d"), (25 * HOUR_MS, "25h")]
)
def test_the_largest_whole_unit_is_taken(ms: int, text: str) -> None:
    """Milliseconds only where there is no other way."""
    assert format_duration(ms) == text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-01-31", 1738281600000),
        ("2025-01-31T16:00:00Z", 1738339200000),
        ("2025-01-31T16:00:00", 1738339200000),
        ("2025-01-31T17:00:00+01:00", 1738339200000),
        ("2025-01-31T16:00:00.250Z", 1738339200250),
        ("1738339200000", 1738339200000),
    ],
)
def test_an_instant_is_read_in_each_of_its_forms(text: str, ms: int) -> None:
    """A day is its first instant; without a zone it is UTC."""
    assert parse_ts(text) == ms


@pytest.mark.parametrize("text", ["yesterday", "2025-02-30", "31.01.2025", "", "1738339200"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    """With what was found, and how to write one; seconds since the epoch are not guessed at."""
    with pytest.raises(ValueError, match=f"'{text}' is not a time; write 2025-01-31 or"):
        parse_ts(text)


@given(INSTANTS)
def test_an_instant_goes_through_text_and_datetime_unchanged(ts: int) -> None:
    """Written, read, converted: the same millisecond."""
    assert parse_ts(iso(ts)) == ts
    assert to_ms(to_datetime(ts)) == ts
    assert iso(ts).endswith("Z")
    assert ("." in iso(ts)) is (ts % 1000 != 0)


@given(INSTANTS, st.sampled_from(list(INTERVALS_MS.values())))
def test_an_instant_lies_between_its_floor_and_its_ceiling(ts: int, step: int) -> None:
    """Both on the grid, less than a step away, the same where it lies on the grid itself."""
    low, high = floor_to(ts, step), ceil_to(ts, step)

    assert low % step == high % step == 0
    assert low <= ts <= high
    assert high - low == (0 if ts % step == 0 else step)


def test_a_manual_clock_moves_forwards_alone() -> None:
    """It stands until told, may be told the same time twice, and never runs back."""
    clock = ManualClock(5)
    clock.move_to(5)
    clock.move_to(9)

    with pytest.raises(ValueError, match=r"a clock can't run backwards: at 1970-01-01T00:00:00.009Z"):
        clock.move_to(8)
    assert clock.now_ms() == 9


def test_the_system_clock_tells_epoch_milliseconds() -> None:
    """It is after the day this was written, and in milliseconds rather than seconds."""
    assert SystemClock().now_ms() > parse_ts("2025-01-01")


def test_a_minute_is_written_without_its_seconds() -> None:
    """In UTC, as tables of numbers do."""
    assert minute(parse_ts("2025-01-31T16:05:59Z")) == "2025-01-31 16:05"
