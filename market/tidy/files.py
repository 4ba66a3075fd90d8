"""Tidy files as columns, whatever their form: CSV, JSON lines or Parquet, the first two also gzipped.

The form is told by what is in the file. Values of text forms stay text here, so that whoever reads them can
judge every digit and name the line.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from market.tidy.problems import TidyError, shortened

MAX_BYTES = 512 * 1024 * 1024
MAX_ROWS = 5_000_000
_ROWS_A_BATCH = 100_000
_BLOCK_BYTES = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_VALUE = r"[-+.0-9][-+.:TZ0-9eE ]*"
_NO_ROWS = "Empty CSV file or block"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"BZh": "bzip2-compressed",
    b"ARROW1": "an Arrow/Feather file",
    b"<": "HTML or XML",
    b"[": "a JSON array, not an object a line",
}
"""What begins a file of another form, and what that is."""
_MOST_NAMES = 8


class Form(Enum):
    """How a file is written."""

    CSV = "CSV"
    JSONL = "JSON lines"
    PARQUET = "Parquet"


class Batch(msgspec.Struct, frozen=True):
    """Some rows of a file: Arrow arrays by column name. `first_row` is the first one's number in the file."""

    first_row: int
    columns: dict[str, Any]


class TidyFile:
    """One file to be read. Making it reads the first bytes only. Raises TidyError when it is no such file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._gzipped = False
        with reading(path):
            head = self._head()
        for magic, what in _FOREIGN.items():
            if head.removeprefix(_BOM).lstrip().startswith(magic):
                raise TidyError(f"{path} is {what}; give CSV, CSV.gz, JSONL or Parquet")
        if head.startswith(_PARQUET):
            if self._gzipped:
                raise TidyError(f"{path} is a gzipped Parquet file; unpack it first")
            self.form = Form.PARQUET
        elif not head.strip():
            raise TidyError(f"{path} is empty")
        else:
            self.form = Form.JSONL if head.removeprefix(_BOM).lstrip().startswith(b"{") else Form.CSV

    def _head(self) -> bytes:
        if not self.path.exists():
            raise TidyError(f"there is no file {self.path}")
        if not self.path.is_file():
            raise TidyError(f"{self.path} is not a file")
        with self.path.open("rb") as raw:
            self._gzipped = raw.read(2) == _GZIP
        with self.open() as stream:
            return stream.read(4096)

    def open(self) -> IO[bytes]:
        """The file's bytes, unpacked, up to the limit of what is read."""
        raw: Any = gzip.GzipFile(self.path) if self._gzipped else self.path.open("rb", buffering=0)
        return io.BufferedReader(_Bounded(raw, self.path), _BLOCK_BYTES)

    def where(self, row: int) -> str:
        """Name a row for people: by its line in the file, or by its number where there are no lines."""
        if self.form is Form.PARQUET:
            return f"{self.path} row {row + 1}"
        wanted, blank = (row + 1, b"\r\n") if self.form is Form.CSV else (row, None)
        with self.open() as lines:
            filled = (number for number, line in enumerate(lines, 1) if line.strip(blank))
            return f"{self.path}:{next(islice(filled, wanted, None), '?')}"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """The rows, with exactly these columns. Raises TidyError where there are others."""
        first_row = 0
        with reading(self.path):
            for arrays in _READERS[self.form](self, columns):
                yield Batch(first_row, arrays)
                first_row += len(arrays[columns[0]])
                if first_row > MAX_ROWS:
                    raise TidyError(f"{self.path} has more than {MAX_ROWS:,} rows; split it")
        if not first_row:
            raise TidyError(f"{self.path} has no rows")


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than the limit, so that a small archive can't fill the memory."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._stream.readinto(buffer))
        self._left -= count
        if self._left < 0:
            raise TidyError(f"{self._path} holds more than {MAX_BYTES // 2**20} MiB; split it")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in our words why a file can't be read."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TidyError(f"{path} is a damaged or cut-off gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise TidyError(f"{path} can't be read: {error.strerror or error}") from error


