"""The MCP tools of one Skill in one run: what a model is shown of them, and how a call is answered.

Only what a person approved is shown, and only as it was approved. Answers are kept under a key that says everything
they may depend on, so that a replay has them without any server. All of it is a stranger's word and is passed on as
quoted data.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from agent.asking import NotRecorded, Stop
from agent.mcp_servers import McpServers, McpUnavailable
from agent.quoting import clean, quoted
from agent.tools import MOST_ARGUMENT_BYTES, Answer
from domain.inference import CallLedger, ToolUse
from domain.time import iso
from domain.tools import PinnedTool, canonical_json, refuse_collisions, visible

Mode = Literal["live", "record", "replay"]
Spec = tuple[str, str, dict[str, Any]]
"""A tool as a model is shown it: its name on the wire, its description, the JSON Schema of its arguments."""

MOST_TEXT = 1024 * 1024
MOST_NAME = 200


class ToolsChanged(Stop):
    """A server no longer offers what was approved. One line: which tool, and how to approve it again."""

    kind = "tool"


class NotForSimulations(ValueError):
    """A tool that can't say what it knew at an instant has no place in a replay of history."""


class NotApproved(ValueError):
    """A Skill lists a tool that its owner has not approved. One line that says how."""


class Outside:
    """The MCP tools of one Skill in one run.

    `servers` is None in a replay, where nothing is started. `is_replayed_history` says that the run looks at the past:
    then every tool must take the instant. Raises NotForSimulations for one that does not.
    """

    def __init__(
        self,
        pins: Sequence[PinnedTool],
        servers: McpServers | None,
        ledger: CallLedger | None,
        mode: Mode,
        *,
        is_replayed_history: bool,
    ) -> None:
        refuse_collisions(pins)
        if is_replayed_history:
            for pin in pins:
                _refuse_timeless(pin)
        self._pins = {pin.wire_name: pin for pin in pins}
        self._servers = servers
        self._ledger = ledger
        self._mode = mode
        self._missed: dict[
            str, ToolUse
        ] = {}  # by key: within a run, what did not come once does not come later

    @property
    def specs(self) -> list[Spec]:
        """The tools as a model is shown them, by name. The instant is no argument of theirs."""
        return [(wire, _described(pin), pin.shown_schema) for wire, pin in sorted(self._pins.items())]

    async def call(self, wire: str, arguments: dict[str, Any], ts: int) -> Answer:
        """Answer a call made at the tick `ts` (UTC ms). What a server does, and what a model wrote, never raises.

        Raises ToolsChanged when a server offers something else than was approved, and NotRecorded when a replay asks
        what is not in the record.
        """
        pin = self._pins.get(wire)
        if pin is None:
            return _malformed("unknown_tool", f"there is no tool {visible(wire, 60)!r}")
        if problem := _problem(pin.shown_schema, arguments):
            return _malformed("bad_arguments", f"{wire}: {problem}")
        sent = _sent(pin, arguments, ts)
        if unfit := _unfit(sent):
            return _malformed(*unfit)
        use = await self._used(pin, sent, answer_key(pin, arguments, ts))
        return Answer(use.answer, use.is_error)

    async def _used(self, pin: PinnedTool, arguments: dict[str, Any], key: str) -> ToolUse:
        """The recorded use of a tool, or a new one, which is recorded.

        Its `problem` says why no answer came (timeout, unreachable). A replay repeats that; a new recording asks again.
        """
        if key in self._missed:
            return self._missed[key]
        recorded = None if self._ledger is None or self._mode == "live" else await self._ledger.find_tool(key)
        if recorded is not None and (self._mode == "replay" or not recorded.problem):
            return recorded
        if self._mode == "replay" or self._servers is None:
            raise NotRecorded(
                f"an answer of {pin.full_name} (key {key[:12]}) is not recorded; run it with --mode record"
            )
        use = await _ask(self._servers, pin, arguments, self._pins.values())
        if self._ledger is not None and self._mode == "record":
            use = await self._ledger.keep_tool(key, use)  # or the answer that another run kept meanwhile
            if use.problem:
                self._missed[key] = use
        return use


def pins_of(tools: Iterable[str], approved: Iterable[PinnedTool]) -> list[PinnedTool]:
    """The approved definitions of a Skill's MCP tools (`server.tool`; trading tools are passed over).

    Raises NotApproved when one is missing.
    """
    known = {pin.full_name: pin for pin in approved}
    wanted = [tool for tool in tools if "." in tool]
    if missing := [tool for tool in wanted if tool not in known]:
        server, _, name = missing[0].partition(".")
        which = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not approved"
        raise NotApproved(
            f"{which}; read what it says with `agentic tools list`, then: {_approval(server, name)}"
        )
    return [known[tool] for tool in wanted]


