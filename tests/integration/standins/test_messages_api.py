"""The stand-in for the Messages API: what it refuses, what it counts, and that it serves other processes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from agent.models import AnthropicDoor, ModelFailure
from domain.inference import Reply, Usage
from tests.standins.brains import BRAINS
from tests.standins.messages_api import stand_in, stand_in_thread
from tests.standins.rules import objection
from tests.standins.steps import call, say

ROOT = Path(__file__).parents[3]
LATEST, OLDER = "2026-10-21", "2023-06-01"
TOOL = {"name": "get_bars", "description": "Bars.", "input_schema": {"type": "object"}}
USED = {"type": "tool_use", "id": "a", "name": "get_bars", "input": {}}
ANSWERED = {"type": "tool_result", "tool_use_id": "a", "content": "{}"}


def body(*turns: Any, model: str = "claude-sonnet-4-6", **fields: Any) -> dict[str, Any]:
    """A request whose turns take turns, the user's first."""
    roles = ("user", "assistant")
    said = [{"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns or ("What now?",))]
    return {"model": model, "max_tokens": 100, "messages": said, **fields}


async def ask(url: str, *bodies: dict[str, Any]) -> list[Reply]:
    """The replies to some requests, one after the other."""
    door = AnthropicDoor("key", base_url=url)
    try:
        return [await door.send(each, 60) for each in bodies]
    finally:
        await door.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (body(seed=7), "seed: Extra inputs"),
        (body(max_tokens=-1), "max_tokens"),
        (body(temperature=0), "sampling parameters"),
        (body([]), "content must not be empty"),
        (body([{"type": "text", "text": ""}]), "must be non-empty"),
        (body("Buy?", "Yes"), "prefill"),
        (body("Buy?", [USED], "Hm"), "without `tool_result`"),
        (body("Buy?", [USED], [{"type": "text", "text": "Hm"}, ANSWERED]), "without `tool_result`"),
        (body([ANSWERED]), "unexpected `tool_use_id`"),
        (body("Buy?", [{**USED, "_unreadable": "x"}], [ANSWERED]), "_unreadable: Extra inputs"),
        (body("Buy?", [{**USED, "input": "x"}], [ANSWERED]), "valid dictionary"),
        (body(tools=[{**TOOL, "name": "a.b"}]), "should match pattern"),
        (body(tools=[TOOL, TOOL]), "must be unique"),
        (
            body(tools=[{**TOOL, "cache_control": {"type": "ephemeral"}, "name": f"t{n}"} for n in range(5)]),
            "maximum of 4",
        ),
        (body(model="claude-sonnet-5-5", tool_choice={"type": "any"}), "forced tool use"),
        (body(model="claude-sonnet-5-5", thinking={"type": "disabled"}), "thinking.type"),
        (body(model="claude-haiku-4-5", output_config={"effort": "low"}), "output_config.effort"),
    ],
)
def test_a_request_that_the_api_refuses_is_refused(wrong: dict[str, Any], said: str) -> None:
    """Each with the field that is wrong."""
    assert said in str(objection(wrong, LATEST))


@pytest.mark.parametrize(
    "right",
    [
        body(),
        body("Buy?", [USED], [ANSWERED, {"type": "text", "text": "Go on."}]),
        body(model="claude-sonnet-5-5", thinking={"type": "between_tools"}, tools=[TOOL]),
        body(model="anthropic/claude-sonnet-5.5", thinking={"type": "disabled"}),
        body("Buy?", "Yes", model="claude-haiku-4-5"),
    ],
)
def test_a_request_that_the_api_takes_is_taken(right: dict[str, Any]) -> None:
    """Rules that refuse too much would hide what is wrong."""
    assert objection(right, LATEST) is None


def test_the_older_version_takes_a_temperature_from_some_models() -> None:
    """From those that take it at all."""
    assert objection(body(temperature=0), OLDER) is None
    assert objection(body(temperature=0, model="claude-sonnet-5-5"), OLDER) is not None


async def test_a_refused_request_reaches_the_caller_with_its_reason() -> None:
    """Over the wire, as a 400."""
    async with stand_in() as api:
        with pytest.raises(ModelFailure, match="seed: Extra inputs") as failed:
            await ask(api.url, body(seed=7))

    assert failed.value.kind == "invalid_request"


async def test_a_prompt_is_written_to_the_cache_once_and_then_read() -> None:
    """Up to the last mark that was seen; what comes after the last mark is neither, and small prompts are not kept."""
    mark = {"cache_control": {"type": "ephemeral"}}
    for_long = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    system = [{"type": "text", "text": "s" * 8_000, **for_long}]
    first, second = ([{"type": "text", "text": letter * 8_000, **mark}] for letter in "ab")
    async with stand_in() as api:
        fresh, again, other, small = (
            reply.usage
            for reply in await ask(
                api.url,
                body(first, system=system),
                body(first, system=system),
                body(second, system=system),
                body([{"type": "text", "text": "small", **mark}]),
            )
        )

    assert 1_900 < fresh.cache_write_1h < 2_100 < 3_900 < fresh.prompt < 4_200
    assert again == Usage(fresh.input, fresh.output, cache_read=fresh.cache_write_1h + fresh.cache_write_5m)
    assert (other.cache_read, other.cache_write_5m) == (fresh.cache_write_1h, fresh.cache_write_5m)
    assert (small.cache_read, small.cache_write_5m) == (0, 0)


