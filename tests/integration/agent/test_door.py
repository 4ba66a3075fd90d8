"""The door to models, tried against the stand-in over a real socket with the real client."""

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.models import UNREADABLE, AnthropicDoor, ModelFailure
from domain.inference import Reply, Usage
from tests.standins.messages_api import StandIn, stand_in
from tests.standins.steps import Step, call, refuse, say
from tests.standins.wire import events

ROOT = Path(__file__).parents[3]
KEY = "sk-ant-planted-0123456789abcdef"
MODEL = "claude-sonnet-4-6"
BODY: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "What now?"}],
}
LONG_S = 60.0


@asynccontextmanager
async def door_to(api: StandIn, **options: Any) -> AsyncIterator[AnthropicDoor]:
    """A door to a stand-in."""
    door = AnthropicDoor(KEY, base_url=api.url, **options)
    try:
        yield door
    finally:
        await door.close()


async def answer_to(step: Step, body: dict[str, Any] = BODY) -> Reply:
    """What the door makes of one answer."""
    async with stand_in([step]) as api, door_to(api) as door:
        return await door.send(body, LONG_S)


async def failure_of(step: Step, *, timeout_s: float = LONG_S) -> ModelFailure:
    """The failure that the door makes of one answer."""
    async with stand_in([step]) as api, door_to(api) as door:
        with pytest.raises(ModelFailure) as failed:
            await door.send(BODY, timeout_s)
        assert api.calls == 1  # attempts are the caller's
    return failed.value


# What is answered.


async def test_text_is_put_together_from_its_pieces() -> None:
    """The text, the reason to stop, the model and the number of the request come out whole."""
    text = "Nothing is worth an order at this tick, so I hold. " * 5

    reply = await answer_to(say(text))

    assert reply.content == ({"type": "text", "text": text},)
    assert (reply.stop, reply.model, reply.request_id) == ("end_turn", MODEL, "req_0")


async def test_two_tools_called_at_once_are_both_kept_in_their_order() -> None:
    """Thought, text and both calls come out as the blocks they were, keys in the model's own order."""
    bars = {"symbol": "BTC", "count": 20}

    reply = await answer_to(call(("get_bars", bars), ("get_portfolio", {}), text="Look.", thought="Hm…"))

    thought, text, first, second = reply.content
    assert thought == {"type": "thinking", "thinking": "Hm…", "signature": "EqQB0003=="}
    assert text["text"] == "Look."
    assert (first["name"], list(first["input"].items())) == ("get_bars", list(bars.items()))
    assert (second["name"], second["input"]) == ("get_portfolio", {})
    assert len({first["id"], second["id"]}) == 2
    assert reply.stop == "tool_use"


async def test_a_conversation_goes_on_with_blocks_sent_back_as_they_came() -> None:
    """The API, which refuses blocks that were changed or left unanswered, takes the second request."""
    async with stand_in([call("get_portfolio", {}, thought="…"), say("HOLD")]) as api, door_to(api) as door:
        first = await door.send(BODY, LONG_S)
        result = {"type": "tool_result", "tool_use_id": first.content[1]["id"], "content": "{}"}
        turns = [
            {"role": "assistant", "content": list(first.content)},
            {"role": "user", "content": [result]},
        ]
        second = await door.send({**BODY, "messages": [*BODY["messages"], *turns]}, LONG_S)

    assert second.content[0]["text"] == "HOLD"


async def test_blocks_that_nobody_knows_are_kept() -> None:
    """What a model sent has to go back to it, whatever it is."""
    hidden = {"type": "redacted_thinking", "data": "EmwKAhgB"}
    strange = {"type": "hologram", "depth": 3, "of": ["a", None]}

    reply = await answer_to(Step((hidden, strange)))

    assert reply.content == (hidden, strange)