async def _ask(
    servers: McpServers, pin: PinnedTool, arguments: dict[str, Any], pins: Iterable[PinnedTool]
) -> ToolUse:
    """Call a tool, once it is sure that its server offers what was approved."""
    try:
        offered = {tool.name: tool.digest for tool in (await servers.offered(pin.server)).tools}
    except McpUnavailable as error:
        return ToolUse(
            pin.wire_name, arguments, _quoted(pin, str(error)), is_error=True, problem="unreachable"
        )
    for each in pins:
        if each.server == pin.server and offered.get(each.name) != each.digest:
            raise ToolsChanged(_change(each, is_gone=each.name not in offered))
    reply = await servers.call(pin.server, pin.name, arguments)
    return ToolUse(pin.wire_name, arguments, _quoted(pin, reply.data), reply.is_error, reply.failure)


def _change(pin: PinnedTool, *, is_gone: bool) -> str:
    if is_gone:
        return (
            f"{pin.full_name} is gone: its server does not offer it any more; bring it back, or take it off the "
            "Skill's tools"
        )
    return (
        f"{pin.full_name} has changed since it was approved; see `agentic tools list`. If it still does what you "
        f"want, {_approval(pin.server, pin.name)} and start anew; or bring its server back as it was"
    )


def _approval(server: str, name: str) -> str:
    return f"agentic tools approve {server} {name}"


def _refuse_timeless(pin: PinnedTool) -> None:
    if pin.as_of is None:
        raise NotForSimulations(
            f"{pin.full_name} can't be asked what it knew at an instant, so it has no place in a simulation; take it "
            "off the Skill's tools, or name the argument for the instant as `as_of` of its server"
        )


def _described(pin: PinnedTool) -> str:
    return f"A tool of the MCP server {pin.server}, whose words are not ours: {pin.description}"


def answer_key(pin: PinnedTool, arguments: dict[str, Any], ts: int) -> str:
    """The key of the answer to a model's arguments at the tick `ts`: all that it may depend on.

    That is the very definition, what was asked, and the instant.
    """
    return hashlib.sha256(
        canonical_json([pin.server, pin.digest, _sent(pin, arguments, ts), iso(ts)])
    ).hexdigest()


def _sent(pin: PinnedTool, arguments: dict[str, Any], ts: int) -> dict[str, Any]:
    """What a server is asked: the model's arguments, and the instant."""
    return arguments if pin.as_of is None else {**arguments, pin.as_of: iso(ts)}


def _quoted(pin: PinnedTool, data: Any) -> str:
    return quoted(f"MCP tool {pin.full_name}", answer=_clean(data))


def _clean(data: Any) -> Any:
    """An answer with every text in it cleaned. Of a text that is all there is, the lines stay."""
    if isinstance(data, str):
        return "\n".join(clean(line, MOST_TEXT) for line in data.splitlines())
    if isinstance(data, list):
        return [_clean(each) for each in data]
    if isinstance(data, dict):
        return {clean(name, MOST_NAME): _clean(each) for name, each in data.items()}
    return data


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _problem(schema: dict[str, Any], arguments: Any) -> str:
    """What is wrong with arguments at first sight; nothing for what only the server can judge.

    Their names, whether all are there, and plain types are looked at. The rest of JSON Schema could keep us busy for
    as long as a server likes (patterns, references).
    """
    if not isinstance(arguments, dict):
        return "the arguments are not a JSON object"
    properties = schema.get("properties", {})
    takes = ", ".join(properties) or "none"
    for name in arguments:
        if name not in properties:
            return f"it takes no argument {visible(name, 60)!r}; it takes {takes}"
    for name in schema.get("required", ()):
        if name not in arguments:
            return f"it lacks {name}"
    for name, value in arguments.items():
        if not _is_of(value, properties[name].get("type")):
            return f"{name} must be of type {properties[name]['type']}"
    return ""


def _unfit(arguments: dict[str, Any]) -> tuple[str, str] | None:
    """Why arguments can't be sent or kept as JSON; None when they can."""
    try:
        text = msgspec.json.encode(arguments)
        canonical_json(arguments)
    except (ValueError, RecursionError):
        return "bad_arguments", "the arguments hold something that is not JSON"
    if b"\\u0000" in text:
        return "bad_arguments", "the arguments hold a NUL character; leave it out"
    if len(text) > MOST_ARGUMENT_BYTES:
        return "too_large", f"the arguments have {len(text)} bytes; at most {MOST_ARGUMENT_BYTES} are read"
    return None


def _is_of(value: Any, kind: Any) -> bool:
    if not isinstance(kind, str) or kind not in _TYPES:
        return True  # none, or several: left to the server
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and value.is_integer() and kind == "integer":
        return True
    return isinstance(value, _TYPES[kind])


def _malformed(problem: str, message: str) -> Answer:
    return Answer(canonical_json({"error": message}).decode(), is_error=True, problem=problem)
