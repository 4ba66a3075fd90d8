"""The MCP tools of a Skill in a run: what is shown, what is asked, what is recorded and what a replay has of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agent.asking import NotRecorded
from agent.mcp_servers import McpServers
from agent.outside import Mode, NotApproved, NotForSimulations, Outside, ToolsChanged, pins_of
from config.mcp import McpServer
from db.inference import PostgresLedger
from db.pool import Database
from domain.inference import CallLedger, ToolUse
from domain.time import HOUR_MS, parse_ts
from domain.tools import PinnedTool
from tests.integration.agent.mcp_samples import program
from tests.standins.mcp_server import HIDDEN_PROMPT, INVISIBLE

NOON = parse_ts("2025-01-01T12:00:00Z")
STORIES = [(f"2025-01-01T{hour:02}:00:00Z", f"story of {hour}") for hour in range(24)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stand-in knows, and since when."""
    path = tmp_path_factory.mktemp("mcp") / "stories.jsonl"
    path.write_text("\n".join(json.dumps({"known_at": at, "text": text}) for at, text in STORIES))
    return path


@pytest.fixture(scope="module")
async def desk(anyio_backend: str, table: Path) -> AsyncIterator[McpServers]:
    """A server whose tools take the instant as `as_of`, where they take one."""
    server = program(env={"STANDIN_TABLE": str(table)}, as_of="as_of", timeout_s=1)
    opened = McpServers({"desk": server})
    yield opened
    await opened.close()


@pytest.fixture
def ledger(database: Database, owner: UUID) -> PostgresLedger:
    """The record of a person."""
    return PostgresLedger(database, owner, route="r")


async def pins(desk: McpServers, *names: str) -> list[PinnedTool]:
    """What a person approved of the server: everything, as it is now."""
    return pins_of([f"desk.{name}" for name in names], (await desk.offered("desk")).tools)


def outside(
    pinned: Sequence[PinnedTool],
    servers: McpServers | None,
    ledger: CallLedger | None = None,
    mode: Mode = "live",
    *,
    past: bool = False,
) -> Outside:
    """The tools of a run, live unless said otherwise."""
    return Outside(pinned, servers, ledger, mode, is_replayed_history=past)


def data_of(text: str) -> Any:
    """What is quoted in an answer."""
    assert text.startswith('<quoted source="MCP tool desk.')
    assert text.endswith("</quoted>")
    assert text.count("</quoted>") == 1
    return json.loads(text.partition(">")[2].removesuffix("</quoted>"))["answer"]


async def test_a_model_sees_what_was_approved_and_never_the_instant(desk: McpServers) -> None:
    """Names that it can call, cleaned descriptions that say whose they are, no argument for the time."""
    tools = outside(await pins(desk, "stories", "poisoned"), desk)

    (poisoned, said, _), (stories, _, schema) = tools.specs
    assert (poisoned, stories) == ("desk__poisoned", "desk__stories")
    assert said.startswith("A tool of the MCP server desk, whose words are not ours: Finds things.")
    assert not set(INVISIBLE) & set(said)
    assert list(schema["properties"]) == ["limit"]
    assert schema["required"] == []


async def test_a_tool_is_asked_for_what_was_known_at_the_tick(desk: McpServers) -> None:
    """A later tick sees more; nothing that came after its instant is ever seen."""
    tools = outside(await pins(desk, "stories"), desk, past=True)

    for hours in (0, 3):
        answer = await tools.call("desk__stories", {"limit": 2}, NOON + hours * HOUR_MS)
        assert not answer.is_error
        assert data_of(answer.text)["stories"] == [f"story of {11 + hours}", f"story of {12 + hours}"]


async def test_a_model_cannot_choose_the_instant(desk: McpServers) -> None:
    """The argument does not exist for it."""
    tools = outside(await pins(desk, "stories"), desk, past=True)

    answer = await tools.call("desk__stories", {"as_of": "2030-01-01T00:00:00Z"}, NOON)

    assert (answer.is_error, answer.problem) == (True, "bad_arguments")
    assert "takes no argument 'as_of'; it takes limit" in answer.text


async def test_a_tool_without_the_instant_has_no_place_in_a_simulation(desk: McpServers) -> None:
    """It is refused before the run begins, in one line; live, it is fine."""
    pinned = await pins(desk, "greet")

    with pytest.raises(NotForSimulations, match=r"desk\.greet can't be asked what it knew"):
        outside(pinned, desk, past=True)
    assert data_of((await outside(pinned, desk).call("desk__greet", {"name": "A"}, NOON)).text) == {
        "result": "hello A"
    }


