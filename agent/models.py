"""The only door to models: Anthropic's Messages API, or a gateway that speaks it. Nothing else imports its client.

One `send` is one attempt with one deadline. It never tries again; `agent/asking.py` does. What comes back is a Reply,
or a ModelFailure in words of our own, so that a failure reads the same each time and no key gets into a log.

What the API answers and when: https://platform.claude.com/docs/en/api/errors. The client takes 1.5 s to import, so it
is imported with the first call.
"""

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from agent.answers import UNREADABLE as UNREADABLE
from agent.answers import Answer, Lines, NotAnAnswer, read_event
from agent.failures import (
    FATAL,
    KIND_BY_STATUS,
    KIND_BY_TYPE,
    MESSAGES,
    broken_off,
    clean,
    failed,
    garbage,
    retry_after_s,
)
from agent.failures import ModelFailure as ModelFailure
from domain.inference import Reply

API_VERSION = "2026-10-21"
SAMPLING_API_VERSION = "2023-06-01"  # the newest that takes `temperature`, from the models that do
BASE_URL = "https://api.anthropic.com"
MOST_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 15.0

_FAREWELL_S = 1.0
"""How long the end of a response is waited for after the end of the answer, so that its connection is used again."""


class Door(Protocol):
    """A way to a model. `route` names it without anything secret: scheme, host and path of its base URL."""

    @property
    def route(self) -> str:
        """Where it leads."""

    async def send(self, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """Make one attempt at one request. Raises ModelFailure."""

    async def close(self) -> None:
        """Let go of all connections."""


def api_version(body: Mapping[str, Any]) -> str:
    """The version of the API that a request is written for. It is part of what is asked."""
    return SAMPLING_API_VERSION if "temperature" in body else API_VERSION


class AnthropicDoor:
    """The Messages API of Anthropic, or of a gateway at `base_url` (without /v1).

    `auth` says which header carries the key; `api_version` replaces the version for a gateway that knows only an older
    one. Nothing is read from the environment, except for a proxy and certificates where the host is not this machine.
    Raises ValueError for a key or a URL that can't be used, naming neither.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str | None = None,
        auth: Literal["bearer", "x-api-key"] = "bearer",
        api_version: str | None = None,
    ) -> None:
        if not re.fullmatch(r"[!-~]+", api_key):
            raise ValueError(
                "the key for models is not one of printable characters without spaces; copy it anew"
            )
        self.route = _route(base_url or BASE_URL)
        self._key = _Key(api_key)
        self._auth = auth
        self._api_version = api_version
        self._client: Any = None

    async def send(self, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """Make one attempt, all of which has to be done in `timeout_s`. Raises ModelFailure."""
        content = json.dumps(
            {**body, "stream": True}, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        answer = Answer()
        try:
            self._open()
            async with asyncio.timeout(timeout_s):
                await self._ask(content.encode("utf-8", "replace"), body, answer, timeout_s)
            failure = broken_off(answer)
        except _expected() as error:
            failure = self._failure(error, answer)
        if answer.whole is not None:  # whatever happened after its end
            return answer.whole
        raise failure  # outside of `except`: what the client knew of the request, the key included, stays behind

    async def probe(self, model: str) -> str | None:
        """Try the key and a model without cost: None when all is well, else one line that says what is not.

        It counts the tokens of a word. A gateway that can't count them is taken to be well.
        """
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        failure: ModelFailure
        try:
            self._open()
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                counted = await self._client.post(
                    "/v1/messages/count_tokens",
                    cast_to=object,
                    content=json.dumps(body).encode(),
                    options=self._options(body, PROBE_TIMEOUT_S),
                )
            if isinstance(counted, dict) and "input_tokens" in counted:
                return None
            failure = garbage("no count of tokens", Answer())
        except _expected() as error:
            if _lacks_route(error):
                return None
            failure = self._failure(error, Answer())
        return failure.message

    async def close(self) -> None:
        """Let go of all connections. The next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ask(self, content: bytes, body: Mapping[str, Any], answer: Answer, timeout_s: float) -> None:
        from anthropic import AsyncStream

        stream = await self._client.post(
            "/v1/messages",
            cast_to=object,
            content=content,
            options=self._options(body, timeout_s),
            stream=True,
            stream_cls=AsyncStream[object],
        )
        response = stream.response
        answer.request_id = response.headers.get("request-id", "")
        try:
            await _read(response, answer)
            answer.end()
        finally:
            await response.aclose()

    def _options(self, body: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        from anthropic import Timeout

        version = self._api_version or api_version(body)
        timeout = Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        return {"headers": {"anthropic-version": version}, "timeout": timeout}

    def _open(self) -> None:
        """Make the client, once. Of its own it adds nothing to a request: see `_sign`."""
        if self._client is not None:
            return
        import anthropic
        import httpx2

        host = urlsplit(self.route).hostname or ""
        http = httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
            follow_redirects=False,  # they would carry prompts to where nobody sent them
            trust_env=host not in ("localhost", "127.0.0.1", "::1"),
            event_hooks={"request": [self._sign], "response": [_bound]},
        )
        self._client = anthropic.AsyncAnthropic(
            api_key="none", base_url=self.route, max_retries=0, http_client=http, open_telemetry=False
        )
        gc.freeze()  # the client's many objects stay: searching them for garbage would cost each call a millisecond

    async def _sign(self, request: Any) -> None:
        """Put our headers in the place of the client's, which tell of this machine and of ANTHROPIC_CUSTOM_HEADERS."""
        kept = {name: request.headers[name] for name in ("host", "content-length", "anthropic-version")}
        key = self._key.text
        request.headers = type(request.headers)(
            {
                **kept,
                "accept": "text/event-stream, application/json",
                "accept-encoding": "identity",
                "content-type": "application/json",
                "user-agent": "agentic-trading",
                **({"x-api-key": key} if self._auth == "x-api-key" else {"authorization": f"Bearer {key}"}),
            }
        )

    def _failure(self, error: Exception, answer: Answer) -> ModelFailure:
        """Say in our words what an attempt came to."""
        import anthropic
        import httpx2

        if isinstance(error, ModelFailure):
            return error
        if isinstance(error, NotAnAnswer):
            return garbage(str(error), answer)
        if isinstance(error, anthropic.APIStatusError):
            return self._refusal(error)
        cause = (error.__cause__ or error) if isinstance(error, anthropic.APIConnectionError) else error
        if isinstance(cause, TimeoutError | httpx2.TimeoutException | anthropic.APITimeoutError):
            is_sent = not isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout)
            return failed("timeout", answer, is_billed=is_sent)
        if answer.is_begun:
            return broken_off(answer)
        return failed("connection", answer, is_billed=not isinstance(cause, httpx2.ConnectError))

    def _refusal(self, error: Any) -> ModelFailure:
        """A status that is none of success. The provider's own words are only shown where they help a person."""
        status, headers = error.status_code, error.response.headers
        if status < 400:
            return ModelFailure(
                "not_found", f"{MESSAGES['not_found']} (it answers {status}, with a redirect)"
            )
        kind = KIND_BY_STATUS.get(status, "server" if status >= 500 else "invalid_request")
        if "spend_limit" in (error.error_code or ""):
            kind = "billing"
        words = (
            clean(error.api_message, (self._key.text, self.route, urlsplit(self.route).netloc))
            if kind in FATAL - {"authentication"}
            else ""
        )
        return ModelFailure(
            kind,
            f"{MESSAGES[kind]} ({status}{': ' if words else ''}{words})",
            retry_after_s=retry_after_s(headers),
            may_pass=headers.get("x-should-retry") != "false",
        )