@pytest.mark.parametrize(
    "written",
    ['{"symbol": "BTC", "size": ', "buy BTC", "[1]", '{"size": NaN}', '{"size": 1e999}', '"\\ud800"'],
)
async def test_an_input_that_cannot_be_read_is_kept_aside(written: str) -> None:
    """The call stands with nothing in it, and says what was written; the answer and its usage are not lost."""
    reply = await answer_to(call("propose_order", written))

    (block,) = reply.content
    assert (block["input"], block[UNREADABLE]) == ({}, written)
    assert reply.usage.output > 0


async def test_an_input_without_an_end_is_kept_aside_in_part() -> None:
    """At most 2,000 characters of it, and nesting without an end breaks nothing."""
    reply = await answer_to(call(("a", "[" * 100_000), ("b", '{"a":' * 500 + "1" + "}" * 500)))

    assert [len(block[UNREADABLE]) for block in reply.content] == [2_000, 2_000]


async def test_the_usage_tells_reads_and_both_kinds_of_writes_apart() -> None:
    """The split of the writes is only told at the beginning, the output only at the end."""
    written = {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 2_000}
    usage = {
        "input_tokens": 7,
        "cache_read_input_tokens": 5_000,
        "cache_creation_input_tokens": 2_300,
        "cache_creation": written,
        "output_tokens": 89,
    }

    reply = await answer_to(say("HOLD", usage=usage))

    assert reply.usage == Usage(7, 89, 5_000, 300, 2_000)


async def test_a_usage_that_a_gateway_left_empty_counts_no_more_than_what_came() -> None:
    """Missing, empty and absurd figures are 0, and the output is estimated then."""
    usage = {
        "input_tokens": None,
        "cache_read_input_tokens": -5,
        "cache_creation_input_tokens": "many",
        "cache_creation": None,
        "output_tokens": 10**30,
    }

    reply = await answer_to(say("HOLD", usage=usage))

    assert reply.usage == Usage(output=2)


@pytest.mark.parametrize("stop", ["max_tokens", "refusal", "pause_turn", "something_new"])
async def test_any_reason_to_stop_is_an_answer(stop: str) -> None:
    """What to make of it is the caller's."""
    reply = await answer_to(Step((), stop, usage={"output_tokens": 3}))

    assert (reply.content, reply.stop, reply.usage.output) == ((), stop, 3)


async def test_a_gateway_that_does_not_stream_is_understood() -> None:
    """A whole message of JSON gives the same reply as its events."""
    step = call("get_bars", {"symbol": "BTC"}, text="Look.", thought="Hm")
    async with stand_in([step], streams=False) as api, door_to(api) as door:
        whole = await door.send(BODY, LONG_S)

    assert whole == await answer_to(step)


async def test_an_answer_that_comes_byte_by_byte_is_the_same() -> None:
    """Where the pieces of the stream are cut does not matter, even inside a character."""
    step = call("get_bars", {"symbol": "₿"}, text="Grüße, 🚀")

    assert await answer_to(step.but(piece_bytes=1)) == await answer_to(step)


# What is sent.