@pytest.mark.parametrize(
    ("wire", "arguments", "problem", "says"),
    [
        ("desk__crash", {}, "unknown_tool", "there is no tool 'desk__crash'"),
        ("greet", {"name": "A"}, "unknown_tool", "there is no tool 'greet'"),
        ("desk.greet", {"name": "A"}, "unknown_tool", "there is no tool"),
        ("desk__greet", {}, "bad_arguments", "it lacks name"),
        ("desk__greet", {"name": 5}, "bad_arguments", "name must be of type string"),
        ("desk__greet", {"name": True}, "bad_arguments", "name must be of type string"),
        ("desk__greet", {"name": "A", "extra": 1}, "bad_arguments", "takes no argument 'extra'"),
        ("desk__greet", ["A"], "bad_arguments", "not a JSON object"),
        ("desk__greet", {"name": "A\0"}, "bad_arguments", "NUL"),
        ("desk__greet", {"name": "\ud800"}, "bad_arguments", "not JSON"),
        ("desk__slow", {"seconds": float("nan")}, "bad_arguments", "not JSON"),
        ("desk__greet", {"name": "A" * 20_000}, "too_large", "at most 16384 are read"),
    ],
)
async def test_a_call_that_cannot_be_understood_reaches_no_server(
    desk: McpServers, wire: str, arguments: Any, problem: str, says: str
) -> None:
    """A tool that is not on the list does not exist; the answer says what is wrong with the others."""
    tools = outside(await pins(desk, "greet", "slow"), None)

    answer = await tools.call(wire, arguments, NOON)

    assert (answer.is_error, answer.problem) == (True, problem)
    assert says in json.loads(answer.text)["error"]


async def test_an_answer_is_quoted_and_can_not_end_its_quotation(desk: McpServers) -> None:
    """Hidden characters and markup are gone; what remains is data of that server."""
    answer = await outside(await pins(desk, "poisoned"), desk).call("desk__poisoned", {}, NOON)

    found = data_of(answer.text)
    assert found == {"headline": "BTC rises", "body": HIDDEN_PROMPT}


async def test_a_recorded_answer_is_used_again_and_replayed_without_a_server(
    desk: McpServers, ledger: PostgresLedger, tmp_path: Path
) -> None:
    """The second recording asks nobody, the replay has no server; all answer alike, and a miss stops the replay."""
    marks = tmp_path / "calls"
    servers = McpServers({"desk": program(env={"STANDIN_MARKS": str(marks)})})
    try:
        pinned = await pins(servers, "greet")
        answers = [
            await outside(pinned, with_, ledger, mode).call("desk__greet", {"name": "Ada"}, NOON)
            for with_, mode in ((servers, "record"), (servers, "record"), (None, "replay"))
        ]
        await outside(pinned, servers, ledger, "live").call("desk__greet", {"name": "live"}, NOON)
    finally:
        await servers.close()

    assert len(set(map(repr, answers))) == 1
    assert marks.read_text().splitlines() == ["Ada", "live"]
    replay = outside(pinned, None, ledger, "replay")
    for arguments, ts in (({"name": "Bob"}, NOON), ({"name": "Ada"}, NOON + 1), ({"name": "live"}, NOON)):
        with pytest.raises(NotRecorded, match=r"an answer of desk\.greet .* is not recorded"):
            await replay.call("desk__greet", arguments, ts)


class _AtOnce(PostgresLedger):
    """A record in which two look at once, so that neither finds what the other is about to keep."""

    def __init__(self, database: Database, owner: UUID) -> None:
        super().__init__(database, owner, route="r")
        self._both = asyncio.Barrier(2)

    async def find_tool(self, key: str) -> ToolUse | None:
        found = await super().find_tool(key)
        await self._both.wait()
        return found


async def test_two_runs_that_ask_at_once_go_on_from_one_answer(
    desk: McpServers, database: Database, owner: UUID, tmp_path: Path
) -> None:
    """A server that tells each of them something else is recorded once, and both runs can be replayed."""
    (tmp_path / "other").write_text(json.dumps({"known_at": "2025-01-01T00:00:00Z", "text": "another story"}))
    other = McpServers(
        {"desk": program(env={"STANDIN_TABLE": str(tmp_path / "other")}, as_of="as_of", timeout_s=1)}
    )
    ledger, pinned = _AtOnce(database, owner), await pins(desk, "stories")
    try:
        await other.offered("desk")
        one, two = await asyncio.gather(
            *(
                outside(pinned, servers, ledger, "record").call("desk__stories", {"limit": 1}, NOON)
                for servers in (desk, other)
            )
        )
    finally:
        await other.close()

    assert one == two
    kept = PostgresLedger(database, owner, route="r")
    assert await outside(pinned, None, kept, "replay").call("desk__stories", {"limit": 1}, NOON) == one