class _Key:
    """A key that shows itself to nobody who prints what holds it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "‹key›"


async def _read(response: Any, answer: Answer) -> None:
    """Read an answer to its end, whether it comes in events or in one piece."""
    form = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form == "application/json":
        message = read_event(await response.aread())
        _refuse_error(message, answer)
        answer.take_whole(message)
        return
    async for data in _events(response, answer):
        if data != b"[DONE]":  # a habit of gateways that also speak another API
            event = read_event(data)
            _refuse_error(event, answer)
            answer.take(event)
    if not answer.is_begun and form != "text/event-stream":
        raise NotAnAnswer(f"{form[:40]!r}")


async def _events(response: Any, answer: Answer) -> AsyncIterator[bytes]:
    """The data of each event until the answer has ended; the rest of the connection is not worth a long wait."""
    lines, chunks = Lines(), response.aiter_raw()
    async for chunk in chunks:
        for data in lines.take(chunk):
            yield data
        if answer.is_ended:
            with suppress(TimeoutError, *_broken()):
                async with asyncio.timeout(_FAREWELL_S):
                    async for _ in chunks:
                        pass
            return


def _refuse_error(event: dict[str, Any], answer: Answer) -> None:
    """Raise the failure that an event is, if it is one."""
    if event.get("type") != "error":
        return
    error = event.get("error")
    told = error.get("type") if isinstance(error, dict) else None
    kind = KIND_BY_TYPE.get(told, "server") if isinstance(told, str) else "server"
    where = " in the middle of an answer" if answer.is_begun else ""
    raise failed(kind, answer, is_billed=answer.is_begun, where=where)


async def _bound(response: Any) -> None:
    """Let no answer, and no page of an error, be longer than can be read, nor packed so that its length is hidden."""
    is_packed = response.headers.get("content-encoding", "identity") != "identity"
    response.stream = _bounded()(response.stream, is_packed)


@cache
def _bounded() -> Any:
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, inner: Any, is_packed: bool) -> None:
            self._inner = inner
            self._is_packed = is_packed

        async def __aiter__(self) -> AsyncIterator[bytes]:
            if self._is_packed:
                raise NotAnAnswer("packed bytes, which nobody asked for")
            left = MOST_ANSWER_BYTES
            async for chunk in self._inner:
                left -= len(chunk)
                if left < 0:
                    raise NotAnAnswer(f"more than {MOST_ANSWER_BYTES // 1024**2} MB")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Bounded


def _broken() -> tuple[type[Exception], ...]:
    import httpx2

    return (httpx2.HTTPError, NotAnAnswer)


def _expected() -> tuple[type[Exception], ...]:
    """All that may come of an attempt and is no mistake of ours."""
    import anthropic

    return (ModelFailure, OSError, anthropic.AnthropicError, *_broken())  # a timeout is an OSError


def _lacks_route(error: Exception) -> bool:
    """Whether it is the way to count tokens that is missing, not the model: gateways often have none."""
    status = getattr(error, "status_code", 0)
    if status != 404:
        return status in (405, 501)
    words = str(getattr(error, "api_message", "") or "")
    return getattr(error, "type", None) != "not_found_error" or "model" not in words.lower()


def _route(base_url: str) -> str:
    try:
        parts = urlsplit(base_url.rstrip("/"))
        is_plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        is_plain = is_plain and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or parts.query or parts.fragment:
        raise ValueError(
            "the base URL of the models is not of the form https://HOST/PATH, without a user or a query"
        )
    return parts.geturl()
