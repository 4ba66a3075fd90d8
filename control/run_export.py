"""A run as files for other programs: equity, fills, trades and decisions as CSV, JSON lines and Parquet."""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from control.errors import Invalid
from db.runs import RunRow
from domain.events import FundingPaid
from domain.money import plain
from domain.orders import Fill
from domain.time import iso
from simulator.metrics import compute
from simulator.record import RunRecord
from simulator.report import render
from simulator.trades import Trade, trades

Table = tuple[list[str], list[list[Any]]]


def export_run(record: RunRecord, row: RunRow, folder: Path) -> list[Path]:
    """Write a finished run into a folder, which is made if need be; gives the files. Money is plain decimal text.

    Files that are there are replaced, all of them or none. Instants are RFC 3339. Raises Invalid where there is no
    place or no room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".unfinished-", dir=folder) as unfinished:
            written = _write_all(record, row, Path(unfinished))
            return [path.replace(folder / path.name) for path in written]
    except OSError as error:
        raise Invalid(
            f"{folder} can't be exported to: {error.strerror or error}; nothing was written"
        ) from error


def _write_all(record: RunRecord, row: RunRow, folder: Path) -> list[Path]:
    made = trades(record.fills, record.funding, record.order_decisions)
    written = [
        _write_csv(folder / "equity.csv", _equity(record)),
        _write_parquet(folder / "equity.parquet", record),
        _write_csv(folder / "fills.csv", _structs(Fill, record.fills)),
        _write_csv(folder / "funding.csv", _structs(FundingPaid, record.funding)),
        _write_csv(folder / "trades.csv", _structs(Trade, made, without=("decisions", "fills"))),
        _write_json(
            folder / "run.json", {"metrics": row.metrics, "digests": row.digests, "manifest": row.manifest}
        ),
        folder / "decisions.jsonl",
        folder / "report.html",
    ]
    lines = [msgspec.json.encode(decision, order="deterministic") for decision in record.decisions.values()]
    (folder / "decisions.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / "report.html").write_text(render(record, compute(record)), "utf-8")
    return written


def _equity(record: RunRecord) -> Table:
    names = ["ts", "equity", *record.baselines]
    columns = [[iso(ts) for ts in record.ts.tolist()], record.equity.tolist()]
    columns += [equity.tolist() for equity in record.baselines.values()]
    return names, [list(point) for point in zip(*columns, strict=True)]


def _structs(
    kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct], without: Sequence[str] = ()
) -> Table:
    names = [name for name in kind.__struct_fields__ if name not in without]
    return names, [[_cell(name, getattr(row, name)) for name in names] for row in rows]


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    is_instant = isinstance(value, int) and (name == "ts" or name.endswith("_ts"))
    return iso(value) if is_instant else value


def _write_csv(path: Path, table: Table) -> Path:
    names, rows = table
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(_safe(rows))
    return path


def _safe(rows: Iterable[list[Any]]) -> Iterable[list[Any]]:
    """Rows in which no text is a formula to a spreadsheet; numbers stay as they are."""
    for row in rows:
        yield [f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "@") else cell for cell in row]


def _write_parquet(path: Path, record: RunRecord) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = {
        "ts": pa.array(record.ts, pa.timestamp("ms", tz="UTC")),
        "equity": pa.array(record.equity),
        **{name: pa.array(equity) for name, equity in record.baselines.items()},
    }
    parquet.write_table(pa.table(columns), path)
    return path


def _write_json(path: Path, document: Any) -> Path:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
    return path
