"""The times of a tidy file: UTC in every form, and nothing is guessed."""

from pathlib import Path

import pytest

from domain.time import HOUR_MS
from market.tidy.problems import TidyError
from market.tidy.series import read_bars
from tests.unit.market.samples import NOW, T0, bar, bars, write


@pytest.mark.parametrize(
    "ts",
    [
        T0,
        "2024-05-01T00:00:00Z",
        "2024-05-01 00:00:00+00:00",
        "2024-05-01T00:00:00.000-00:00",
        "2024-05-01T00:00+0000",
        "2024-05-01 00:00:00.000000000Z",
    ],
)
def test_an_instant_in_utc_is_read_in_any_form(tmp_path: Path, ts: object) -> None:
    """Milliseconds, or RFC 3339 with a zone that says UTC; forms may be mixed in a file."""
    rows = read_bars([write(tmp_path, bars(bar(ts=ts), bar(1)))], HOUR_MS, NOW).rows

    assert rows["ts"].tolist() == [T0, T0 + HOUR_MS]


@pytest.mark.parametrize(
    ("ts", "says"),
    [
        (T0 // 1000, "looks like seconds; ts is UTC milliseconds since 1970, so multiply by 1,000"),
        (T0 * 1000, "looks like microseconds; ts is UTC milliseconds since 1970, so divide by 1,000"),
        (T0 * 10**6, "is not an instant; write UTC milliseconds, such as 1714521600000"),
        ("-1", "is not an instant; write UTC milliseconds, such as 1714521600000"),
        ("", "is empty; fill it in or leave out the row"),
        ("yesterday", "is not an instant; write UTC milliseconds, such as 1714521600000"),
        (f"{T0}.0", "is not an instant; write UTC milliseconds, such as 1714521600000"),
        ("2024-05-01T02:00:00+02:00", "is in another time zone; write every time in UTC (1714521600000)"),
        ("2024-04-30T19:00:00-05:00", "is in another time zone; write every time in UTC (1714521600000)"),
        ("2024-05-01T00:00:00", "has no time zone; write every time in UTC (1714521600000, if that is what"),
        ("2024-05-01", "has no time zone; write every time in UTC (1714521600000, if that is what it is)"),
        ("2024-05-01T00:00:00.0001Z", "has parts of a millisecond; round it"),
        ("2024-02-30T00:00:00Z", "there is no ts 2024-02-30T00:00:00Z"),
        ("2300-01-01T00:00:00Z", "there is no ts 2300-01-01T00:00:00Z"),
        ("1600-01-01T00:00:00Z", "there is no ts 1600-01-01T00:00:00Z"),
    ],
)
def test_an_instant_that_must_be_guessed_is_refused(tmp_path: Path, ts: object, says: str) -> None:
    """Other units, other zones, no zone, no time at all: the line is named, and what it may have meant."""
    path = write(tmp_path, bars(bar(0), bar(ts=ts)))

    with pytest.raises(TidyError) as refused:
        read_bars([path], HOUR_MS, NOW)

    assert str(refused.value).startswith(f"{path}:3: ")
    assert says in str(refused.value)


def test_a_file_of_two_time_zones_is_refused_at_the_first_that_is_not_utc(tmp_path: Path) -> None:
    """As a daylight saving change leaves them behind."""
    path = write(
        tmp_path,
        bars(
            bar(ts="2024-05-01T00:00:00Z"), bar(ts="2024-05-01T03:00:00+02:00"), bar(ts="2024-05-01T02:00Z")
        ),
    )

    with pytest.raises(TidyError, match=r":3: ts '2024-05-01T03:00:00\+02:00' is in another time zone"):
        read_bars([path], HOUR_MS, NOW)
