"""A trader that is a language model: it is shown a tick, calls tools, and is answered, until it ends its turn.

It keeps nothing between ticks. Everything it may do goes through the tick, so nothing it says can pass the engine's
caps, and a tool that its Skill does not list does not exist. Every way in which a tick can end is bounded: calls, tool
calls, malformed answers, time, money.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from agent.allowance import Patience
from agent.answers import UNREADABLE
from agent.asking import Asker
from agent.context import assemble
from agent.outside import Outside
from agent.prompts import system_blocks
from agent.requests import Block, answers, first_turn, opening, remark
from agent.tick import Tick
from agent.tools import Answer, Toolbox
from config.models import ModelFacts
from domain.caps import Caps
from domain.inference import Failure, ModelCall, Outcome, Reply, ToolUse, digest_of
from domain.money import ZERO
from skills.skill import Skill

MOST_CALLS = 12
MOST_TOOL_CALLS = 40
MOST_MALFORMED = 2
DEADLINE_S = 120.0
MOST_TEXT = 4_000
MOST_NOTE = 1_000
MOST_ARGUMENTS = 16 * 1024
MOST_ANSWER_BYTES = 48 * 1024
MOST_WORD = 64

EMPTY = (
    "Your answer was empty. Call a tool, or end your turn with one sentence that says that you hold, and why."
)
PROSE = (
    "Nothing was done: text is not read for orders, they are placed by calling a tool. Call it now, or end your turn "
    "with one sentence that says that you hold, and why."
)

_CUT = {
    "max_tokens": "the answer was cut at the Skill's max_tokens",
    "model_context_window_exceeded": "the answer was cut, because the model's context was full",
}
_NO_WORD = re.compile(r"[^a-zA-Z0-9_-]")
_CALL_IN_TEXT = re.compile(r"[{｛]|<\s*(tool|function|invoke|antml)|^[^\S\n]*[\[［]\s*[\"'{\d-]", re.I | re.M)


class LanguageTrader:
    """Decides by asking a model. `caps` are those that hold: the Skill's, tightened by the platform's."""

    def __init__(
        self,
        skill: Skill,
        caps: Caps,
        facts: ModelFacts | None,
        asker: Asker,
        outside: Outside | None = None,
    ) -> None:
        self._caps = caps
        self.asker = asker
        self.outside = outside
        self.toolbox = Toolbox(skill.tools)
        tools = [tool.wire() for tool in self.toolbox.tools]
        specs = [] if outside is None else outside.specs
        tools += [_wire(*spec) for spec in specs]
        self.outside_names = frozenset(name for name, _, _ in specs)
        self.opening = opening(skill, facts, system_blocks(skill, caps), tools)

    async def decide(self, tick: Tick) -> None:
        """Show the tick to the model and do what it asks for. Raises `asking.Stop` when nobody can be asked."""
        tick.context = await self.context_of(tick)
        await _Talk(self, tick).hold()

    async def context_of(self, tick: Tick) -> str:
        """What the model is shown at a tick."""
        market = tick.skill.market
        news = await tick.past.latest_news(market.symbols, market.news) if market.news else ()
        return assemble(tick, tick.memos, news, caps=self._caps).text


class _Talk:
    """The conversation of one tick."""

    def __init__(self, trader: LanguageTrader, tick: Tick) -> None:
        self._trader = trader
        self._tick = tick
        self._messages = [first_turn(tick.context)]
        self._patience = Patience(DEADLINE_S)
        self._usd = ZERO
        self._uses = 0
        self._malformed = 0
        self._taken: set[str] = set()  # ids of tool calls

    async def hold(self) -> None:
        """Go on until the model ends its turn, or a bound ends it."""
        for _ in range(MOST_CALLS):
            body = {**self._trader.opening, "messages": self._messages}
            key, found = await self._trader.asker.ask(body, self._patience, self._usd)
            self._usd += found.cost_usd or ZERO
            if isinstance(found.outcome, Failure):
                self._note(key, found.outcome, found.cost_usd)
                self._fail(found.outcome.kind, found.outcome.message)
                return
            if await self._take(key, found.outcome, found.cost_usd):
                return
        self._end("calls", f"ended after {MOST_CALLS} calls")

    async def _take(self, key: str, reply: Reply, cost: Decimal | None) -> bool:
        """Do what a reply asks for. Gives whether the tick is over."""
        if reply.stop in _CUT or reply.stop == "refusal":
            self._note(key, reply, cost)
            self._fail(reply.stop, _CUT.get(reply.stop, "the model declined to answer"))
            return True
        wanted = [block for block in reply.content if block.get("type") == "tool_use"]
        had_used = self._uses > 0
        problem = "" if wanted or had_used else _problem_of(reply)
        uses: list[ToolUse] = []
        try:  # what was used before something raises is kept
            for block in wanted:
                uses.append(await self._use(block))
        finally:
            self._note(key, reply, cost, uses, problem)
        if not uses and not problem:
            return True
        self._malformed += bool(problem or any(use.problem for use in uses))
        if self._malformed > MOST_MALFORMED:
            self._end("malformed", f"ended after {self._malformed} malformed answers")
        elif self._uses > MOST_TOOL_CALLS:
            self._end("tool_calls", f"ended after {MOST_TOOL_CALLS} tool calls")
        else:
            self._reply_to(reply, wanted, uses, problem)
        return bool(self._tick.ended)

    async def _use(self, block: Block) -> ToolUse:
        """Carry out one tool call."""
        self._uses += 1
        name, arguments = str(block.get("name", ""))[:100], block.get("input")
        answer = await self._answer(name, arguments, block)
        if len(answer.text.encode()) > MOST_ANSWER_BYTES:
            answer = _error(f"the answer is longer than {MOST_ANSWER_BYTES} bytes; ask for less", "")
        kept = UNREADABLE if UNREADABLE in block else "input"
        return ToolUse(
            _storable(name), _bounded(block.get(kept)), answer.text, answer.is_error, answer.problem
        )

    async def _answer(self, name: str, arguments: Any, block: Block) -> Answer:
        if self._uses > MOST_TOOL_CALLS:
            return _error(f"at most {MOST_TOOL_CALLS} tools are called in a tick; this was not", "too_many")
        if UNREADABLE in block:
            return _error(f"the arguments of {name} are not JSON; write one JSON object", "unreadable")
        if not isinstance(arguments, Mapping):
            return _error(f"the arguments of {name} are no JSON object; write one", "bad_arguments")
        if self._trader.outside is not None and name in self._trader.outside_names:
            with self._trader.asker.counted(self._patience):
                return await self._trader.outside.call(name, dict(arguments), self._tick.ts)
        return await self._trader.toolbox.call(self._tick, name, msgspec.json.encode(arguments))

    def _reply_to(self, reply: Reply, wanted: Sequence[Block], uses: Sequence[ToolUse], problem: str) -> None:
        """Append what the model said, as it said it but for what the API does not take back, and the answers to it."""
        ids = self._ids(wanted)
        rest = iter(ids)
        content = [
            _sendable(block, next(rest) if block.get("type") == "tool_use" else "")
            for block in reply.content
            if not _is_blank(block)
        ]
        if content:
            self._messages.append({"role": "assistant", "content": content})
        if uses:
            results = [(one, use.answer, use.is_error) for one, use in zip(ids, uses, strict=True)]
            self._messages.append(answers(results))
        elif problem:
            self._messages.append(remark(EMPTY if problem == "empty" else PROSE))

    def _ids(self, wanted: Sequence[Block]) -> list[str]:
        """An id for each tool call: its own, unless an earlier call has it, since the API takes each once."""
        ids = []
        for block in wanted:
            own = found = _word(block.get("id"))
            again = 0
            while found in self._taken:
                again += 1
                found = f"{own[: MOST_WORD - 8]}_{again}"
            self._taken.add(found)
            ids.append(found)
        return ids

    def _note(
        self,
        key: str,
        outcome: Outcome,
        cost: Decimal | None,
        uses: Sequence[ToolUse] = (),
        problem: str = "",
    ) -> None:
        """Keep a call in the tick."""
        reply = outcome if isinstance(outcome, Reply) else Reply((), outcome.kind)
        text = _storable(text_of(reply))
        self._tick.calls.append(
            ModelCall(
                key,
                self._trader.opening["model"],
                _storable(reply.stop)[:MOST_WORD],
                text[:MOST_TEXT],
                reply.usage,
                cost,
                tuple(uses),
                problem,
                digest_of(outcome),
                _storable(outcome.message)[:MOST_NOTE] if isinstance(outcome, Failure) else "",
            )
        )
        self._tick.note = text[:MOST_NOTE] or self._tick.note

    def _fail(self, kind: str, message: str) -> None:
        self._tick.failed = True
        self._end(kind, message)

    def _end(self, kind: str, message: str) -> None:
        self._tick.ended, self._tick.note = _storable(kind)[:MOST_WORD], _storable(message)[:MOST_NOTE]


def text_of(reply: Reply) -> str:
    """What a reply says in words."""
    said = (str(block.get("text", "")) for block in reply.content if block.get("type") == "text")
    return "\n".join(said).strip()


def _problem_of(reply: Reply) -> str:
    """What is malformed about a reply that calls no tool. Plain words are none: they are how a model holds."""
    text = text_of(reply)
    if not text:
        return "empty"
    return "call_in_text" if reply.stop == "tool_use" or _CALL_IN_TEXT.search(text) else ""


def _is_blank(block: Block) -> bool:
    """Whether a block is text without a word: "text content blocks must contain non-whitespace text"."""
    return block.get("type") == "text" and not str(block.get("text", "")).strip()


def _sendable(block: Block, call_id: str) -> Block:
    """A block as the API takes it back: as it came, but for a call's id, and a name that it would refuse."""
    kept = {name: value for name, value in block.items() if name != UNREADABLE}
    if kept.get("type") == "tool_use":
        kept |= {"id": call_id, "name": _word(kept.get("name"))}
    return kept


def _word(text: Any) -> str:
    return _NO_WORD.sub("_", str(text))[:MOST_WORD] or "_"


def _wire(name: str, description: str, schema: Mapping[str, Any]) -> Block:
    return {"name": name, "description": description, "input_schema": dict(schema)}


def _error(message: str, problem: str) -> Answer:
    text = msgspec.json.encode({"error": message}).decode()
    return Answer(text, is_error=True, problem=problem)


def _bounded(arguments: Any) -> Any:
    """Arguments as they are kept: whole, or the beginning of what is too long or can't be stored."""
    text = msgspec.json.encode(arguments, order="deterministic")
    if len(text) <= MOST_ARGUMENTS and b"\\u0000" not in text:
        return arguments
    return _storable(text[:1000].decode("utf-8", "replace")) + "…"


def _storable(text: str) -> str:
    """Text without what Postgres keeps in no text of its own."""
    return text.replace("\0", "\ufffd")
