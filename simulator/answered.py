"""What one run was answered, by its model and by tools outside: the record, read as its decisions say.

The record holds the newest answer to a request by each way there is, and a failure gives way to an answer that comes
later. So a run's own answers are told apart by their digests, and what gave way is taken from its decisions.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

import msgspec

from agent.outside import answer_key
from db.connection import Connection
from db.decisions import thoughts
from db.inference import CallRow, PostgresLedger, ToolRow, calls_of_keys, tool_results
from db.pool import Database
from db.runs import RunRow
from domain.inference import Failure, ModelCall, Outcome, Recorded, Reply, ToolUse, digest_of
from domain.snapshots import DecisionSnapshot
from domain.tools import PinnedTool
from simulator.spec import from_config


class Answered(msgspec.Struct, frozen=True):
    """A run's answers, each under the key of what was asked. `missing` are the keys of those that are not recorded."""

    calls: list[CallRow]
    answers: list[ToolRow]
    missing: list[str]


async def answered(connection: Connection, row: RunRow, tools: Iterable[PinnedTool]) -> Answered:
    """Give what a run was answered. `tools` are those of MCP servers that it had."""
    return await answered_in(connection, row.user_id, row.id, from_config(row.config).origin, tools)


async def answered_in(
    connection: Connection, user_id: UUID, account_id: UUID, origin: str, tools: Iterable[PinnedTool]
) -> Answered:
    """Give what was answered to the decisions of an account: a run's, or a deployment's."""
    rows = await thoughts(connection, account_id)
    decisions = [msgspec.convert(one.body, DecisionSnapshot) for one in rows]
    asked = {call.key: call for decision in decisions for call in decision.calls}
    ways = defaultdict(list)
    for one in await calls_of_keys(connection, user_id, list(asked), origin=origin):
        ways[one.key].append(one)
    own = {key: found for key, call in asked.items() if (found := _own(call, ways[key]))}
    uses: dict[str, ToolUse] = {}
    for key, use in _uses(decisions, {key: call.outcome for key, call in own.items()}, tools):
        uses.setdefault(key, use)
    answers = await tool_results(connection, user_id, list(uses), origin=origin)
    return Answered(
        list(own.values()),
        [_as_told(one, uses[one.key]) for one in answers],
        [key for key in asked if key not in own],
    )


class LedgerOfRun(PostgresLedger):
    """The record as one run found it: what it was answered, and nothing else. For replays of that run."""

    def __init__(self, database: Database, user_id: UUID, found: Answered, *, origin: str) -> None:
        super().__init__(database, user_id, route="", origin=origin, any_route=True)
        self._calls = {call.key: Recorded(call.outcome, call.cost_usd) for call in found.calls}
        self._uses = {one.key: one.use for one in found.answers}

    async def find(self, key: str) -> Recorded | None:
        """What the run was answered to a request."""
        return self._calls.get(key)

    async def find_tool(self, key: str) -> ToolUse | None:
        """What the run was answered by a tool outside."""
        return self._uses.get(key)


def _own(call: ModelCall, ways: Sequence[CallRow]) -> CallRow | None:
    """The very answer to a call, among those to the same request."""
    for one in ways:
        if digest_of(one.outcome) == call.answer:
            return one._replace(cost_usd=call.cost_usd)
    if ways and call.failure:
        return ways[0]._replace(outcome=Failure(call.stop, call.failure), cost_usd=call.cost_usd)
    return None


def _uses(
    decisions: Iterable[DecisionSnapshot], outcomes: Mapping[str, Outcome], tools: Iterable[PinnedTool]
) -> Iterator[tuple[str, ToolUse]]:
    """What was asked of tools outside, word for word, and what the model was told."""
    pins = {tool.wire_name: tool for tool in tools}
    for decision in decisions:
        for call in decision.calls:
            reply = outcomes.get(call.key)
            content = reply.content if isinstance(reply, Reply) else ()
            wanted = (block for block in content if block.get("type") == "tool_use")
            for block, use in zip(
                wanted, call.tools, strict=False
            ):  # of an answer that was cut, none was called
                pin, given = pins.get(str(block.get("name"))), block.get("input")
                if pin is not None and isinstance(given, dict) and not use.problem:
                    yield answer_key(pin, given, decision.tick_ts), use


def _as_told(row: ToolRow, use: ToolUse) -> ToolRow:
    """A recorded answer as the run was told it: where none came then, one may have come to another since."""
    if (row.use.answer, row.use.is_error) == (use.answer, use.is_error):
        return row
    return row._replace(
        use=msgspec.structs.replace(row.use, answer=use.answer, is_error=use.is_error, problem="")
    )
