"""What the stand-in for the Messages API does with one request: what it answers, and what goes wrong on the way."""

from typing import Any, Literal

import msgspec

Fault = Literal[
    "", "error", "cut", "eof", "hang", "html", "broken_json", "other_json", "error_json", "endless", "packed"
]
"""What goes wrong after a good beginning, or instead of it.

In the middle of the answer: `error` is an event of the provider's, `cut` an end of the connection, `eof` a clean end
without a reason to stop, `hang` silence. Instead of the answer: a page of HTML, an event that is no JSON, JSON of
another API, JSON of an error, text without an end, or gzip.
"""


class Step(msgspec.Struct, frozen=True):
    """One answer. With a `status` other than 200 it is an error of the type named; otherwise these blocks.

    The input of a tool call may be text, which is then sent as it is, JSON or not. `usage` overrides what is counted.
    `piece_bytes` and `piece_ms` let the bytes of the answer drip, `latency_ms` is how long nothing happens before.
    """

    content: tuple[dict[str, Any], ...] = ()
    stop: str = "end_turn"
    usage: dict[str, Any] = {}
    status: int = 200
    error_type: str = ""
    error_code: str = ""
    message: str = ""
    headers: dict[str, str] = {}
    page: str = ""  # of HTML, in the place of the JSON of an error
    fault: Fault = ""
    latency_ms: float = 0.0
    piece_bytes: int = 0
    piece_ms: float = 0.0

    def but(self, **changes: Any) -> "Step":
        """The same with some fields changed."""
        return msgspec.structs.replace(self, **changes)


def say(text: str, **changes: Any) -> Step:
    """Answer with text, and end the turn."""
    return Step(({"type": "text", "text": text},)).but(**changes)


def call(*tools: Any, text: str = "", thought: str = "", **changes: Any) -> Step:
    """Call tools: `call("get_bars", {...})` for one, `call(("get_bars", {...}), ("get_portfolio", {}))` for more."""
    wanted = [tools] if isinstance(tools[0], str) else tools
    content: list[dict[str, Any]] = []
    if thought:
        content.append({"type": "thinking", "thinking": thought, "signature": f"EqQB{len(thought):04}=="})
    if text:
        content.append({"type": "text", "text": text})
    content += [{"type": "tool_use", "name": name, "input": given} for name, given in wanted]
    return Step(tuple(content), "tool_use").but(**changes)


def refuse(status: int, error_type: str, message: str = "boom", **changes: Any) -> Step:
    """Answer with an error of the provider's form."""
    return Step(status=status, error_type=error_type, message=message).but(**changes)
