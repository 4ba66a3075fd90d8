"""The forms a tidy file may have, and the many that it may not."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from domain.time import HOUR_MS
from market.tidy import files, series
from market.tidy.problems import TidyError
from market.tidy.series import read_bars
from tests.unit.market.samples import BARS_HEAD, NOW, T0, bar, bars, jsonl, write

GOOD = bars(bar(0), bar(1), bar(2))
GOOD_ROWS = [(T0 + n * HOUR_MS, 10.0, 12.0, 9.0, 11.0, 5.0) for n in range(3)]
LONG = bars(*map(bar, range(5000)))
COLUMNS = BARS_HEAD.split(",")


def read(path: Path) -> list[tuple[object, ...]]:
    """The rows of a file of hourly bars."""
    rows: list[tuple[object, ...]] = read_bars([path], HOUR_MS, NOW).rows.tolist()
    return rows


def refusal(path: Path) -> str:
    """Why a file is refused, without the folder it lies in."""
    with pytest.raises(TidyError) as refused:
        read(path)
    assert "\n" not in str(refused.value)
    return str(refused.value).replace(f"{path.parent}/", "")


def table(**replaced: pa.Array) -> pa.Table:
    """The good rows as an Arrow table, with some columns replaced."""
    columns = {name: [row[n] for row in GOOD_ROWS] for n, name in enumerate(COLUMNS)}
    return pa.table({**columns, **replaced})


def as_objects() -> list[dict[str, object]]:
    """The good rows as JSON objects."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in GOOD_ROWS]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\n\n"),
        bars(*(f'"{T0 + n * HOUR_MS}","10","12","9","11","5"' for n in range(3))),
        "volume,close,low,high,open,ts\n" + "".join(f"5,11,9,12,10,{T0 + n * HOUR_MS}\n" for n in range(3)),
        bars(*(bar(n, open="+1e1", high="12.", low="9.000") for n in range(3))),
        jsonl(*as_objects()),
        "\n" + jsonl(*as_objects()).replace("\n", "\n  \n"),
        jsonl(*({name: str(value) for name, value in row.items()} for row in as_objects())),
    ],
)
@pytest.mark.parametrize("name", ["BTC.data", "BTC.data.gz"])
def test_a_form_is_told_by_what_is_in_the_file(tmp_path: Path, text: str, name: str) -> None:
    """Line ends, a byte order mark, quotes, the order of columns, gzip: all are the same rows."""
    assert read(write(tmp_path, text, name)) == GOOD_ROWS


def test_a_gzip_file_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    """Files that were put one behind the other are one file."""
    path = tmp_path / "BTC.csv.gz"
    path.write_bytes(gzip.compress(bars(bar(0)).encode()) + gzip.compress(f"{bar(1)}\n{bar(2)}\n".encode()))

    assert read(path) == GOOD_ROWS


