"""The limit of asking a model: nothing but the calls, one after the other. `bare_calls.py URL CALLS anthropic|aiohttp`.

Each is as long as one of a Skill's over a hundred bars, and its answer is streamed, as the product asks for it. What
the plain HTTP client takes is the time of the stand-in that answers.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import quantiles
from typing import Any

SYSTEM_BYTES, CONTEXT_BYTES, TOOL_BYTES, TOOLS = 4_000, 7_000, 800, 3
VERSION = "2026-10-21"

Ask = Callable[[dict[str, Any]], Awaitable[None]]


def body_of(number: int) -> dict[str, Any]:
    """A request that is like no other."""
    cached = {"cache_control": {"type": "ephemeral"}}
    tools = [
        {"name": f"tool_{n}", "description": _words(TOOL_BYTES), "input_schema": {"type": "object"}}
        for n in range(TOOLS)
    ]
    shown = [{"type": "text", "text": f"{number} {_words(CONTEXT_BYTES)}", **cached}]
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 4_096,
        "system": [{"type": "text", "text": _words(SYSTEM_BYTES), **cached}],
        "tools": tools,
        "messages": [{"role": "user", "content": shown}],
        "stream": True,
    }


def _words(size: int) -> str:
    return ("word 1234 " * (size // 10 + 1))[:size]


async def with_anthropic(url: str, calls: int) -> list[float]:
    """Call with the provider's own client."""
    import anthropic
    import httpx2

    http = httpx2.AsyncClient(trust_env=False)
    async with anthropic.AsyncAnthropic(api_key="none", base_url=url, http_client=http) as client:

        async def ask(body: dict[str, Any]) -> None:
            async for _ in await client.messages.create(**body):
                pass

        return await _timed(ask, calls)


async def with_aiohttp(url: str, calls: int) -> list[float]:
    """Call with a plain HTTP client that reads the bytes and looks at none of them."""
    import aiohttp

    headers = {"authorization": "Bearer none", "anthropic-version": VERSION}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask(body: dict[str, Any]) -> None:
            async with session.post(f"{url}/v1/messages", json=body) as response:
                response.raise_for_status()
                await response.read()

        return await _timed(ask, calls)


async def _timed(ask: Ask, calls: int) -> list[float]:
    """The seconds of each call. The first is made once more and not counted: it opens the connection."""
    await ask(body_of(-1))
    took = []
    for number in range(calls):
        body, begun = body_of(number), time.perf_counter()
        await ask(body)
        took.append(time.perf_counter() - begun)
    return took


def main(url: str, calls: int, client: str) -> None:
    """Print what the calls took as JSON."""
    took = asyncio.run({"anthropic": with_anthropic, "aiohttp": with_aiohttp}[client](url, calls))
    hundredths = quantiles(took, n=100, method="inclusive")
    said = {"loop_s": sum(took), "p50_ms": hundredths[49] * 1e3, "p99_ms": hundredths[98] * 1e3}
    print(json.dumps(said))


main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
