"""What the rows of a tidy file must be, and what is said of one that isn't."""

from pathlib import Path

import pytest

from domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from market.tidy.problems import TidyError
from market.tidy.series import Gap, Gaps, read_bars, read_funding, read_marks
from tests.unit.market.samples import FUNDING_HEAD, MARK_HEAD, NOW, T0, bar, bars, write

GRID_SAYS = "is not the open of a 1h bar"


def refusal(path: Path, *, now_ms: int | None = NOW) -> str:
    """Why a file of hourly bars is refused, without the folder it lies in."""
    with pytest.raises(TidyError) as refused:
        read_bars([path], HOUR_MS, now_ms)
    return str(refused.value).replace(f"{path.parent}/", "")


def test_good_rows_are_read_as_they_are_written(tmp_path: Path) -> None:
    """Instants and values come out in order and unchanged, and there is no gap."""
    series = read_bars([write(tmp_path, bars(bar(0), bar(1, close="11.5"), bar(2, volume=0)))], HOUR_MS, NOW)

    assert series.rows.tolist() == [
        (T0, 10.0, 12.0, 9.0, 11.0, 5.0),
        (T0 + HOUR_MS, 10.0, 12.0, 9.0, 11.5, 5.0),
        (T0 + 2 * HOUR_MS, 10.0, 12.0, 9.0, 11.0, 0.0),
    ]
    assert series.gaps == Gaps()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([bar(1), bar(0)], ":3: ts 1714521600000 comes after the later 1714525200000; sort the file by ts"),
        ([bar(0), bar(0)], ":3: ts 1714521600000 (2024-05-01T00:00:00Z) is there twice; leave one out"),
        ([bar(0), bar(1, close="NaN")], ":3: close is NaN; every value must be a finite number"),
        ([bar(0, high="inf")], ":2: high is inf; every value must be a finite number"),
        ([bar(0, low=-1)], ":2: low -1 must be above 0"),
        ([bar(0, open=0, low=0)], ":2: open 0 must be above 0"),
        ([bar(0, volume=-1)], ":2: volume -1 must be 0 or more; mend the row or leave it out"),
        ([bar(0, high=8)], ":2: high 8 is below low 9; mend the row or leave it out"),
        ([bar(0, open=13)], ":2: open 13 is outside low 9 to high 12; mend the row or leave it out"),
        ([bar(0, close="8.5")], ":2: close 8.5 is outside low 9 to high 12; mend the row or leave it out"),
        ([bar(0, close="")], ":2: close is empty; fill it in or leave out the row"),
        ([bar(0, open="abc")], ":2: open 'abc' is not a number; write it like 60400.5"),
        ([bar(0, open='"10,5"')], ":2: open '10,5' is not a number; write it like 60400.5"),
        ([bar(0, open="0x10")], ":2: open '0x10' is not a number; write it like 60400.5"),
        ([bar(0, open="1_0")], ":2: open '1_0' is not a number; write it like 60400.5"),
        ([bar(0, open=" 10")], ":2: open ' 10' is not a number; write it like 60400.5"),
        ([bar(0, open="10.1234567890123")], ":2: open 10.1234567890123 has more than 12 decimals; round it"),
        (
            [bar(0, open="10.12345678901234567")],
            ":2: open 10.12345678901234567 has more digits than can be kept; round it to 15",
        ),
        (
            [bar(0, low="0.000000000001"), bar(1, high=99999)],
            ": BTC_1h.csv has prices with more than 12 decimals or 15 digits; they can't be kept exactly;"
            " round them",
        ),
        ([bar(0), bar(ts=T0 + HOUR_MS + 1)], f":3: ts 1714525200001 (2024-05-01T01:00:00.001Z) {GRID_SAYS}"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_what_to_do(tmp_path: Path, lines: list[str], says: str) -> None:
    """One line: where, what was found, what was expected."""
    assert refusal(write(tmp_path, bars(*lines))) == f"BTC_1h.csv{says}".replace("csv: BTC_1h.csv", "csv")


def test_the_first_of_several_bad_rows_is_told_and_the_others_are_counted(tmp_path: Path) -> None:
    """Three bad rows, one of them bad twice, are one line with the first of them."""
    path = write(
        tmp_path, bars(bar(0), bar(1, low=-1, volume=-1), bar(2), bar(3, close="NaN"), bar(4, high=1))
    )

    assert refusal(path) == "BTC_1h.csv:3: low -1 must be above 0 (and 2 more bad rows)"


def test_bars_of_a_shorter_interval_are_told_by_their_name(tmp_path: Path) -> None:
    """Minute bars given as hours are refused, and said to be of minutes."""
    path = write(tmp_path, bars(*(bar(ts=T0 + n * MINUTE_MS) for n in range(5))))

    assert refusal(path) == (
        f"BTC_1h.csv:3: ts 1714521660000 (2024-05-01T00:01:00Z) {GRID_SAYS};"
        " the file seems to have 1m bars (and 3 more bad rows)"
    )


def test_bars_of_a_longer_interval_are_no_series_full_of_gaps(tmp_path: Path) -> None:
    """Daily bars lie on the hours' grid, and are refused all the same."""
    path = write(tmp_path, bars(*(bar(ts=T0 + n * DAY_MS) for n in range(5))))

    assert refusal(path) == (
        "BTC_1h.csv: no two rows are 1h apart; the file seems to have 1d bars, so give --interval 1d"
    )


def test_a_bar_that_is_not_over_is_no_bar(tmp_path: Path) -> None:
    """The bar that closes just now is taken; the one that has just opened is not, unless it is made up."""
    over = bar(ts=NOW - HOUR_MS)
    path = write(tmp_path, bars(over, bar(ts=NOW)))

    assert len(read_bars([write(tmp_path, bars(over), "over.csv")], HOUR_MS, NOW).rows) == 1
    assert refusal(path).startswith("BTC_1h.csv:3: ts 1767225600000 (2026-01-01T00:00:00Z) is not over yet")
    assert len(read_bars([path], HOUR_MS, None).rows) == 2


def test_gaps_are_told_and_not_filled(tmp_path: Path) -> None:
    """How many there are, what they lack, the first and the longest; nothing is put in their place."""
    series = read_bars([write(tmp_path, bars(*map(bar, (0, 1, 3, 4, 9, 10, 11))))], HOUR_MS, NOW)

    assert len(series.rows) == 7
    assert series.gaps == Gaps(
        count=2, missing=5, first=Gap(T0 + 2 * HOUR_MS, 1), longest=Gap(T0 + 5 * HOUR_MS, 4)
    )


def test_several_files_are_one_series(tmp_path: Path) -> None:
    """They are put in order whatever the order they are given in; what they have in common is kept once."""
    early = write(tmp_path, bars(bar(0), bar(1), bar(2)), "early.csv")
    late = write(tmp_path, bars(bar(2), bar(3)), "late.csv")

    rows = read_bars([late, early], HOUR_MS, NOW).rows

    assert rows["ts"].tolist() == [T0 + n * HOUR_MS for n in range(4)]


def test_files_that_contradict_each_other_are_refused_with_both_places(tmp_path: Path) -> None:
    """Nobody guesses which of two files is right."""
    one = write(tmp_path, bars(bar(0), bar(1)), "one.csv")
    other = write(tmp_path, bars(bar(1, close=12), bar(2)), "other.csv")

    with pytest.raises(TidyError) as refused:
        read_bars([one, other], HOUR_MS, NOW)

    assert str(refused.value).replace(f"{tmp_path}/", "") == (
        "other.csv:2: close at 2024-05-01T01:00:00Z is 12.0, but 11.0 in one.csv:3; leave one file out"
    )


def test_no_file_is_refused() -> None:
    """There must be something to read."""
    with pytest.raises(TidyError, match="no file was given"):
        read_bars([], HOUR_MS, NOW)


def test_marks_have_no_volume(tmp_path: Path) -> None:
    """They are bars otherwise, and a volume among them is one column too many."""
    path = write(tmp_path, f"{MARK_HEAD}\n{T0},10,12,9,11\n")

    assert read_marks([path], HOUR_MS, NOW).rows.tolist() == [(T0, 10.0, 12.0, 9.0, 11.0)]
    with pytest.raises(TidyError, match="has no use for volume"):
        read_marks([write(tmp_path, bars(bar(0)))], HOUR_MS, NOW)


def test_a_rate_is_settled_in_its_hour_however_late_it_was_charged(tmp_path: Path) -> None:
    """The stamp is kept as it came, and beside it the hour."""
    path = write(tmp_path, f"{FUNDING_HEAD}\n{T0 + 37},0.0001\n{T0 + HOUR_MS},-0.02\n")

    assert read_funding([path], NOW).rows.tolist() == [
        (T0, T0 + 37, 0.0001),
        (T0 + HOUR_MS, T0 + HOUR_MS, -0.02),
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (f"{T0},1.5", ":2: rate 1.5 must be between -1 and 1: a fraction, not a percentage"),
        (
            f"{T0},0.0001\n{T0 + 5},0.0002",
            ":3: rate 0.0002 is the second of the hour 2024-05-01T00:00:00Z, after 0.0001; leave one out",
        ),
        (f"{T0 + HOUR_MS},0.1\n{T0},0.1", f":3: ts {T0} comes after the later {T0 + HOUR_MS}; sort"),
        (f"{NOW + 1},0.1", f":2: ts {NOW + 1} (2026-01-01T00:00:00.001Z) is not over yet"),
    ],
)
def test_a_bad_rate_is_named_with_its_line(tmp_path: Path, lines: str, says: str) -> None:
    """Funding is judged like bars, and a rate once an hour."""
    path = write(tmp_path, f"{FUNDING_HEAD}\n{lines}\n")

    with pytest.raises(TidyError) as refused:
        read_funding([path], NOW)

    assert str(refused.value).startswith(f"{path}{says}")


def test_the_same_rate_said_twice_in_an_hour_is_one_rate(tmp_path: Path) -> None:
    """Some venues stamp a settlement twice, some ms apart; it is kept once, with its first stamp."""
    path = write(tmp_path, f"{FUNDING_HEAD}\n{T0},0.0001\n{T0 + 5},0.0001\n")

    assert read_funding([path], NOW).rows.tolist() == [(T0, T0, 0.0001)]