async def test_a_request_carries_the_body_the_key_and_the_version_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the environment of the client nor the machine leaks into it; the order of keys is kept."""
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-evil: 1\nauthorization: Bearer other\nuser-agent: evil")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "other")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "other")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with stand_in() as api, door_to(api) as door:
        await door.send(BODY, LONG_S)

    (asked,) = api.requests
    assert json.loads(asked.raw) == {**BODY, "stream": True}
    assert list(json.loads(asked.raw)) == [*BODY, "stream"]
    assert {**asked.headers, "host": "", "content-length": ""} == {
        "host": "",
        "content-length": "",
        "accept": "text/event-stream, application/json",
        "accept-encoding": "identity",
        "anthropic-version": "2026-10-21",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "user-agent": "agentic-trading",
    }


async def test_a_proxy_of_the_environment_is_used_for_hosts_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a network lets nobody out but through a proxy, models can be asked all the same."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with stand_in([say("through the proxy")]) as api:
        monkeypatch.setenv("HTTP_PROXY", api.url)
        monkeypatch.setenv("http_proxy", api.url)
        door = AnthropicDoor(KEY, base_url="http://models.invalid/gw")
        reply = await door.send(BODY, LONG_S)
        await door.close()

    assert reply.content[0]["text"] == "through the proxy"
    assert api.requests[0].headers["host"] == "models.invalid"


async def test_a_gateway_may_have_its_own_path_header_and_version() -> None:
    """The path of the base URL stays before /v1, and a slash at its end changes nothing."""
    async with stand_in() as api:
        door = AnthropicDoor(KEY, base_url=f"{api.url}/gw/", auth="x-api-key", api_version="2023-06-01")
        await door.send(BODY, LONG_S)
        await door.close()

    (asked,) = api.requests
    assert door.route == f"{api.url}/gw"
    assert asked.path == "/gw/v1/messages"
    assert asked.headers["x-api-key"] == KEY
    assert "authorization" not in asked.headers
    assert asked.headers["anthropic-version"] == "2023-06-01"


async def test_a_temperature_goes_with_the_version_that_takes_it() -> None:
    """The API refuses it under the newer version."""
    async with stand_in() as api, door_to(api) as door:
        await door.send({**BODY, "temperature": 0}, LONG_S)

    assert api.requests[0].headers["anthropic-version"] == "2023-06-01"
    assert api.bodies[0]["temperature"] == 0


async def test_a_connection_is_used_again() -> None:
    """A second call does not pay for a second handshake."""
    async with stand_in() as api, door_to(api) as door:
        await door.send(BODY, LONG_S)
        await door.send(BODY, LONG_S)
        pool = door._client._client._transport._pool
        assert len(pool.connections) == 1


# What fails.


@pytest.mark.parametrize(
    ("status", "error_type", "kind", "is_fatal"),
    [
        (400, "invalid_request_error", "invalid_request", True),
        (401, "authentication_error", "authentication", True),
        (402, "billing_error", "billing", True),
        (403, "permission_error", "permission", True),
        (404, "not_found_error", "not_found", True),
        (408, "", "timeout", False),
        (409, "conflict_error", "server", False),
        (413, "request_too_large", "too_large", True),
        (422, "", "invalid_request", True),
        (429, "rate_limit_error", "rate_limit", False),
        (500, "api_error", "server", False),
        (502, "", "server", False),
        (503, "", "server", False),
        (504, "timeout_error", "timeout", False),
        (529, "overloaded_error", "overloaded", False),
    ],
)
async def test_every_status_is_a_kind_of_failure(
    status: int, error_type: str, kind: str, is_fatal: bool
) -> None:
    """What may pass is told from what will not; nothing that was turned away is billed."""
    failure = await failure_of(refuse(status, error_type))

    assert (failure.kind, failure.is_fatal, failure.is_transient) == (kind, is_fatal, not is_fatal)
    assert (failure.is_billed, failure.usage) == (False, None)
    assert "\n" not in failure.message
    assert str(status) in failure.message


async def test_a_spend_limit_is_no_storm_to_sit_out() -> None:
    """A 429 that says that the money is spent stops, where any other may pass."""
    failure = await failure_of(refuse(429, "rate_limit_error", error_code="enforced_spend_limit_reached"))

    assert (failure.kind, failure.is_fatal) == ("billing", True)


async def test_a_provider_may_say_that_it_will_not_pass() -> None:
    """`x-should-retry: false` is taken at its word, and stops nothing else."""
    failure = await failure_of(refuse(500, "api_error", headers={"x-should-retry": "false"}))

    assert (failure.is_transient, failure.is_fatal) == (False, False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        (
            {"retry-after": "Tue, 24 Nov 2026 10:00:30 GMT", "date": "Tue, 24 Nov 2026 10:00:00 GMT"},
            30.0,
        ),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Tue, 99 Nov 2026 10:00:30 GMT"}, None),
        ({}, None),
    ],
)
async def test_a_provider_says_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    """In milliseconds, seconds, or as a date on its own clock."""
    failure = await failure_of(refuse(429, "rate_limit_error", headers=headers))

    assert failure.retry_after_s == seconds


async def test_a_refusal_says_why_in_one_line() -> None:
    """The API's own words help whoever wrote the request; they are cleaned and bounded."""
    failure = await failure_of(
        refuse(400, "invalid_request_error", "tools.0.name:\n too\x1b[31m long (req_011CX) " + "x" * 999)
    )

    assert failure.message.startswith(
        "the models refused the request (400: tools.0.name: too [31m long (…) xxx"
    )
    assert len(failure.message) < 400


