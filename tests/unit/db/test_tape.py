"""Rows of market data as a binary COPY stream: what goes out is what comes in."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from db.market import BAR, FUNDING, MARK
from db.tape import Rows, decode, encode

ANY_ROWS = st.sampled_from([BAR, MARK, FUNDING]).flatmap(
    lambda dtype: arrays.arrays(dtype, st.integers(0, 20))
)


def stream(rows: Rows) -> bytes:
    """The whole of a COPY stream of all columns."""

    async def collect() -> bytes:
        return b"".join([part async for part in encode(rows, rows.dtype.names or ())])

    return asyncio.run(collect())


@given(ANY_ROWS)
def test_every_row_comes_back_to_the_last_bit(rows: Rows) -> None:
    """Also infinities, not-a-number, negative zero and the ends of 64 bits."""
    assert decode(stream(rows), rows.dtype).tobytes() == rows.tobytes()


def test_a_stream_is_one_however_many_chunks_it_is_made_of() -> None:
    """More rows than one chunk takes keep their number and order."""
    rows = np.zeros(120_000, BAR)
    rows["ts"] = np.arange(len(rows))
    assert (decode(stream(rows), BAR)["ts"] == rows["ts"]).all()


def test_a_stream_is_what_postgres_documents() -> None:
    """Signature, flags, extension; a count of fields; length and big-endian value of each; the trailer."""
    rows = np.array([(1, 2, 3, 0.5)], FUNDING)
    assert stream(rows) == (
        b"PGCOPY\n\xff\r\n\x00" + bytes(8) + b"\x00\x04"
        b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01"
        b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x02"
        b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x03"
        b"\x00\x00\x00\x08\x3f\xe0\x00\x00\x00\x00\x00\x00\xff\xff"
    )


@pytest.mark.parametrize("cut", [1, 10, 33])
def test_a_stream_that_broke_off_is_refused(cut: int) -> None:
    """It is not silently fewer rows."""
    with pytest.raises(ValueError, match="is not made of rows of"):
        decode(stream(np.zeros(3, BAR))[:-cut], BAR)
