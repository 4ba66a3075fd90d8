"""The wire format of the Messages API as the stand-in sends it: errors, the events of a stream, and what is neither."""

import json
from typing import Any

from aiohttp import web

from tests.standins.rules import Body
from tests.standins.steps import Step

CHARS_PER_TOKEN = 4
DELTA_CHARS = 24
SSE = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


def error_response(step: Step, name: str) -> web.Response:
    """An error of the API, or a page of HTML where a gateway stands before it."""
    if step.page:
        return web.Response(
            text=step.page, status=step.status, content_type="text/html", headers=step.headers
        )
    error: dict[str, Any] = {"type": step.error_type, "message": step.message}
    if step.error_code:
        error["details"] = {"error_code": step.error_code}
    told = {"type": "error", "error": error, "request_id": name}
    return web.json_response(told, status=step.status, headers={"request-id": name, **step.headers})


def tokens(block: Body) -> int:
    """About how many tokens a block has."""
    return -(-len(json.dumps(block)) // CHARS_PER_TOKEN)


def event(kind: str, **fields: Any) -> bytes:
    """One event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def events(message: dict[str, Any], step: Step) -> list[bytes]:
    """The events of a message, in the order of the API, with a ping among them."""
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    sent = [event("message_start", message=begun), event("ping")]
    for number, block in enumerate(message["content"]):
        start, deltas = _taken_apart(block)
        sent.append(event("content_block_start", index=number, content_block=start))
        sent += [event("content_block_delta", index=number, delta=delta) for delta in deltas]
        sent.append(event("content_block_stop", index=number))
    counted = {name: value for name, value in usage.items() if isinstance(value, int)}
    why = {"stop_reason": step.stop, "stop_sequence": None}
    return [*sent, event("message_delta", delta=why, usage=counted), event("message_stop")]


def _taken_apart(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a block begins, and what is added to it bit by bit."""
    match block.get("type"):
        case "text":
            return {**block, "text": ""}, _deltas("text_delta", "text", block["text"])
        case "thinking":
            thought = _deltas("thinking_delta", "thinking", block["thinking"])
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*thought, signed]
        case "tool_use":
            given = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
            return {**block, "input": {}}, _deltas("input_json_delta", "partial_json", given)
        case _:
            return block, []


def _deltas(kind: str, field: str, text: str) -> list[dict[str, Any]]:
    pieces = [text[at : at + DELTA_CHARS] for at in range(0, len(text), DELTA_CHARS)]
    return [{"type": kind, field: piece} for piece in pieces or [""]]


# What may come instead of an answer.


async def _html(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html><body>Sign in to the network</body></html>", content_type="text/html")


async def _other_json(request: web.Request) -> web.StreamResponse:
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": "HOLD"}}]})


async def _error_json(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    )


async def _packed(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\x1f\x8b\x08\x00", headers={**SSE, "content-encoding": "gzip"})


async def _broken_json(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'event: message_start\ndata: {"type": "mess\n\n', headers=SSE)


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=SSE)
    await response.prepare(request)
    while True:
        await response.write(b"data: " + b"x" * 65536)


INSTEAD = {
    "html": _html,
    "other_json": _other_json,
    "error_json": _error_json,
    "packed": _packed,
    "broken_json": _broken_json,
    "endless": _endless,
}
