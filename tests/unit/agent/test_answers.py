"""Answers read event by event: whole, in pieces, and however odd they are."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.answers import MOST_BLOCKS, UNREADABLE, Answer, Lines, NotAnAnswer, read_event
from domain.inference import Reply, Usage

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
usages = st.dictionaries(
    st.sampled_from(
        [
            *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            "cache_creation",
        ]
    ),
    json_values,
)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "hologram"]) | json_values},
    optional={"text": json_values, "input": json_values, "id": json_values, "name": json_values},
)
deltas = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text_delta", "input_json_delta", "signature_delta", "citations_delta", "odd"]
        )
    },
    optional={"text": json_values, "partial_json": json_values, "signature": json_values},
)
events = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("message_start"), "message": st.fixed_dictionaries({"usage": usages})}
    ),
    st.fixed_dictionaries(
        {"type": st.just("content_block_start"), "index": st.integers(0, 2), "content_block": blocks}
    ),
    st.fixed_dictionaries(
        {"type": st.just("content_block_delta"), "index": st.integers(0, 2), "delta": deltas}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("message_delta"),
            "delta": st.fixed_dictionaries({"stop_reason": st.just("end_turn") | json_values}),
            "usage": usages,
        }
    ),
    st.fixed_dictionaries({"type": json_values}),
    st.dictionaries(st.text(max_size=5), json_values),
)


def reply_to(*told: dict[str, Any]) -> Reply:
    """What a stream of events comes to."""
    answer = Answer()
    for event in (*told, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}):
        answer.take(event)
    answer.end()
    assert answer.whole is not None
    return answer.whole


def begin(block: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": block}


def piece(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **fields}}


@given(st.lists(events, max_size=12))
def test_no_content_is_too_odd_to_be_kept_or_refused(told: list[dict[str, Any]]) -> None:
    """Whatever comes, there is a reply that JSON can carry both ways and whose tool calls can be read, or a refusal."""
    try:
        reply = reply_to(*told)
    except NotAnAnswer:
        return

    again = msgspec.json.decode(msgspec.json.encode(reply), type=Reply)
    assert again == reply
    assert json.loads(json.dumps(reply.content, allow_nan=False)) == list(reply.content)
    assert min(getattr(reply.usage, name) for name in Usage.__struct_fields__) >= 0
    for block in reply.content:
        if block["type"] == "tool_use":
            assert (type(block["id"]), type(block["name"]), type(block["input"])) == (str, str, dict)
        if block["type"] == "text":
            assert block["text"]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    """An object of JSON comes out, or NotAnAnswer."""
    with suppress(NotAnAnswer):
        assert isinstance(read_event(data), dict)


@given(st.data())
def test_events_are_the_same_however_the_bytes_are_cut(data: st.DataObject) -> None:
    """Ends of lines of both kinds, comments and lines of no interest included."""
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    told = data.draw(
        st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=3), max_size=5)
    )
    lines = [
        line
        for each in told
        for line in (": comment", "event: x", f"data: {json.dumps(each)}", "", ": ping", "")
    ]
    stream = end.join([*lines, ""]).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))

    reader = Lines()
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [json.loads(event) for part in parts for event in reader.take(part)]

    assert found == told


def test_a_character_in_two_halves_is_put_together() -> None:
    """Some gateways cut text between the two halves of a character; a half without its other is marked."""
    reply = reply_to(
        begin({"type": "text", "text": ""}),
        piece("text_delta", text="to the \ud83d"),
        piece("text_delta", text="\ude80, \ud83d"),
    )

    assert reply.content == ({"type": "text", "text": "to the 🚀, �"},)


def test_text_without_text_is_left_out() -> None:
    """The API takes none back; a thought without words stays, since its signature holds it."""
    thought = {"type": "thinking", "thinking": "", "signature": "EqQB"}

    assert reply_to(begin({"type": "text", "text": ""})).content == ()
    assert reply_to(begin(thought)).content == (thought,)


def test_an_input_may_come_where_the_block_begins() -> None:
    """Some gateways send no pieces."""
    block = {"type": "tool_use", "id": "a", "name": "get_bars", "input": {"symbol": "BTC"}}

    assert reply_to(begin(block)).content == (block,)


@pytest.mark.parametrize("given_input", ["buy", [1], 7, True])
def test_an_input_that_is_no_object_is_kept_aside(given_input: Any) -> None:
    """However it came, the loop finds an object and a word about it."""
    (block,) = reply_to(begin({"type": "tool_use", "input": given_input})).content

    assert (block["id"], block["name"], block["input"]) == ("call_0", "", {})
    assert block[UNREADABLE] == repr(given_input)


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_an_input_that_nests_without_an_end_is_kept_aside(opened: str, closed: str) -> None:
    """However deep the reader of JSON itself still goes."""
    block = '{"type": "tool_use", "input": %s}'
    for depth in range(100, 1_000, 5):
        nested = block % f"{opened * depth}1{closed * depth}"
        with suppress(NotAnAnswer):
            event = read_event(
                b'{"type": "content_block_start", "index": 0, "content_block": %s}' % nested.encode()
            )
            (kept,) = reply_to(event).content
            assert (kept["input"], kept[UNREADABLE]) == ({}, "nested too deep")


def test_citations_are_kept_with_their_text() -> None:
    """They are a part of the block."""
    reply = reply_to(
        begin({"type": "text", "text": "", "citations": None}),
        piece("text_delta", text="As said"),
        piece("citations_delta", citation={"cited_text": "x"}),
    )

    assert reply.content == ({"type": "text", "text": "As said", "citations": [{"cited_text": "x"}]},)


def test_an_answer_has_so_many_blocks_and_no_more() -> None:
    """A gateway that floods is no model: what it sends could be neither carried out nor kept."""
    block = {"type": "tool_use"}
    answer = Answer()
    answer.take_whole({"type": "message", "content": [block] * MOST_BLOCKS, "stop_reason": "tool_use"})
    assert answer.whole is not None
    assert len(answer.whole.content) == MOST_BLOCKS
    with pytest.raises(NotAnAnswer, match="more than 1000 blocks"):
        Answer().take_whole({"type": "message", "content": [block] * (MOST_BLOCKS + 1)})


def test_any_number_of_citations_is_taken_in() -> None:
    """Each is put behind the others, which are not copied for it: a hundred thousand take no longer than they must."""
    found = [piece("citations_delta", citation={"n": n}) for n in range(100_000)]
    (block,) = reply_to(begin({"type": "text", "text": "As said", "citations": [{"n": -1}]}), *found).content

    assert [one["n"] for one in block["citations"]] == list(range(-1, 100_000))


def test_later_figures_take_the_place_of_earlier_ones() -> None:
    """They are of the whole answer, not of what was added; the split of the writes is only told at the beginning."""
    split = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 20}
    begun = {
        "input_tokens": 9,
        "cache_creation_input_tokens": 25,
        "cache_creation": split,
        "output_tokens": 1,
    }
    ended = {"input_tokens": 10, "cache_creation_input_tokens": 25, "output_tokens": 89}
    answer = Answer()
    answer.take({"type": "message_start", "message": {"usage": begun}})
    answer.take({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": ended})

    assert answer.usage() == Usage(10, 89, 0, 5, 20)


@pytest.mark.parametrize(
    "ended", [None, {}, {"output_tokens": 0}, {"output_tokens": 10**12}, {"input_tokens": 9}]
)
def test_output_that_nobody_counted_is_estimated(ended: Any) -> None:
    """The figure at the beginning is of the first token alone, so what came in is taken to have cost something."""
    answer = Answer()
    answer.take({"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}})
    answer.take(begin({"type": "text", "text": ""}))
    answer.take(piece("text_delta", text="x" * 300))
    answer.take({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": ended})
    answer.end()

    assert answer.usage() == Usage(9, 100)


def test_writes_that_are_not_split_are_the_shorter_kind() -> None:
    """Gateways often leave the split out."""
    answer = Answer()
    answer.take({"type": "message_start", "message": {"usage": {"cache_creation_input_tokens": 25}}})

    assert answer.usage() == Usage(cache_write_5m=25)
