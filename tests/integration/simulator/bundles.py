"""Bundles taken apart and put together again, as somebody who means harm would."""

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any


def lines_of(file: Path) -> list[Any]:
    """The lines of a bundle, as JSON."""
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def write(file: Path, lines: list[Any], *, honest: bool = True) -> None:
    """Write lines as a bundle; an honest one has a header that names what follows."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines[1:])
    if honest:
        lines[0] |= {"sha256": sha256(body).hexdigest(), "lines": len(lines) - 1}
    file.write_bytes(gzip.compress(json.dumps(lines[0]).encode() + b"\n" + body))