@pytest.mark.parametrize(
    "replaced",
    [
        {},
        {"ts": pa.array([row[0] for row in GOOD_ROWS], pa.timestamp("ms", tz="UTC"))},
        {
            "ts": pa.array([row[0] for row in GOOD_ROWS], pa.timestamp("ms")).cast(
                pa.timestamp("ns", "Etc/UTC")
            )
        },
        {"ts": pa.array([str(row[0]) for row in GOOD_ROWS])},
        {"open": pa.array(["10.00"] * 3).cast(pa.decimal128(12, 2))},
        {"open": pa.array(["10"] * 3, pa.large_string()), "volume": pa.array([5] * 3, pa.int32())},
    ],
)
def test_parquet_is_read_in_any_exact_type(tmp_path: Path, replaced: dict[str, pa.Array]) -> None:
    """Doubles, decimals, integers and texts of numbers; instants in ms or as UTC timestamps."""
    parquet.write_table(table(**replaced), tmp_path / "BTC.parquet")

    assert read(tmp_path / "BTC.parquet") == GOOD_ROWS


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        (
            {"open": pa.array([10.0] * 3, pa.float32())},
            ": column open is float; it must be double, decimal or text",
        ),
        ({"ts": pa.array([1.0, 2.0, 3.0])}, ": column ts is double; it must hold UTC milliseconds or UTC"),
        (
            {"ts": pa.array([0, 1, 2], pa.timestamp("ms"))},
            ": column ts is without a time zone; convert it to UTC",
        ),
        (
            {"ts": pa.array([0, 1, 2], pa.timestamp("ms", tz="Europe/Berlin"))},
            ": column ts is in time zone Europe/Berlin; convert it to UTC",
        ),
        (
            {"ts": pa.array([T0 * 1_000_000 + 1, 1, 2], pa.timestamp("ns", tz="UTC"))},
            f" row 1: ts {T0 * 1_000_000 + 1} has parts of a millisecond; round it",
        ),
        ({"ts": pa.array([-1, T0, T0 + HOUR_MS])}, " row 1: ts -1 is before 1970"),
        ({"ts": pa.array([T0, None, T0 + HOUR_MS])}, " row 2: ts is empty; fill it in or leave out the row"),
        ({"open": pa.array([10.0, None, 10.0])}, " row 2: open is empty; fill it in or leave out the row"),
        ({"open": pa.array([10.0, 10.0, float("nan")])}, " row 3: open is nan; every value must be a finite"),
        ({"volume": pa.array([5, 2**60, 5])}, f" row 2: volume {2**60} is too large to be kept exactly"),
        ({"trades": pa.array([1, 1, 1])}, ": the file has no use for trades; its columns must be ts,open,"),
    ],
)
def test_parquet_that_is_not_exact_or_not_in_utc_is_refused(
    tmp_path: Path, replaced: dict[str, pa.Array], says: str
) -> None:
    """A row is named by its number, since there are no lines."""
    parquet.write_table(table(**replaced), tmp_path / "BTC.parquet")

    assert refusal(tmp_path / "BTC.parquet").startswith(f"BTC.parquet{says}")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", " is empty"),
        (b"\n \n", " is empty"),
        (BARS_HEAD, " has no rows"),
        (f"{BARS_HEAD}\n", " has no rows"),
        (f"{bar(0)}\n", f":1: there is no header line; put {BARS_HEAD} before the first row"),
        (
            "2024-05-01T00:00:00Z,1,1,1,1,1\n",
            f":1: there is no header line; put {BARS_HEAD} before the first row",
        ),
        (
            GOOD.replace(",volume", ""),
            f":1: the file is missing volume; its columns must be {BARS_HEAD}",
        ),
        (
            GOOD.replace(",volume", ",volume,trades"),
            f":1: the file has no use for trades; its columns must be {BARS_HEAD}",
        ),
        (
            GOOD.replace(",volume", ",close"),
            ":1: the file is missing volume and has twice close; its columns must be",
        ),
        (
            GOOD.replace("close", "Close "),
            f":1: write the columns in small letters, without spaces: {BARS_HEAD}",
        ),
        (
            "x" * 100_000 + "\n",
            f":1: the file is missing {', '.join(COLUMNS)} and has no use for {'x' * 40}…;",
        ),
        (GOOD.replace(",", ";"), f":1: columns must be separated by commas: {BARS_HEAD}"),
        (GOOD.replace(",", "\t"), f":1: columns must be separated by commas: {BARS_HEAD}"),
        (bars(bar(0), "1,2"), ":3: found 2 values, expected 6"),
        (bars(bar(0), f"{bar(1)},1"), ":3: found 7 values, expected 6"),
        (bars(bar(0), "", bar(1), bar(2, high=1)), ":5: high 1 is below low 9; mend the row or leave it out"),
        (bars(bar(0, open="1" * 100)), ":2: open 1111111111"),
        (GOOD.replace("\n", "\r"), ": its lines end in CR alone; save it with LF or CRLF at their ends"),
        (GOOD.encode("utf-16"), ":1: this is not UTF-8 text; save the file as UTF-8"),
        (bars(bar(0)).encode() + b"\xe4,1", ":3: byte 0xe4 is not UTF-8 text; save the file as UTF-8"),
        (b"PK\x03\x04....", " is a zip archive; give CSV, CSV.gz, JSONL or Parquet"),
        (b"<!DOCTYPE html><p>404", " is HTML or XML; give CSV, CSV.gz, JSONL or Parquet"),
        ('[{"ts": 1}]', " is a JSON array, not an object a line; give CSV, CSV.gz, JSONL or Parquet"),
        (b"PAR1 but no more", " is a damaged Parquet file ("),
    ],
)
def test_what_is_no_tidy_file_is_said_in_one_line(tmp_path: Path, data: str | bytes, says: str) -> None:
    """Wrong columns, separators, encodings, forms: each has its own line."""
    found = refusal(write(tmp_path, data, "BTC.csv"))

    assert found.startswith(f"BTC.csv{says}")
    assert len(found) < 250


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ['{"ts": 1,', "}"],
            ":1: this is not one JSON object on a line (Input data was truncated)",
        ),
        (['{"ts": 1, "open": NaN}'], ":1: this is not one JSON object on a line (JSON is malformed"),
        (['{"ts": 1}'], ":1: the file is missing open, high, low, close, volume; its columns must be"),
        (["{}", "[1]"], ":1: the file is missing ts, open, high, low, close, volume; its columns"),
        ([jsonl(as_objects()[0]).strip(), " ", "[1]"], ":3: expected object, got array"),
        ([jsonl(as_objects()[0] | {"open": None})], ":1: open 'null' is not a number; write it like 60400.5"),
        ([jsonl(as_objects()[0] | {"open": [1]})], ":1: open '[1]' is not a number; write it like 60400.5"),
        ([" ", jsonl(as_objects()[0] | {"high": 1})], ":2: high 1 is below low 9; mend the row or leave"),
        (['{"ts": ' + "[" * 100_000], ":1: this is not one JSON object on a line ("),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, lines: list[str], says: str) -> None:
    """Every line is one object with exactly the columns."""
    found = refusal(write(tmp_path, "\n".join(lines) + "\n", "BTC.jsonl")).replace("Expected", "expected")

    assert found.startswith(f"BTC.jsonl{says}")


