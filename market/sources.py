"""Where market data says it is from: a short name, given or taken from the folder that a file lies in."""

import re
from collections.abc import Sequence
from pathlib import Path

from market.tidy.problems import TidyError

_FORM = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def name_source(paths: Sequence[Path], given: str | None) -> str:
    """The source of some files: the one given, else the name of their folder, such as "binance-perp".

    Raises TidyError for a name that can't be one, and where the files lie in different folders.
    """
    if given is not None:
        if not _FORM.fullmatch(given):
            raise TidyError(f"--source {given!r} is no name; use small letters, digits and - . _, at most 40")
        return given
    names = sorted({path.resolve().parent.name for path in paths})
    if len(names) > 1:
        raise TidyError(
            f"the files lie in different folders ({', '.join(names)}); say where from with --source"
        )
    name = re.sub(r"[^a-z0-9._-]+", "-", "".join(names).lower()).strip("-._")[:40]
    return name if _FORM.fullmatch(name) else "file"