async def test_steps_come_in_their_order_and_then_it_holds() -> None:
    """A script that is too short does not fail by itself; `calls` tells."""
    async with stand_in([say("one"), call("get_bars", {})]) as api:
        replies = await ask(api.url, body(), body(), body())

    assert [reply.stop for reply in replies] == ["end_turn", "tool_use", "end_turn"]
    assert api.calls == 3


async def test_a_function_answers_by_what_it_is_asked() -> None:
    """It is handed the request's body and its number."""
    async with stand_in(lambda asked, number: say(f"{asked['max_tokens']}/{number}")) as api:
        replies = await ask(api.url, body(), body(max_tokens=7))

    assert [reply.content[0]["text"] for reply in replies] == ["100/0", "7/1"]


async def test_the_same_question_gets_the_same_answer() -> None:
    """Ids included, whatever was asked before; so a recording does not depend on who asked first."""
    async with stand_in(BRAINS["chatty"]) as api:
        one, two, three = await ask(api.url, body("a"), body("b"), body("a"))

    assert one.content == three.content
    assert one.content[1]["id"] != two.content[1]["id"]


@pytest.mark.parametrize("name", sorted(BRAINS))
async def test_a_brain_acts_on_the_symbols_of_the_prompt(name: str) -> None:
    """Each turn is one that the API takes, and all but the reckless end by themselves."""
    prompt = [{"type": "text", "text": "You trade.\nSymbols: ETH, BTC\nBe careful."}]
    turns: list[Any] = ["context"]
    used: list[dict[str, Any]] = []
    async with stand_in(BRAINS[name]) as api:
        for _ in range(4):
            (reply,) = await ask(api.url, body(*turns, system=prompt))
            calls = [block for block in reply.content if block["type"] == "tool_use"]
            used += calls
            if not calls:
                break
            results = [{**ANSWERED, "tool_use_id": block["id"]} for block in calls]
            turns += [list(reply.content), results]

    assert (reply.stop == "end_turn") == (name != "reckless")
    assert bool(used) == (name != "hold")
    assert {block["input"].get("symbol", "ETH") for block in used} <= {"ETH", "DOGEMOON"}


def test_it_serves_a_caller_that_blocks_its_own_loop() -> None:
    """From a thread, to any number of loops one after the other, with hundreds of calls at once."""

    async def many() -> list[Reply]:
        door = AnthropicDoor("key", base_url=api.url)
        replies = await asyncio.gather(*(door.send(body(str(n)), 60) for n in range(200)))
        await door.close()
        return replies

    with stand_in_thread(latency_ms=1) as api:
        for _ in range(2):
            assert len(asyncio.run(many())) == 200

    assert api.calls == 400


@pytest.fixture
def serve(tmp_path: Path) -> Any:
    """Start the stand-in as a process of its own, and give its base URL."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> str:
        command = [sys.executable, "-m", "tests.standins.messages_api", *options]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield start
    for process in started:
        process.terminate()
        process.communicate()


async def test_it_serves_other_processes(serve: Callable[..., str], tmp_path: Path) -> None:
    """With a brain by name, on a port that it writes into a file."""
    url = serve("--brain", "trend", "--latency-ms", "1", "--port-file", str(tmp_path / "port"))

    (reply,) = await ask(url, body())

    assert url.endswith((tmp_path / "port").read_text())
    assert reply.content[-1]["name"] == "propose_order"


async def test_it_plays_steps_from_a_file(serve: Callable[..., str], tmp_path: Path) -> None:
    """So that a process can be shown failures too."""
    steps = [
        {"status": 401, "error_type": "authentication_error"},
        {"content": [{"type": "text", "text": "Hi"}]},
    ]
    (tmp_path / "steps.json").write_text(json.dumps(steps))
    url = serve("--steps", str(tmp_path / "steps.json"))

    with pytest.raises(ModelFailure, match="refused"):
        await ask(url, body())
    (reply,) = await ask(url, body())

    assert reply.content[0]["text"] == "Hi"


async def test_an_unsigned_request_is_refused() -> None:
    """Without a key it is a 401, without a version a 400; both in the API's form."""
    async with stand_in() as api, ClientSession() as session:
        for headers, status in (({}, 401), ({"x-api-key": "key"}, 400)):
            async with session.post(f"{api.url}/v1/messages", json=body(), headers=headers) as answer:
                told = await answer.json()
                assert (answer.status, told["type"]) == (status, "error")
