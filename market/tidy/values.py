"""From the columns of a tidy file to numbers: a value that can't be kept exactly is refused."""

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.tidy.problems import Places, Problems, TidyError, shortened, where_true

Numbers = NDArray[np.float64]

_SAFE_DIGITS = 15
_LARGEST_WHOLE = 2**53
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?$"
_NOT_FINITE = {"nan", "inf", "infinity"}


def read_numbers(name: str, array: Any, problems: Problems, first_row: int) -> Numbers:
    """Turn an Arrow column into floats, noting what can't be taken (NaN there). TidyError for its type.

    A negative zero becomes zero.
    """
    return _numbers(name, array, problems, first_row) + 0.0


def _numbers(name: str, array: Any, problems: Problems, first_row: int) -> Numbers:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    array = without_nulls(name, array, problems, first_row)
    if pa.types.is_decimal(kind):
        array = array.cast(pa.string())
        array = pc.if_else(pc.match_substring(array, "."), pc.utf8_rtrim(array, "0"), array)
        return _of_text(name, array, problems, first_row)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_text(name, array, problems, first_row)
    if pa.types.is_integer(kind):
        return _of_integers(name, array, problems, first_row)
    if pa.types.is_float64(kind):
        numbers = np.asarray(array)
        bad = where_true(~np.isfinite(numbers))
        problems.add(bad, lambda row: _bad_number(name, repr(float(numbers[row]))), first_row)
        return numbers
    raise TidyError(f"column {name} is {kind}; it must be double, decimal or text")


def without_nulls(name: str, array: Any, problems: Problems, first_row: int) -> Any:
    """The array with its nulls noted, and filled."""
    import pyarrow as pa

    if not array.null_count:
        return array
    empty = where_true(array.is_null().to_numpy(zero_copy_only=False))
    problems.add(empty, lambda row: f"{name} is empty; fill it in or leave out the row", first_row)
    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    return array.fill_null(pa.scalar("1" if text else 1).cast(array.type))


def replaced(array: Any, places: Places, value: str) -> Any:
    """A text array with some of its texts replaced."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(places):
        return array
    mask = np.zeros(len(array), bool)
    mask[places] = True
    return pc.if_else(pa.array(mask), pa.scalar(value, array.type), array)


def matches(array: Any, pattern: str) -> NDArray[np.bool_]:
    """Which texts a pattern fits."""
    import pyarrow.compute as pc

    return np.asarray(pc.match_substring_regex(array, pattern).to_numpy(zero_copy_only=False), bool)


def _of_text(name: str, array: Any, problems: Problems, first_row: int) -> Numbers:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        numbers = np.asarray(array.cast(pa.float64()))
    except pa.ArrowInvalid:
        readable = replaced(array, where_true(~matches(array, _NUMBER)), "nan")
        numbers = np.asarray(readable.cast(pa.float64()))
    bad = where_true(~np.isfinite(numbers))
    problems.add(bad, lambda row: _bad_number(name, array[row].as_py()), first_row)
    long = where_true(pc.greater(pc.binary_length(array), _SAFE_DIGITS).to_numpy(zero_copy_only=False))
    inexact = _inexact(array, long[np.isfinite(numbers[long])], numbers)
    problems.add(
        inexact,
        lambda row: (
            f"{name} {shortened(array[row].as_py())} has more digits than can be kept; round it to 15"
        ),
        first_row,
    )
    return numbers


def _of_integers(name: str, array: Any, problems: Problems, first_row: int) -> Numbers:
    whole = np.asarray(array)
    large = where_true(np.abs(whole.astype(np.float64)) > _LARGEST_WHOLE)
    problems.add(large, lambda row: f"{name} {whole[row]} is too large to be kept exactly", first_row)
    return whole.astype(np.float64)


def _inexact(array: Any, places: Places, numbers: Numbers) -> Places:
    """Of these places, the ones whose text a float can't stand for."""
    texts, values = array.take(places).to_pylist(), numbers[places].tolist()
    lost = [
        place
        for place, text, value in zip(places.tolist(), texts, values, strict=True)
        if repr(value) != text and Decimal(repr(value)) != Decimal(text)
    ]
    return np.array(lost, np.int64)


def _bad_number(name: str, text: str) -> str:
    if not text.strip():
        return f"{name} is empty; fill it in or leave out the row"
    if text.strip("+-").lower() in _NOT_FINITE:
        return f"{name} is {text}; every value must be a finite number"
    return f"{name} {shortened(text)!r} is not a number; write it like 60400.5"
