"""What the Messages API refuses, as far as a client that was written for it should never do it.

From the provider's documentation of the API of 2026-10-21 and of the models' differences. Model ids that are not in
the table take everything.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Body = Mapping[str, Any]

NEWEST_API = "2026-10-21"
KNOWN_FIELDS = {
    *("model", "max_tokens", "messages", "system", "tools", "tool_choice", "output_config", "thinking"),
    *(
        "cache_control",
        "stop_sequences",
        "metadata",
        "service_tier",
        "stream",
        "temperature",
        "top_p",
        "top_k",
    ),
}
KNOWN_BLOCK_FIELDS = {
    "text": {"type", "text", "cache_control", "citations"},
    "tool_use": {"type", "id", "name", "input", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_BREAKPOINTS = 4


class ModelRules(msgspec.Struct, frozen=True):
    """What one model takes."""

    thinking: frozenset[str]
    takes_sampling: bool = False
    takes_forced_tools: bool = True
    takes_prefill: bool = False
    takes_effort: bool = True


MODELS = {
    "claude-sonnet-4-6": ModelRules(frozenset({"adaptive", "enabled", "disabled"}), takes_sampling=True),
    "claude-sonnet-5": ModelRules(frozenset({"adaptive", "disabled"})),
    "claude-sonnet-5-5": ModelRules(frozenset({"adaptive", "between_tools"}), takes_forced_tools=False),
    "claude-opus-5-5": ModelRules(frozenset({"adaptive"}), takes_forced_tools=False),
    "claude-haiku-5-5": ModelRules(frozenset({"adaptive", "disabled"})),
    "claude-haiku-4-5": ModelRules(
        frozenset({"enabled", "disabled"}), takes_sampling=True, takes_prefill=True, takes_effort=False
    ),
}


def objection(body: Body, version: str) -> str | None:
    """What is wrong with a request, in the words of a 400; None when nothing is."""
    return next(_objections(body, version), None)


def _objections(body: Body, version: str) -> Iterator[str]:
    for field in sorted(body.keys() - KNOWN_FIELDS):
        yield f"{field}: Extra inputs are not permitted"
    if not isinstance(body.get("model"), str):
        yield "model: Field required"
    most = body.get("max_tokens")
    if not isinstance(most, int) or most < 0:
        yield "max_tokens: Input should be a whole number, at least 0"
    yield from _of_model(body, version)
    yield from _of_tools(body)
    yield from _of_messages(body)
    if sum("cache_control" in block for block in blocks(body)) > MOST_BREAKPOINTS:
        yield f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided"


def _of_model(body: Body, version: str) -> Iterator[str]:
    rules = MODELS.get(str(body.get("model")))
    sampled = sorted({"temperature", "top_p", "top_k"} & body.keys())
    if sampled and (version >= NEWEST_API or (rules and not rules.takes_sampling)):
        yield f"{sampled[0]}: sampling parameters are not supported"
    if rules is None:
        return
    kind = (body.get("thinking") or {}).get("type")
    if kind is not None and kind not in rules.thinking:
        yield f"thinking.type: {kind!r} is not supported by this model"
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool") and not rules.takes_forced_tools:
        yield "tool_choice: forced tool use is not supported by this model"
    if "effort" in (body.get("output_config") or {}) and not rules.takes_effort:
        yield "output_config.effort: not supported by this model"
    messages = body.get("messages") or [{}]
    if messages[-1].get("role") == "assistant" and not rules.takes_prefill:
        yield "messages: this model does not support assistant message prefill"


def _of_tools(body: Body) -> Iterator[str]:
    names = [tool.get("name", "") for tool in body.get("tools", [])]
    for number, tool in enumerate(body.get("tools", [])):
        if not TOOL_NAME.fullmatch(tool.get("name", "")):
            yield f"tools.{number}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
        if (tool.get("input_schema") or {}).get("type") != "object":
            yield f"tools.{number}.input_schema.type: Field required"
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique"


def _of_messages(body: Body) -> Iterator[str]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages: at least one message is required"
        return
    if messages[0].get("role") != "user":
        yield "messages: first message must use the user role"
    waiting: list[str] = []  # for results, by the ids of the calls
    for number, message in enumerate(messages):
        at, content = f"messages.{number}", message.get("content")
        if message.get("role") not in ("user", "assistant"):
            yield f"{at}.role: Input should be 'user' or 'assistant'"
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        if not parts:
            yield f"{at}: content must not be empty"
        first = [part.get("tool_use_id") for part in parts[: len(waiting)]]
        if sorted(map(str, first)) != sorted(waiting):
            yield f"{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {waiting}"
        for place, part in enumerate(parts):
            yield from _of_block(part, f"{at}.content.{place}", waiting)
        waiting = [part.get("id", "") for part in parts if part.get("type") == "tool_use"]
        if len(set(waiting)) < len(waiting):
            yield f"{at}: `tool_use` ids must be unique"
    if waiting and messages[-1].get("role") == "assistant":
        yield f"messages: `tool_use` ids were found without `tool_result` blocks: {waiting}"


def _of_block(block: Body, at: str, waiting: list[str]) -> Iterator[str]:
    kind = block.get("type")
    if kind not in KNOWN_BLOCK_FIELDS:
        yield f"{at}.type: {kind!r} is not known"
        return
    for field in sorted(block.keys() - KNOWN_BLOCK_FIELDS[kind]):
        yield f"{at}.{kind}.{field}: Extra inputs are not permitted"
    if kind == "text" and not block.get("text"):
        yield f"{at}: text content blocks must be non-empty"
    elif kind == "text" and not block["text"].strip():
        yield f"{at}: text content blocks must contain non-whitespace text"
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        yield f"{at}.tool_use.input: Input should be a valid dictionary"
    if kind == "tool_use" and not TOOL_NAME.fullmatch(str(block.get("name"))):
        yield f"{at}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
    if kind == "tool_result" and block.get("tool_use_id") not in waiting:
        yield f"{at}: unexpected `tool_use_id` found in `tool_result` blocks: {block.get('tool_use_id')}"


def blocks(body: Body) -> Iterator[Body]:
    """All parts of a prompt that can end a cached prefix, in the order in which they are read."""
    yield from body.get("tools", [])
    system = body.get("system", [])
    yield from [{"type": "text", "text": system}] if isinstance(system, str) else system
    for message in body.get("messages", []):
        content = message.get("content")
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
            yield {**part, "role": message.get("role")}