def check_columns(place: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """Raise a TidyError unless the columns are the expected ones, in any order."""
    if sorted(found) == sorted(expected):
        return
    wanted = ",".join(expected)
    if len(found) == 1 and re.search(r"[;\t|]", found[0]):
        raise TidyError(f"{place}: columns must be separated by commas: {wanted}")
    if found and all(re.fullmatch(_VALUE, name) for name in found):
        raise TidyError(f"{place}: there is no header line; put {wanted} before the first row")
    if sorted(name.strip().lower() for name in found) == sorted(expected):
        raise TidyError(f"{place}: write the columns in small letters, without spaces: {wanted}")
    parts = [
        f"{what} {_listed(names)}"
        for what, names in (
            ("is missing", [name for name in expected if name not in found]),
            ("has no use for", [name for name in dict.fromkeys(found) if name not in expected]),
            ("has twice", sorted({name for name in found if found.count(name) > 1})),
        )
        if names
    ]
    raise TidyError(f"{place}: the file {' and '.join(parts)}; its columns must be {wanted}")


def _listed(names: Sequence[str]) -> str:
    """Names of columns, at a length that fits a line whatever they are."""
    short = [name if name.isprintable() else repr(name) for name in map(shortened, names[:_MOST_NAMES])]
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([*short, *more])


def _read_csv(file: TidyFile, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    check_columns(f"{file.path}:1", _csv_header(file), columns)
    with file.open() as stream:
        try:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                convert_options=arrow_csv.ConvertOptions(
                    column_types={name: pa.string() for name in columns}, strings_can_be_null=False
                ),
            )
            for batch in reader:
                yield {name: batch.column(name) for name in columns}
        except pa.ArrowInvalid as error:
            if _NO_ROWS in str(error):
                return
            fault = _csv_fault(file, len(columns)) or f"{file.path} can't be read: {error}"
            raise TidyError(fault) from error


def _csv_header(file: TidyFile) -> list[str]:
    with file.open() as stream:
        line = next(line for line in stream if line.strip(b"\r\n")).removeprefix(_BOM)
    if b"\r" in line.rstrip(b"\r\n"):
        raise TidyError(f"{file.path}: its lines end in CR alone; save it with LF or CRLF at their ends")
    try:
        return _cells(line.decode())
    except UnicodeDecodeError:
        raise TidyError(f"{file.path}:1: this is not UTF-8 text; save the file as UTF-8") from None


def _cells(line: str) -> list[str]:
    """The values of one line of CSV; none where it can't be split."""
    try:
        return next(csv.reader([line.rstrip("\r\n")]))
    except csv.Error:
        return []


def _csv_fault(file: TidyFile, width: int) -> str | None:
    """Find the first line that is not a row of text; None when all are."""
    with file.open() as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                byte = raw[error.start]
                return f"{file.path}:{number}: byte 0x{byte:02x} is not UTF-8 text; save the file as UTF-8"
            if line.strip("\r\n") and (found := len(_cells(line))) != width:
                return f"{file.path}:{number}: found {found} value{'s' * (found != 1)}, expected {width}"
    return None


def _read_jsonl(file: TidyFile, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    wanted = set(columns)
    with file.open() as stream:
        lines = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        while batch := list(islice(lines, _ROWS_A_BATCH)):
            values: dict[str, list[bytes]] = {name: [] for name in columns}
            for number, line in batch:
                row = read_json_line(f"{file.path}:{number}", line, decode)
                if row.keys() != wanted:
                    check_columns(f"{file.path}:{number}", list(row), columns)
                for name, kept in values.items():
                    kept.append(bytes(row[name]).strip(b'"'))
            yield {name: pa.array(kept, pa.binary()).cast(pa.string()) for name, kept in values.items()}


def read_json_line(place: str, line: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Decode one line. Raises TidyError saying what it should have been."""
    try:
        line.decode()
        return decode(line.removeprefix(_BOM))
    except msgspec.ValidationError as error:
        raise TidyError(f"{place}: {_plainly(str(error))}") from None
    except UnicodeDecodeError:
        raise TidyError(f"{place}: this is not UTF-8 text; save the file as UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise TidyError(f"{place}: this is not one JSON object on a line ({error})") from None


def _plainly(text: str) -> str:
    """Name the field first: "Expected `str`, got `int` - at `$.title`" becomes "title: expected str, got int"."""
    what, _, field = text.replace("`", "").partition(" - at $.")
    return f"{field}: {what[0].lower()}{what[1:]}" if field else what


def _read_parquet(file: TidyFile, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(file.path) as opened:
            check_columns(str(file.path), opened.schema_arrow.names, columns)
            if opened.metadata.num_rows > MAX_ROWS:
                raise TidyError(f"{file.path} has more than {MAX_ROWS:,} rows; split it")
            for batch in opened.iter_batches(_ROWS_A_BATCH):
                yield {name: batch.column(name) for name in columns}
    except pa.ArrowException as error:
        raise TidyError(f"{file.path} is a damaged Parquet file ({error})".splitlines()[0]) from error


_READERS: dict[Form, Callable[[TidyFile, Sequence[str]], Iterator[dict[str, Any]]]] = {
    Form.CSV: _read_csv,
    Form.JSONL: _read_jsonl,
    Form.PARQUET: _read_parquet,
}
