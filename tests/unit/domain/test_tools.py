"""Definitions of tools that live outside: cleaned for the model, and named by what their server really said."""

import hashlib
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tools import ToolRefused, depth, pin, refuse_collisions, visible

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": "string"}, "as_of": {"type": "string"}},
    "required": ["query", "as_of"],
}


def nested(levels: int) -> dict[str, Any]:
    """A schema that nests so many objects."""
    inner: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"in": inner}}
    return inner


@pytest.mark.parametrize(
    ("name", "description", "schema", "as_of"),
    [
        ("seek", "Finds.", SCHEMA, None),
        ("find", "Finds!", SCHEMA, None),
        ("find", "Finds.\u200b", SCHEMA, None),
        ("find", "Finds. ", SCHEMA, None),
        ("find", "Finds." + " " * 3000 + "x", SCHEMA, None),
        ("find", "Finds.", {**SCHEMA, "description": "\U000e0041"}, None),
        ("find", "Finds.", {**SCHEMA, "required": ["query"]}, None),
        ("find", "Finds.", SCHEMA, "as_of"),
    ],
)
def test_every_change_changes_the_digest(name: str, description: str, schema: Any, as_of: str | None) -> None:
    """Also one that no eye sees, that is cut off, or that is ours: in which argument the instant goes."""
    assert (
        pin("news", name, description, schema, as_of).digest != pin("news", "find", "Finds.", SCHEMA).digest
    )


def test_the_order_of_keys_is_no_change() -> None:
    """It means nothing in JSON."""
    turned = {key: SCHEMA[key] for key in reversed(SCHEMA)}

    assert pin("news", "find", "Finds.", turned).digest == pin("news", "find", "Finds.", SCHEMA).digest


def test_the_digest_of_a_definition_is_the_same_for_ever() -> None:
    """Approvals are kept by it, so it must not change with a version of ours."""
    said = (
        b'["find","Finds.",{"properties":{"as_of":{"type":"string"},"query":{"type":"string"}},'
        b'"required":["query","as_of"],"type":"object"},null]'
    )
    assert pin("news", "find", "Finds.", SCHEMA).digest == hashlib.sha256(said).hexdigest()


def test_a_model_is_shown_clean_text_of_bounded_length() -> None:
    """In the description and everywhere in the schema."""
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "buy")
    schema = {"type": "object", "properties": {"q": {"enum": [f"a{hidden}"], "title": "x\u202ey"}}}
    tool = pin("news", "find", f"Finds\x1b[31m{hidden}\ufe0f" + "z" * 5000, schema)

    assert tool.description.startswith("Finds[31mzzz")
    assert len(tool.description) == 2000
    assert tool.schema["properties"]["q"] == {"enum": ["a"], "title": "xy"}


@pytest.mark.parametrize(
    ("name", "schema", "says"),
    [
        ("", SCHEMA, "models can't call"),
        ("find it", SCHEMA, "models can't call"),
        ("find\u200b", SCHEMA, "models can't call"),
        ("x" * 59, SCHEMA, "models can't call"),
        ("find", None, "no JSON Schema of an object"),
        ("find", {}, "no JSON Schema of an object"),
        ("find", {"type": ["object"]}, "no JSON Schema of an object"),
        ("find", {"type": "object", "properties": []}, "a form that JSON Schema does not know"),
        ("find", {"type": "object", "properties": {"a": True}}, "a form that JSON Schema does not know"),
        ("find", {"type": "object", "required": [1]}, "a form that JSON Schema does not know"),
        ("find", {"type": "object", "x": "y" * 17_000}, "more than 16384 bytes"),
        ("find", {"type": "object", "x": float("inf")}, "JSON does not have"),
        ("find", {"type": "object", "properties": {"a\u200b": {}}}, "characters that can't be seen"),
        ("find", nested(7), "deeper than 12 levels"),
        ("find", nested(20_000), "deeper than 12 levels"),
    ],
)
def test_a_definition_that_is_no_use_is_refused_in_one_line(name: str, schema: Any, says: str) -> None:
    """The line says whose it is and what is wrong."""
    with pytest.raises(ToolRefused) as caught:
        pin("news", name, "Finds.", schema)

    assert says in str(caught.value)
    assert "MCP server news" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_instant_is_not_for_a_model_to_choose() -> None:
    """Its argument is not in the schema that a model is shown; a tool that lacks it has no instant."""
    tool = pin("news", "find", "Finds.", SCHEMA, "as_of")

    assert tool.as_of == "as_of"
    assert tool.shown_schema == {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    }
    assert pin("news", "find", "Finds.", SCHEMA, "when").as_of is None
    assert pin("news", "find", "Finds.", SCHEMA).shown_schema == SCHEMA


def test_two_tools_of_one_name_are_refused() -> None:
    """A model could not tell them apart. One name on two servers is two names."""
    tools = [pin("news", "find", "Finds.", SCHEMA), pin("desk", "find", "Finds.", SCHEMA)]
    refuse_collisions(tools)

    with pytest.raises(ToolRefused, match="two tools called find"):
        refuse_collisions([*tools, pin("news", "find", "Others.", SCHEMA)])


@given(st.text(), st.integers(1, 50))
def test_visible_text_is_bounded_and_has_nothing_hidden(text: str, most: int) -> None:
    """Whatever a stranger writes."""
    shown = visible(text, most)

    assert len(shown) <= most
    assert all(char in "\n\t" or not unicodedata.category(char).startswith("C") for char in shown)


@given(st.integers(0, 40))
def test_depth_is_counted_no_further_than_asked(levels: int) -> None:
    """Lists and objects alike."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}

    assert depth(value, 12) == min(levels, 13)
