"""Reads an answer of the Messages API as it comes in, event by event, whatever a model or a gateway put into it.

The blocks are kept as they came, since a model wants them back exactly so: signatures, unknown kinds and the order of
keys included. Three things are mended, or nothing could be done with the answer: halves of characters become U+FFFD,
text without any text is left out (the API takes none back), and a tool call always has an id, a name and an object
for its input. An input that can't be read is {}, and the block then says what it was, under `UNREADABLE`, which has
to be taken out before the block is sent back.

The form of the events: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from domain.inference import Reply, Usage

UNREADABLE = "_unreadable"
MOST_UNREADABLE = 2_000
CHARS_PER_TOKEN = 3  # an estimate, on the high side of what newer tokenizers make of English and JSON
MOST_BLOCKS = 1_000  # of an answer: models write a few, and each tool call among them is answered and kept
DEEPEST = 64  # levels of a block; what nests deeper could not be sent back

_MOST_TOKENS = 10**9  # of one call; a figure beyond it is none
_FIELDS = {  # a kind of delta → the field that it carries, which is that of the block too, but for a tool's input
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


class NotAnAnswer(ValueError):
    """What came is not of the Messages API. One line: what was found."""


class Lines:
    """Cuts a stream of bytes into its server-sent events, giving the data of each."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._looked = 0  # how much of the rest has been searched for an end of line
        self._data: list[bytes] = []

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """Take in the next bytes, and give the events that they complete."""
        self._rest += chunk
        start = 0
        while (end := self._rest.find(b"\n", max(start, self._looked))) >= 0:
            line = bytes(self._rest[start:end]).removesuffix(b"\r")
            start = end + 1
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data = []
        del self._rest[:start]
        self._looked = len(self._rest)