def test_json_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """Bytes of another encoding are refused before they are taken for numbers."""
    data = jsonl(as_objects()[0]).replace("10.0", '"?"').encode().replace(b"?", b"\xe4")

    assert refusal(write(tmp_path, data, "BTC.jsonl")) == (
        "BTC.jsonl:1: this is not UTF-8 text; save the file as UTF-8"
    )


def damaged(data: bytes, at: int) -> bytes:
    """The data with one byte turned over."""
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(LONG.encode())[:-100],
        gzip.compress(GOOD.encode())[:-5],
        gzip.compress(GOOD.encode())[:5],
        damaged(gzip.compress(LONG.encode()), 300),
        gzip.compress(GOOD.encode()) + b"junk",
    ],
    ids=["cut", "cut in its checksum", "cut in its head", "a byte turned over", "junk behind it"],
)
def test_a_damaged_gzip_file_is_refused_whole(tmp_path: Path, data: bytes) -> None:
    """What can still be unpacked of it is not taken."""
    path = tmp_path / "BTC.csv.gz"
    path.write_bytes(data)

    assert refusal(path).startswith("BTC.csv.gz is a damaged or cut-off gzip file (")


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    """One that lost its end, or has another byte in its middle, gives nothing."""
    path = tmp_path / "BTC.parquet"
    parquet.write_table(table(), path)
    path.write_bytes(path.read_bytes()[:-20])

    assert refusal(path).startswith("BTC.parquet is a damaged Parquet file (")


def test_a_gzipped_parquet_file_is_refused(tmp_path: Path) -> None:
    """It has to be unpacked first, which is said."""
    parquet.write_table(table(), tmp_path / "BTC.parquet")
    path = write(tmp_path, (tmp_path / "BTC.parquet").read_bytes(), "BTC.parquet.gz")

    assert refusal(path) == "BTC.parquet.gz is a gzipped Parquet file; unpack it first"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A name without a file, and a folder."""
    assert refusal(tmp_path / "nope.csv") == "there is no file nope.csv"
    (tmp_path / "folder.csv").mkdir()
    assert refusal(tmp_path / "folder.csv") == "folder.csv is not a file"


@pytest.mark.parametrize("name", ["BTC.csv", "BTC.csv.gz"])
def test_a_file_can_not_fill_the_memory(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are counted as they are unpacked, so that a small archive is no way round the limit."""
    monkeypatch.setattr(files, "MAX_BYTES", 2**16)
    path = write(tmp_path, LONG, name)

    with pytest.raises(TidyError, match="holds more than 0 MiB; split it"):
        read(path)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_of_too_many_rows_is_refused(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its form, the rows are counted."""
    monkeypatch.setattr(files, "MAX_ROWS", 2)
    path = write(tmp_path, GOOD if form == "csv" else jsonl(*as_objects()), f"BTC.{form}")
    if form == "parquet":
        parquet.write_table(table(), path)

    assert refusal(path) == f"BTC.{form} has more than 2 rows; split it"


def test_files_of_too_many_rows_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone would do; what a command holds in memory is their sum."""
    monkeypatch.setattr(series, "MAX_ROWS", 4)
    paths = [write(tmp_path, GOOD, "a.csv"), write(tmp_path, GOOD, "b.csv")]

    with pytest.raises(TidyError, match="the files have more than 4 rows; import them in several commands"):
        read_bars(paths, HOUR_MS, NOW)