async def test_a_refused_key_is_not_explained_in_the_words_of_the_provider() -> None:
    """Some show a part of the key in them."""
    failure = await failure_of(refuse(401, "authentication_error", f"wrong key …{KEY[-6:]}"))

    assert failure.message.startswith("the key for models was refused; check ANTHROPIC_API_KEY")
    assert failure.message.endswith("(401)")


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_an_error_in_html_is_a_failure_like_any_other(status: int) -> None:
    """Proxies and gateways answer with pages."""
    failure = await failure_of(refuse(status, "", page="<html><h1>nginx</h1></html>"))

    assert "<" not in failure.message


async def test_a_redirect_is_not_followed() -> None:
    """A prompt goes where it was sent, and nowhere else."""
    async with stand_in() as elsewhere:
        failure = await failure_of(refuse(307, "", headers={"location": f"{elsewhere.url}/v1/messages"}))

    assert elsewhere.calls == 0
    assert (failure.kind, failure.is_fatal) == ("not_found", True)


async def test_an_error_in_the_middle_of_an_answer_is_billed() -> None:
    """It has the kind of its event, and what was read so far is what is known of the cost."""
    failure = await failure_of(say("x" * 3_000, fault="error", usage={"input_tokens": 120}))

    assert (failure.kind, failure.is_transient, failure.is_billed) == ("overloaded", True, True)
    assert failure.usage is not None
    assert failure.usage.input == 120
    assert 400 < failure.usage.output < 600  # half of the text has come, at three characters a token


async def test_an_error_with_a_good_status_is_an_error() -> None:
    """Some gateways tell of it in the place of the answer; nothing had begun, so nothing is billed."""
    failure = await failure_of(say("HOLD", fault="error_json"))

    assert (failure.kind, failure.is_transient, failure.is_billed) == ("overloaded", True, False)


async def test_an_answer_that_is_whole_is_not_lost_to_what_comes_after() -> None:
    """A connection that stays open after the end of the answer, past the deadline, takes nothing away."""

    async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        message = {"id": "m", "type": "message", "model": MODEL, "usage": {}, "stop_reason": "end_turn"}
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        writer.writelines(events({**message, "content": [{"type": "text", "text": "HOLD"}]}, say("")))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(linger, "127.0.0.1", 0)
    async with server:
        door = AnthropicDoor(KEY, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        reply = await door.send(BODY, 0.3)
        await door.close()

    assert (reply.stop, reply.content[0]["text"]) == ("end_turn", "HOLD")


async def test_the_connection_of_an_answer_that_failed_is_closed() -> None:
    """It is not used again, whatever else might come through it."""
    async with stand_in([say("HOLD", fault="error")]) as api, door_to(api) as door:
        with pytest.raises(ModelFailure):
            await door.send(BODY, LONG_S)
        assert door._client._client._transport._pool.connections == []


@pytest.mark.parametrize("fault", ["cut", "eof"])
async def test_an_answer_that_breaks_off_is_truncated(fault: Any) -> None:
    """Whether the connection was cut or ended as if all were well."""
    failure = await failure_of(say("x" * 3_000, fault=fault, usage={"input_tokens": 120}))

    assert (failure.kind, failure.is_transient, failure.is_billed) == ("truncated", True, True)
    assert failure.usage is not None
    assert failure.usage.input == 120


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("html", "'text/html'"),
        ("other_json", "JSON that is no message"),
        ("broken_json", "an event that is no JSON"),
        ("packed", "packed bytes"),
        ("endless", "more than 8 MB"),
    ],
)
async def test_what_is_no_answer_is_garbage(fault: Any, found: str) -> None:
    """One line says what was found, and nothing is read without an end."""
    failure = await failure_of(say("HOLD", fault=fault))

    assert (failure.kind, failure.is_billed) == ("garbage", True)
    assert found in failure.message