class Answer:
    """One answer, as far as it has come in."""

    def __init__(self) -> None:
        self.request_id = ""
        self.is_begun = False
        self.is_ended = False  # the API said that nothing more will come
        self.whole: Reply | None = None  # as soon as it has all come in
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, dict[str, list[str]]] = {}
        self._citations: dict[int, list[Any]] = {}
        self._received = 0  # characters of text, thinking and arguments
        self._usage: dict[str, Any] = {}
        self._is_counted = False  # whether the output was counted at its end
        self._stop = ""
        self._model = ""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event; unknown ones say nothing. Raises NotAnAnswer for one that can't be what it says."""
        match event.get("type"):
            case "message_start":
                message = _object(event.get("message"), "a message")
                self.is_begun = True
                self._model = _word(message.get("model"), 100)
                self._take_usage(message.get("usage"))
            case "content_block_start":
                self._blocks[_number(event)] = dict(_object(event.get("content_block"), "a block"))
                if len(self._blocks) > MOST_BLOCKS:
                    raise NotAnAnswer(f"more than {MOST_BLOCKS} blocks")
            case "content_block_delta":
                self._take_delta(_number(event), _object(event.get("delta"), "a delta"))
            case "message_delta":
                self._stop = _word(_object(event.get("delta"), "a delta").get("stop_reason"), 40)
                self._take_usage(event.get("usage"))
                self._is_counted |= _says_output(event.get("usage"))
            case "message_stop":
                self.is_ended = True
                self.end()

    def take_whole(self, message: Mapping[str, Any]) -> None:
        """Take in a message that did not come in events, from a gateway that does not stream."""
        if message.get("type") != "message" or not isinstance(message.get("content"), list):
            raise NotAnAnswer("JSON that is no message")
        self.take({"type": "message_start", "message": message})
        for number, block in enumerate(message["content"]):
            self.take({"type": "content_block_start", "index": number, "content_block": block})
        self.take({"type": "message_delta", "delta": message, "usage": message.get("usage")})
        self.take({"type": "message_stop"})

    def end(self) -> None:
        """Nothing more will come. The answer is whole if the model said why it stopped; else it broke off.

        Raises NotAnAnswer for blocks that could not be kept or sent back.
        """
        if self._stop:
            content = tuple(self._finished())
            self.whole = Reply(content, self._stop, self.usage(), self._model, _word(self.request_id, 100))

    def usage(self) -> Usage:
        """The tokens that were counted. Where nobody counted the output, it is an estimate of what came in."""
        told = self._usage
        written = told.get("cache_creation")
        for_1h = _count(written.get("ephemeral_1h_input_tokens")) if isinstance(written, dict) else 0
        in_all = _count(told.get("cache_creation_input_tokens"))
        if isinstance(written, dict):
            in_all = max(in_all, for_1h + _count(written.get("ephemeral_5m_input_tokens")))
        output = _count(told.get("output_tokens"))
        return Usage(
            input=_count(told.get("input_tokens")),
            output=output if self._is_counted else max(output, -(-self._received // CHARS_PER_TOKEN)),
            cache_read=_count(told.get("cache_read_input_tokens")),
            cache_write_5m=max(0, in_all - for_1h),
            cache_write_1h=for_1h,
        )

    def _take_usage(self, usage: Any) -> None:
        """Later figures are of the whole answer, so they take the place of earlier ones; what is left out, stays."""
        if isinstance(usage, dict):
            self._usage |= {name: told for name, told in usage.items() if told is not None}

    def _take_delta(self, number: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "citations_delta":
            self._citations.setdefault(number, []).append(delta.get("citation"))
        elif isinstance(kind, str) and kind in _FIELDS and isinstance(text := delta.get(_FIELDS[kind]), str):
            self._received += len(text)
            self._pieces.setdefault(number, {}).setdefault(_FIELDS[kind], []).append(text)

    def _finished(self) -> Iterator[dict[str, Any]]:
        for number, begun in sorted(self._blocks.items()):
            pieces = {name: _healed("".join(each)) for name, each in self._pieces.get(number, {}).items()}
            block = dict(begun)
            if more := self._citations.get(number):
                told = block.get("citations")
                block["citations"] = [*(told if isinstance(told, list) else ()), *more]
            written = pieces.pop("partial_json", "")
            for name, text in pieces.items():
                block[name] = _word(block.get(name)) + text
            if written or block.get("type") == "tool_use":
                _read_input(block, number, written)
            if block.get("type") != "text" or _word(block.get("text")):
                yield _sound(block)


def read_event(data: bytes) -> dict[str, Any]:
    """Read the data of one event. Raises NotAnAnswer for what is no object of JSON."""
    try:
        event = json.loads(data.decode("utf-8", "replace"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise NotAnAnswer("an event that is no JSON") from None
    return dict(_object(event, "an event"))


def _read_input(block: dict[str, Any], number: int, written: str) -> None:
    """Give a tool call its input, an id and a name; some gateways put the whole input where the block begins."""
    if block.get("type") == "tool_use":
        block["id"] = _word(block.get("id"), 200) or f"call_{number}"
        block["name"] = _word(block.get("name"), 200)
    if written:
        try:
            given = msgspec.json.decode(written)
        except (ValueError, RecursionError):
            given = None
    else:
        given = block.get("input")
        shown = repr(given) if _nests(given) < DEEPEST else "nested too deep"
        written = "" if given is None else shown[:MOST_UNREADABLE]
    if isinstance(given, dict) and _nests(given) < DEEPEST:
        block["input"] = given
    else:
        block["input"] = {}
        if written:
            block[UNREADABLE] = _healed(written[:MOST_UNREADABLE])


def _sound(block: dict[str, Any]) -> dict[str, Any]:
    """Hold a block to what JSON can carry both ways, whoever writes and reads it."""
    try:
        if _nests(block) <= DEEPEST:
            msgspec.json.decode(json.dumps(block, ensure_ascii=False, allow_nan=False).encode())
            return block
    except ValueError:
        pass
    raise NotAnAnswer("a block that can't be kept")


def _nests(value: Any) -> int:
    """How deep lists and objects nest, counted no further than it matters."""
    level, depth = [value], 0
    while depth <= DEEPEST and (level := [each for each in level if isinstance(each, dict | list)]):
        depth += 1
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return depth


def _healed(text: str) -> str:
    """Text whose halves of characters, as some gateways send them, are put together where both are there."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotAnAnswer(f"{what} that is no object")
    return value


def _number(event: Mapping[str, Any]) -> int:
    number = event.get("index")
    if not isinstance(number, int):
        raise NotAnAnswer("a block without a number")
    return number


def _word(value: Any, most: int | None = None) -> str:
    return _healed(value[:most]) if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


def _says_output(usage: Any) -> bool:
    return isinstance(usage, dict) and _count(usage.get("output_tokens")) > 0


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
