"""Tidy files for tests: written by hand, line by line, as people's files are."""

import gzip
import json
from pathlib import Path
from typing import Any

from domain.time import HOUR_MS

T0 = 1_714_521_600_000  # 2024-05-01T00:00:00Z
NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z

BARS_HEAD = "ts,open,high,low,close,volume"
MARK_HEAD = "ts,open,high,low,close"
FUNDING_HEAD = "ts,rate"


def bar(hour: int = 0, *, ts: object = None, **values: object) -> str:
    """A line of hourly bars, `hour` hours after T0, with some of its values replaced."""
    row = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 5} | values
    return ",".join(map(str, [T0 + hour * HOUR_MS if ts is None else ts, *row.values()]))


def bars(*lines: str) -> str:
    """A file of bars with its header."""
    return "\n".join([BARS_HEAD, *lines]) + "\n"


def story(**values: object) -> dict[str, Any]:
    """A line of news, with some of its fields replaced."""
    plain: dict[str, Any] = {
        "id": "a1",
        "published_at": "2024-05-01T00:00:00Z",
        "source": "Wire",
        "title": "Bitcoin rises",
        "symbols": ["BTC"],
    }
    return plain | values


def jsonl(*rows: object) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(folder: Path, text: str | bytes, name: str = "BTC_1h.csv") -> Path:
    """Put a file into a folder; gzipped if its name says so."""
    path = folder / name
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path
