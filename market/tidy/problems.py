"""What is wrong with a file that was to be imported, said in one line."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

_LONGEST_SHOWN = 40


class TidyError(ValueError):
    """A file can't be imported: where in it, what was found there and what to do. Nothing was imported."""


class Problems:
    """The rows of one file that can't be taken. The first is described; the others are only counted."""

    def __init__(self) -> None:
        self._rows: list[Places] = []
        self._first: tuple[int, str] | None = None

    def add(self, rows: Places, say: Callable[[int], str], offset: int = 0) -> None:
        """Note bad rows, ascending; in the file their numbers are `offset` higher. `say` describes one."""
        if not len(rows):
            return
        self._rows.append(rows + offset)
        first = int(rows[0])
        if self._first is None or first + offset < self._first[0]:
            self._first = first + offset, say(first)

    def raise_if_any(self, where: Callable[[int], str]) -> None:
        """Raise a TidyError for the first bad row, if there is one. `where` names a row for people."""
        if self._first is None:
            return
        row, text = self._first
        others = len(np.unique(np.concatenate(self._rows))) - 1
        more = f" (and {others:,} more bad row{'s' if others > 1 else ''})" if others else ""
        raise TidyError(f"{where(row)}: {text}{more}")


def where_true(mask: Any) -> Places:
    """The places at which a mask holds, ascending; the mask may be numpy's or Arrow's."""
    return np.flatnonzero(np.asarray(mask)).astype(np.int64)


def shortened(text: str) -> str:
    """A text out of a file, cut so that it can stand in a line."""
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
