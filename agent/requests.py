"""The bytes that a model is asked with. What stays the same from tick to tick comes first, and is read from a cache.

The order is the provider's: tools, system, messages. There are two places up to which the prompt is cached: the end of
the Skill's own part (the same for every tick of a version) and the end of a tick's context (the same for every call of
a tick). Nothing here depends on the clock, on chance or on the order of a dictionary.
"""

from collections.abc import Sequence
from typing import Any

from config.models import ModelFacts
from skills.skill import Skill

MOST_OUTPUT_TOKENS = 4_096
"""What a model may write in one call, thinking included, unless the Skill's `max_tokens` says otherwise."""

_CACHED = {"type": "ephemeral"}

Block = dict[str, Any]


def opening(skill: Skill, facts: ModelFacts | None, system: Sequence[str], tools: Sequence[Block]) -> Block:
    """The part of a request that is the same for all ticks of a Skill version."""
    params = skill.model_params
    blocks: list[Block] = [{"type": "text", "text": text} for text in system]
    blocks[-1]["cache_control"] = _CACHED
    body: Block = {
        "model": skill.model.partition(":")[2],
        "max_tokens": params.get("max_tokens", MOST_OUTPUT_TOKENS),
        "system": blocks,
    }
    if tools:
        body["tools"] = sorted(tools, key=lambda tool: str(tool["name"]))
    if "effort" in params:
        body["output_config"] = {"effort": params["effort"]}
    if "thinking" in params:
        body["thinking"] = {"type": _thinking(str(params["thinking"]), facts)}
    if "temperature" in params:
        body["temperature"] = float(str(params["temperature"]))
    return body


def first_turn(context: str) -> Block:
    """The turn that shows a tick's context."""
    return {"role": "user", "content": [{"type": "text", "text": context, "cache_control": _CACHED}]}


def answers(results: Sequence[tuple[str, str, bool]]) -> Block:
    """The turn that answers tool calls: (id of the call, text, whether it is an error), in their order."""
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": of, "content": text, "is_error": is_error}
            for of, text, is_error in results
        ],
    }


def remark(text: str) -> Block:
    """A turn that says what was wrong with an answer."""
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _thinking(wanted: str, facts: ModelFacts | None) -> str:
    """The provider's word for a Skill's: some models can't be kept from thinking altogether."""
    word = "disabled" if wanted == "off" else wanted
    return word if facts is None else facts.thinking_type(wanted) or word