async def test_a_recorded_answer_belongs_to_its_definition(desk: McpServers, ledger: PostgresLedger) -> None:
    """A tool that was approved anew in another form answers anew."""
    (pinned,) = await pins(desk, "greet")
    await outside([pinned], desk, ledger, "record").call("desk__greet", {"name": "Ada"}, NOON)
    other = PinnedTool("desk", "greet", pinned.description, pinned.schema, "0" * 64)

    with pytest.raises(NotRecorded):
        await outside([other], None, ledger, "replay").call("desk__greet", {"name": "Ada"}, NOON)


async def test_what_did_not_come_is_recorded_and_replayed(desk: McpServers, ledger: PostgresLedger) -> None:
    """Within a run it stays so, a replay repeats it, and a new recording asks again."""
    pinned = await pins(desk, "slow")
    down = McpServers({"desk": McpServer("desk", command=("no-such-program",))})
    first = outside(pinned, down, ledger, "record")

    missed = await first.call("desk__slow", {"seconds": 0}, NOON)
    first._servers = desk  # it is up again
    assert await first.call("desk__slow", {"seconds": 0}, NOON) == missed
    assert missed.is_error
    assert "there is no such program" in data_of(missed.text)
    assert await outside(pinned, None, ledger, "replay").call("desk__slow", {"seconds": 0}, NOON) == missed

    again = await outside(pinned, desk, ledger, "record").call("desk__slow", {"seconds": 0}, NOON)
    assert data_of(again.text) == {"result": "done"}
    assert await outside(pinned, None, ledger, "replay").call("desk__slow", {"seconds": 0}, NOON) == again


async def test_a_time_out_is_an_answer(desk: McpServers, ledger: PostgresLedger) -> None:
    """The same one in the replay."""
    pinned = await pins(desk, "slow")

    late = await outside(pinned, desk, ledger, "record").call("desk__slow", {"seconds": 30}, NOON)

    assert (late.is_error, data_of(late.text)) == (True, "the MCP server desk did not answer within 1 s")
    assert await outside(pinned, None, ledger, "replay").call("desk__slow", {"seconds": 30}, NOON) == late


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"STANDIN_GREETING": f"Greets. {HIDDEN_PROMPT}"}, "desk.greet has changed since it was approved"),
        ({"STANDIN_GREETING": "Greets.\u200b"}, "desk.greet has changed since it was approved"),
    ],
)
async def test_a_changed_description_stops_the_run(desk: McpServers, now: dict[str, str], says: str) -> None:
    """At the first call of that server, whichever tool it is; one line says how to approve it again."""
    pinned = await pins(desk, "greet", "slow")
    changed = McpServers({"desk": program(env=now)})
    try:
        with pytest.raises(ToolsChanged) as caught:
            await outside(pinned, changed).call("desk__slow", {"seconds": 0}, NOON)
    finally:
        await changed.close()

    assert says in str(caught.value)
    assert "agentic tools approve desk greet" in str(caught.value)
    assert HIDDEN_PROMPT not in str(caught.value)


async def test_a_tool_that_is_gone_stops_the_run(desk: McpServers) -> None:
    """As one that changed does."""
    (pinned,) = await pins(desk, "greet")
    gone = PinnedTool("desk", "gone", pinned.description, pinned.schema, pinned.digest)

    with pytest.raises(ToolsChanged, match=r"desk\.gone is gone"):
        await outside([pinned, gone], desk).call("desk__greet", {"name": "A"}, NOON)


async def test_a_tool_that_was_not_approved_can_not_be_used(desk: McpServers) -> None:
    """One line says which, and how; our own tools need no approval."""
    approved = await pins(desk, "greet")

    assert pins_of(["get_bars", "desk.greet", "propose_order"], approved) == approved
    with pytest.raises(NotApproved) as caught:
        pins_of(["desk.greet", "desk.slow", "news.find"], approved)
    assert str(caught.value) == (
        "desk.slow, news.find are not approved; read what it says with `agentic tools list`, "
        "then: agentic tools approve desk slow"
    )
