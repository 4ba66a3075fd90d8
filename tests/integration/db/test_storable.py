"""Whatever a text or a value is made of, what is made of it can be stored."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.connection import Connection
from db.storable import storable_json, storable_text

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\0\ud800\udfff\\u0'\"{"), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**30), 10**30) | TEXTS | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(text=TEXTS, value=st.dictionaries(TEXTS, VALUES, max_size=4), most=st.integers(40, 200))
async def test_anything_can_be_stored(admin: Connection, text: str, value: dict[str, Any], most: int) -> None:
    """As text of no more characters than wanted, and as a JSON object; plain text stays as it is."""
    said, kept = storable_text(text, most), storable_json(value, most)
    assert len(said) <= most
    assert await admin.fetchval("select $1::text", said) == said
    assert await admin.fetchval("select jsonb_typeof($1::jsonb)", kept) == "object"
    if text.isascii() and "\0" not in text:
        assert said == text