async def test_an_error_page_without_an_end_is_not_read_to_its_end() -> None:
    """The bound on an answer is one on the page of an error too."""
    failure = await failure_of(refuse(500, "", page="x" * 9_000_000))

    assert failure.kind == "garbage"


@pytest.mark.parametrize(
    "step",
    [say("HOLD", latency_ms=60_000), say("HOLD", fault="hang"), say("HOLD", piece_bytes=1, piece_ms=20)],
)
async def test_an_answer_that_takes_too_long_is_given_up(step: Step) -> None:
    """The deadline is one for the whole attempt, however much drips in; it may be billed."""
    failure = await failure_of(step, timeout_s=0.2)

    assert (failure.kind, failure.is_transient, failure.is_billed) == ("timeout", True, True)


async def test_where_nobody_listens_there_is_no_connection() -> None:
    """It may pass, and costs nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        door = AnthropicDoor(KEY, base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ModelFailure) as failed:
            await door.send(BODY, LONG_S)
        await door.close()

    assert (failed.value.kind, failed.value.is_transient, failed.value.is_billed) == (
        "connection",
        True,
        False,
    )


async def test_a_connection_that_is_dropped_before_the_answer_may_be_billed() -> None:
    """Nobody knows whether the request was read."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        door = AnthropicDoor(KEY, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(ModelFailure) as failed:
            await door.send(BODY, LONG_S)
        await door.close()

    assert (failed.value.kind, failed.value.is_billed) == ("connection", True)


async def test_a_cancelled_call_hangs_up() -> None:
    """Nothing goes on being written for somebody who has left."""
    async with stand_in([say("HOLD", fault="hang")]) as api, door_to(api) as door:
        asking = asyncio.create_task(door.send(BODY, LONG_S))
        await api.begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(api.someone_hung_up.wait(), LONG_S)

    assert api.hung_up == 1


async def test_a_call_that_was_given_up_does_not_hold_up_the_next() -> None:
    """One slow answer is nothing to the calls beside it and after it."""
    async with stand_in([say("HOLD", fault="hang")]) as api, door_to(api) as door:
        slow = asyncio.create_task(door.send(BODY, LONG_S))
        await api.begun.wait()
        replies = await asyncio.gather(*(door.send(BODY, LONG_S) for _ in range(20)))
        slow.cancel()

    assert [reply.stop for reply in replies] == ["end_turn"] * 20


async def test_a_door_that_is_closed_ends_its_calls_and_can_be_used_again() -> None:
    """What was on its way fails like any broken connection."""
    async with stand_in([say("HOLD", fault="hang")]) as api, door_to(api) as door:
        asking = asyncio.create_task(door.send(BODY, LONG_S))
        await api.begun.wait()
        await door.close()
        with pytest.raises(ModelFailure) as failed:
            await asking
        again = await door.send(BODY, LONG_S)

    assert (failed.value.is_transient, failed.value.is_billed, again.stop) == (True, True, "end_turn")


# Keys.


