"""A stand-in for the Messages API, speaking its wire format over a real socket, for the real client to talk to.

In a test: `async with stand_in([say("HOLD")]) as api:` and `api.url` is the base URL; `with stand_in_thread(...)` for
tests that block their own loop. From the command line, for other processes:

    python -m tests.standins.messages_api --brain trend --latency-ms 300 --port 0 --port-file PATH

It answers by a list of steps (HOLD when they have run out), or by a function of the request and its number. It
refuses what the API refuses (rules.py), and counts tokens and what is cached roughly, but always alike.
"""

import argparse
import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from tests.standins.brains import BRAINS, Brain, hold
from tests.standins.rules import Body, blocks, objection
from tests.standins.steps import Step, refuse
from tests.standins.wire import INSTEAD, SSE, error_response, event, events, tokens

LEAST_CACHED_TOKENS = 1024
MOST_BODY_BYTES = 32 * 1024 * 1024

Answers = Sequence[Step] | Brain


class Asked(msgspec.Struct, frozen=True):
    """One request as it came. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes


class StandIn:
    """The API, and what it was asked. `models` and `keys` are those that it knows; None stands for all."""

    def __init__(
        self,
        answers: Answers = hold,
        *,
        models: set[str] | None = None,
        keys: set[str] | None = None,
        counts_tokens: bool = True,
        streams: bool = True,
        **faults: Any,
    ) -> None:
        self.url = ""
        self.requests: list[Asked] = []  # for messages
        self.counted: list[Asked] = []  # for a count of tokens
        self.hung_up = 0  # answers during which the caller closed the connection
        self.someone_hung_up = asyncio.Event()
        self.begun = asyncio.Event()  # something of an answer was sent
        self._answers = answers
        self._models = models
        self._keys = keys
        self._streams = streams
        self._faults = faults
        self._cached: set[bytes] = set()
        self._app = web.Application(client_max_size=MOST_BODY_BYTES)
        self._app.router.add_post("/{prefix:.*}v1/messages", self._messages)
        if counts_tokens:
            self._app.router.add_post("/{prefix:.*}v1/messages/count_tokens", self._count_tokens)
        self._runner = web.AppRunner(
            self._app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )

    @property
    def calls(self) -> int:
        """How often a message was asked for."""
        return len(self.requests)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of those requests."""
        return [asked.body for asked in self.requests]

    async def start(self, port: int = 0) -> None:
        """Listen on this machine alone."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening, and cut what is still being answered."""
        await self._runner.cleanup()

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        number = len(self.requests)
        self.requests.append(asked)
        step = self._objection(asked) or self._step(asked.body, number)
        try:
            await asyncio.sleep(step.latency_ms / 1000)
            return await self._answer(request, asked.body, step, f"req_{number}")
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up += 1
            self.someone_hung_up.set()
            raise

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        self.counted.append(asked)
        if step := self._objection(asked, only_counts=True):
            return error_response(step, "req_count")
        return web.json_response({"input_tokens": sum(tokens(block) for block in blocks(asked.body))})

    def _step(self, body: Body, number: int) -> Step:
        if callable(self._answers):
            step = self._answers(body, number)
        else:
            step = self._answers[number] if number < len(self._answers) else hold(body, number)
        return step.but(**self._faults) if self._faults else step

    def _objection(self, asked: Asked, *, only_counts: bool = False) -> Step | None:
        """The error of a request that the API would refuse, before anybody thinks about it."""
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        key = asked.headers.get("x-api-key", bearer)
        model = asked.body.get("model")
        if not key or (self._keys is not None and key not in self._keys):
            return refuse(401, "authentication_error", f"invalid bearer token {key}")
        version = asked.headers.get("anthropic-version", "")
        if not version:
            return refuse(400, "invalid_request_error", "anthropic-version: header is required")
        if self._models is not None and model not in self._models:
            return refuse(404, "not_found_error", f"model: {model}")
        wrong = objection({"max_tokens": 0, **asked.body} if only_counts else asked.body, version)
        return refuse(400, "invalid_request_error", wrong) if wrong else None

    async def _answer(self, request: web.Request, body: Body, step: Step, name: str) -> web.StreamResponse:
        if step.status != 200:
            return error_response(step, name)
        message = self._message(body, step)
        if not (self._streams and body.get("stream")) and not step.fault:
            return web.json_response(message, headers={"request-id": name, **step.headers})
        if step.fault in INSTEAD:
            return await INSTEAD[step.fault](request)
        sent = events(message, step)
        response = web.StreamResponse(headers={**SSE, "request-id": name, **step.headers})
        await response.prepare(request)
        await self._write(response, b"".join(sent[: len(sent) // 2] if step.fault else sent), step)
        if step.fault == "hang":
            await asyncio.Event().wait()
        if step.fault == "error":
            told = {"type": "overloaded_error", "message": "Overloaded"}
            await response.write(event("error", error=told))
        if step.fault == "cut" and request.transport:
            request.transport.close()
        elif step.fault != "cut":
            await response.write_eof()
        return response

    async def _write(self, response: web.StreamResponse, data: bytes, step: Step) -> None:
        size = step.piece_bytes or len(data)
        for start in range(0, len(data), size):
            await response.write(data[start : start + size])
            self.begun.set()
            if step.piece_ms:
                await asyncio.sleep(step.piece_ms / 1000)

    def _message(self, body: Body, step: Step) -> dict[str, Any]:
        """The whole message; ids are taken from the request, so that the same question gets the same answer."""
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        content = [
            {"id": f"toolu_{digest[:20]}{place}", **block} if block.get("type") == "tool_use" else block
            for place, block in enumerate(step.content)
        ]
        return {
            "id": f"msg_{digest[:24]}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": step.stop,
            "stop_sequence": None,
            "usage": {**self._usage(body, content), **step.usage},
        }

    def _usage(self, body: Body, content: list[dict[str, Any]]) -> dict[str, Any]:
        """Count a prompt's tokens: read up to the last mark that was seen before, written up to the last mark."""
        prefix, total, read = hashlib.sha256(str(body["model"]).encode()), 0, 0
        written = {"5m": 0, "1h": 0}
        for block in blocks(body):
            prefix.update(json.dumps({**block, "cache_control": None}, sort_keys=True).encode())
            total += tokens(block)
            if "cache_control" not in block or total < LEAST_CACHED_TOKENS:
                continue
            if prefix.digest() in self._cached:
                read, written = total, {"5m": 0, "1h": 0}
            else:
                done = read + sum(written.values())
                written[block["cache_control"].get("ttl", "5m")] += total - done
                self._cached.add(prefix.digest())
        return {
            "input_tokens": total - read - sum(written.values()),
            "cache_creation_input_tokens": sum(written.values()),
            "cache_read_input_tokens": read,
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": count for ttl, count in written.items()},
            "output_tokens": sum(tokens(block) for block in content) or 1,
            "service_tier": "standard",
        }


@asynccontextmanager
async def stand_in(answers: Answers = hold, **options: Any) -> AsyncIterator[StandIn]:
    """Serve in the loop of the test. Options are those of StandIn, or fields of Step that hold for every answer."""
    api = StandIn(answers, **options)
    await api.start()
    try:
        yield api
    finally:
        await api.stop()


@contextmanager
def stand_in_thread(answers: Answers = hold, **options: Any) -> Iterator[StandIn]:
    """Serve in a thread of its own, for tests that run a loop of theirs or wait for another process."""
    ready, done = threading.Event(), asyncio.Event()
    serving: list[tuple[asyncio.AbstractEventLoop, StandIn]] = []

    async def serve() -> None:
        async with stand_in(answers, **options) as api:
            serving.append((asyncio.get_running_loop(), api))
            ready.set()
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    loop, api = serving[0]
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def _read(request: web.Request) -> Asked:
    raw = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Asked(request.path, headers, json.loads(raw), raw)


# The command line.


async def _serve(options: argparse.Namespace) -> None:
    answers: Answers = BRAINS[options.brain]
    if options.steps:
        answers = msgspec.json.decode(Path(options.steps).read_bytes(), type=list[Step])
    faults = {"latency_ms": options.latency_ms} if options.latency_ms else {}
    api = StandIn(answers, **faults)
    await api.start(options.port)
    if options.port_file:
        path = Path(options.port_file)
        half_written = path.with_suffix(".new")
        half_written.write_text(api.url.rpartition(":")[2])
        half_written.replace(path)
    print(api.url, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until the process is ended."""
    reader = argparse.ArgumentParser(description="A stand-in for the Messages API.")
    reader.add_argument("--port", type=int, default=0, help="0 takes one that is free")
    reader.add_argument("--port-file", help="where to write the port once it listens")
    reader.add_argument("--brain", choices=sorted(BRAINS), default="hold")
    reader.add_argument("--steps", help="a file with a JSON list of steps, in the place of a brain")
    reader.add_argument("--latency-ms", type=float, default=0.0)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(reader.parse_args()))


if __name__ == "__main__":
    main()
