"""What is written in a file is what is read back, to the last digit, or it is refused."""

import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import Bars
from domain.money import exact
from domain.time import HOUR_MS
from market.tidy.problems import TidyError
from market.tidy.series import Series, read_bars, read_funding
from tests.unit.market.samples import BARS_HEAD, FUNDING_HEAD, NOW, T0, bar, bars, write

unhurried = settings(max_examples=50, deadline=None)

amounts = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False)
prices = st.integers(1, 10**9).flatmap(
    lambda units: st.integers(0, 6).map(lambda places: Decimal(units).scaleb(-places))
)
rates = st.decimals(min_value="-0.999", max_value="0.999", places=10, allow_nan=False)


@st.composite
def candles(draw: st.DrawFn) -> dict[str, Decimal]:
    """A bar that can have been, in decimals."""
    low, *middle, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    first, last = draw(st.permutations(middle))
    return {"open": first, "high": high, "low": low, "close": last, "volume": draw(amounts)}


def read_text(text: str, name: str = "BTC.csv") -> Series:
    """The bars of a file with this text."""
    with TemporaryDirectory() as folder:
        return read_bars([write(Path(folder), text, name)], HOUR_MS, NOW)


def read_or_refusal(text: str, name: str = "BTC.csv") -> Series | str:
    """The bars of a file with this text, or why it is refused."""
    try:
        return read_text(text, name)
    except TidyError as refused:
        return str(refused)


def in_decimals(series: Series) -> list[dict[str, Decimal]]:
    """The values as the product reads them: the shortest text of each float."""
    names = BARS_HEAD.split(",")[1:]
    return [{name: exact(float(row[name])) for name in names} for row in series.rows]


@unhurried
@given(rows=st.lists(candles(), min_size=1, max_size=8), name=st.sampled_from(["BTC.csv", "BTC.csv.gz"]))
def test_text_goes_in_and_the_same_numbers_come_out(rows: list[dict[str, Decimal]], name: str) -> None:
    """Of CSV, each value is read back as the number that was written."""
    text = bars(*(bar(hour, **row) for hour, row in enumerate(rows)))

    assert in_decimals(read_text(text, name)) == rows


@unhurried
@given(rows=st.lists(candles(), min_size=1, max_size=8))
def test_json_goes_in_and_the_same_numbers_come_out(rows: list[dict[str, Decimal]]) -> None:
    """Of JSON lines, too: numbers are never parsed as anything but their own text."""
    lines = (
        ", ".join([f'"ts": {T0 + hour * HOUR_MS}', *(f'"{name}": {value}' for name, value in row.items())])
        for hour, row in enumerate(rows)
    )
    text = "".join(f"{{{line}}}\n" for line in lines)

    assert in_decimals(read_text(text, "BTC.jsonl")) == rows


@unhurried
@given(rows=st.lists(candles(), min_size=1, max_size=8))
def test_parquet_decimals_go_in_and_the_same_numbers_come_out(rows: list[dict[str, Decimal]]) -> None:
    """Of Parquet's decimals, each value is read back as the number that was written."""
    columns = {name: pa.array([row[name] for row in rows], pa.decimal128(24, 6)) for name in rows[0]}
    table = pa.table({"ts": [T0 + hour * HOUR_MS for hour in range(len(rows))], **columns})
    with TemporaryDirectory() as folder:
        parquet.write_table(table, f"{folder}/BTC.parquet")
        series = read_bars([Path(folder, "BTC.parquet")], HOUR_MS, NOW)

    assert in_decimals(series) == rows


@unhurried
@given(rows=st.lists(candles(), min_size=1, max_size=8))
def test_what_was_read_fits_whole_ticks(rows: list[dict[str, Decimal]]) -> None:
    """No file is taken that a run could not hold exactly."""
    series = read_text(bars(*(bar(hour, **row) for hour, row in enumerate(rows)))).rows

    columns = tuple(series[name] for name in ("open", "high", "low", "close"))
    made = Bars.from_floats("BTC", HOUR_MS, series["ts"], columns, series["volume"])
    assert [made.bar(n).close for n in range(len(made))] == [row["close"] for row in rows]


@unhurried
@given(digits=st.text("0123456789", min_size=1, max_size=25), places=st.integers(0, 25))
def test_a_number_is_kept_exactly_or_refused(digits: str, places: int) -> None:
    """However many digits there are, none is dropped without a word."""
    written = f"{digits[: -places or None] or '0'}.{digits[-places:] or '0'}" if places else digits
    read = read_or_refusal(bars(bar(volume=written)))

    if isinstance(read, str):
        assert "has more digits than can be kept" in read
        assert len(written) > 15
    else:
        assert Decimal(repr(float(read.rows["volume"][0]))) == Decimal(written)


@unhurried
@given(values=st.lists(rates, min_size=1, max_size=8))
def test_rates_go_in_and_come_out(values: list[Decimal]) -> None:
    """Funding rates are small and have many decimals; each is kept."""
    text = "".join(f"{T0 + n * HOUR_MS},{rate}\n" for n, rate in enumerate(values))
    with TemporaryDirectory() as folder:
        rows = read_funding([write(Path(folder), f"{FUNDING_HEAD}\n{text}")], NOW).rows

    assert [exact(float(rate)) for rate in rows["rate"]] == values


@unhurried
@given(text=st.text(max_size=8))
def test_any_text_in_place_of_a_number_is_one_line(text: str) -> None:
    """Whatever stands there, it is a number or it is refused in a line; nothing else ever comes out."""
    line = json.dumps({"ts": T0, "open": 10, "high": 12, "low": 9, "close": 11, "volume": text})
    read = read_or_refusal(line + "\n", "BTC.jsonl")

    if isinstance(read, str):
        assert "\n" not in read
    else:
        assert float(read.rows["volume"][0]) == float(text)


def test_a_large_price_is_not_taken_for_one_of_many_decimals() -> None:
    """Its last decimals are beyond what a float can show, and that is no reason to refuse it."""
    read = read_text(bars(bar(open=36893489, high=60400400.25, low=36893489, close=60000000.3)))

    assert in_decimals(read)[0]["close"] == Decimal("60000000.3")


def test_a_negative_zero_is_zero() -> None:
    """It is what some spreadsheets write for nothing, and must not look like a revision of it."""
    assert str(read_text(bars(bar(volume="-0.0"))).rows["volume"][0]) == "0.0"