@pytest.mark.parametrize(
    "step",
    [
        refuse(400, "invalid_request_error", f"key {KEY} at http://x"),
        refuse(401, "authentication_error", f"invalid key {KEY[:12]}****{KEY[-4:]}"),
        refuse(403, "permission_error", f"{KEY} may not"),
        refuse(404, "not_found_error", KEY),
        refuse(500, "api_error", KEY),
        say("HOLD", fault="cut"),
        say("HOLD", fault="html"),
        say("HOLD", fault="hang"),
    ],
)
@pytest.mark.parametrize("auth", ["bearer", "x-api-key"])
async def test_a_key_is_in_no_failure_and_no_log(
    step: Step, auth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the message nor in anything that a traceback or a debugging log shows, its beginning included."""
    with caplog.at_level(logging.DEBUG):
        async with stand_in([step]) as api, door_to(api, auth=auth) as door:
            with pytest.raises(ModelFailure) as failed:
                await door.send(BODY, 0.2)
            assert api.calls == 1
            shown = [repr(door), repr(vars(door)), repr(failed.value), str(vars(failed.value))]

    told = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    text = "\n".join([*shown, *told.format(), caplog.text])
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None
    assert KEY[:12] not in text.replace(repr(step), "").replace(KEY_OF_TEST, "")


KEY_OF_TEST = f"'{KEY}'"  # the test's own locals name it


@pytest.mark.parametrize("key", ["", " ", "sk ant", "sk-ant\n", "schlüssel", "sk\x00"])
def test_a_key_that_no_header_can_carry_is_refused_at_once(key: str) -> None:
    """With one line that does not repeat it."""
    with pytest.raises(ValueError, match="copy it anew") as refused:
        AnthropicDoor(key)

    assert not key.strip() or key not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://example.com",
        "https://me:secret@example.com",
        "https://example.com?key=secret",
        "//x",
        "http://[secret",
        "http://x:secret",
    ],
)
def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    """Credentials belong into the key's header, and are not repeated."""
    with pytest.raises(ValueError, match="base URL") as refused:
        AnthropicDoor(KEY, base_url=url)

    assert "secret" not in str(refused.value)


# The probe.


async def test_a_probe_asks_for_no_answer() -> None:
    """It counts tokens, which is free, and finds all well."""
    async with stand_in() as api, door_to(api) as door:
        assert await door.probe(MODEL) is None

    assert (api.calls, len(api.counted)) == (0, 1)


async def test_a_probe_tells_a_wrong_key_from_a_wrong_model() -> None:
    """Each with what to do about it."""
    async with stand_in(keys={"another"}) as api, door_to(api) as door:
        assert "ANTHROPIC_API_KEY" in str(await door.probe(MODEL))
    async with stand_in(models={"another"}) as api, door_to(api) as door:
        assert "model: claude-sonnet-4-6" in str(await door.probe(MODEL))


async def test_a_gateway_that_counts_no_tokens_is_taken_to_be_well() -> None:
    """The way is missing, not the model."""
    async with stand_in(counts_tokens=False) as api, door_to(api) as door:
        assert await door.probe(MODEL) is None


async def test_a_probe_that_is_answered_with_a_page_is_not_well() -> None:
    """As by a network that wants a sign-in first."""

    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>")

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    async with server:
        door = AnthropicDoor(KEY, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert "not of the Messages API" in str(await door.probe(MODEL))
        await door.close()


async def test_a_probe_of_nothing_says_so() -> None:
    """Where nobody listens, there is no model."""
    door = AnthropicDoor(KEY, base_url="http://127.0.0.1:9")

    assert "could not be reached" in str(await door.probe(MODEL))
    await door.close()


# What it costs those who don't use it.


def test_nothing_is_imported_before_the_first_call() -> None:
    """Neither by the module nor by making a door: a run without a model does not pay for its client."""
    script = (
        "import sys; from agent.models import AnthropicDoor; AnthropicDoor('key'); "
        "print(sorted({'anthropic', 'httpx2', 'pydantic', 'aiohttp'} & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_client_of_models_is_imported_in_one_file() -> None:
    """There is one door."""
    importing = re.compile(r"^\s*(?:import|from) anthropic\b", re.MULTILINE)
    found = [
        path.name for path in (ROOT / "agent").rglob("*.py") if importing.search(path.read_text("utf-8"))
    ]

    assert found == ["models.py"]
