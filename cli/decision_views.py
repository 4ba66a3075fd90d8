"""How decisions look on a terminal: a line each, or the whole story of one.

What a model was shown or said may come from anybody. Each of its lines is set behind a bar, and no character in it
acts on the terminal, so that none of it can pass for a line of ours.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from cli.output import printable
from cli.sim_views import SHORT_ID
from control.decisions import DecisionPage, answer_in_words, steps, thinking_of
from domain.inference import ModelCall, ToolUse, Usage
from domain.money import plain
from domain.snapshots import AccountView, DecisionSnapshot
from domain.time import iso
from simulator.report.words import grouped

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from cli.decisions import Decider

BAR = "  │ "
KEY_SHOWN = 16


def listing(run: str, page: DecisionPage) -> "Group | Table | str":
    """Decisions, newest first: when, how it ended, what was done; what it cost, where a model was asked."""
    from rich.console import Group
    from rich.table import Table

    if not page.decisions:
        return "There are no decisions here: nothing was done, or it was before the first of them."
    has_model = any(line.calls for line in page.decisions)
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")
    table.add_column("Tick", no_wrap=True)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("What", overflow="fold")
    if has_model:
        table.add_column("USD", justify="right", no_wrap=True)
    for line in page.decisions:
        cost = [money(line.cost_usd)] if has_model else []
        table.add_row(iso(line.tick_ts), line.outcome, printable(line.sentence), *cost)
    older = page.before_ts and f"older: agentic decisions {run} --before {iso(page.before_ts)}"
    return Group(table, older) if older else table


def story(decider: "Decider", decision: DecisionSnapshot) -> str:
    """All of one tick, in the order in which it happened."""
    return "\n".join(_story(decider, decision))


def document(decider: "Decider", decision: DecisionSnapshot) -> dict[str, Any]:
    """The stable fields of one decision. An action has its name as `type`, and its verdict beside it."""
    told: dict[str, Any] = msgspec.to_builtins(decision, builtin_types=(Decimal,))
    actions, verdicts = told.pop("actions"), told.pop("verdicts")
    return {
        f"{decider.kind}_id": decider.id,
        **told,
        "tick_ts": iso(decision.tick_ts),
        "outcome": decision.outcome.name.lower(),
        "account": {**told["account"], "ts": iso(decision.account.ts)},
        "steps": [
            {"action": action, "verdict": verdict} for action, verdict in zip(actions, verdicts, strict=True)
        ],
        "cost_usd": thinking_of(decision).cost_usd,
    }


def instant(ts: int | None) -> str | None:
    """An instant for JSON."""
    return None if ts is None else iso(ts)


def money(usd: Decimal | None) -> str:
    """What something cost, to a hundredth of a cent; what is not known is said to be so."""
    return "unknown" if usd is None else plain(round(usd, 4)) if usd >= Decimal("0.0001") else plain(usd)


def _story(decider: "Decider", decision: DecisionSnapshot) -> Iterator[str]:
    yield (
        f"{iso(decision.tick_ts)} · {decision.outcome.name.lower()} · {decision.trader}"
        f" · {decider.kind} {str(decider.id)[-SHORT_ID:]}"
    )
    yield f"Before it: {_account(decision.account)}"
    if decision.context:
        yield "\nWhat it was shown:"
        yield quoted(decision.context)
    for number, call in enumerate(decision.calls, 1):
        yield f"\nCall {number} of {len(decision.calls)}: {_facts(call)}"
        yield from _call(call)
    yield "\nWhat it did:" if decision.actions else "\nIt did nothing."
    for action, verdict in steps(decision):
        yield printable(f"  {answer_in_words(action, verdict)}")
        yield from _reasons(action.why, verdict.note)
    if decision.note:
        yield printable(f"\nHow it ended{_ending(decision)}:")
        yield quoted(decision.note)
    if decision.calls:
        total = thinking_of(decision)
        yield f"\nCost: {money(total.cost_usd)} USD for {_tokens(total.usage)}"
    yield f"Decision {decision.id}"


def _ending(decision: DecisionSnapshot) -> str:
    """What ended it, in a word, where that was not the model itself."""
    cut = "cut short: " if decision.was_cut_short else ""
    return f" ({cut}{decision.ended})" if decision.ended else ""


def _call(call: ModelCall) -> Iterator[str]:
    if call.text:
        yield quoted(call.text)
    if call.problem:
        yield printable(f"  malformed: {call.problem}")
    for use in call.tools:
        yield from _tool(use)


def _tool(use: ToolUse) -> Iterator[str]:
    arguments = msgspec.json.encode(use.arguments, order="deterministic").decode(errors="replace")
    yield printable(f"  {use.name} {arguments}".replace("\n", " "))
    if use.problem:
        yield printable(f"    malformed: {use.problem}")
    yield quoted(use.answer, "  ! " if use.is_error else "  → ")


def _facts(call: ModelCall) -> str:
    facts = (
        call.model,
        call.stop,
        _tokens(call.usage),
        f"{money(call.cost_usd)} USD",
        f"key {call.key[:KEY_SHOWN]}",
    )
    return printable(" · ".join(fact for fact in facts if fact))


def _tokens(usage: Usage) -> str:
    cached = f" ({usage.cache_read:,} from the cache)" if usage.cache_read else ""
    return f"{usage.prompt:,} tokens in{cached}, {usage.output:,} out"


def _account(account: AccountView) -> str:
    held = ", ".join(f"{grouped(size)} {symbol}" for symbol, size in sorted(account.positions.items()))
    return f"{account.equity:,.2f} USD of equity, {account.cash:,.2f} in cash, holding {held or 'nothing'}"


def _reasons(*texts: str) -> Iterator[str]:
    yield from (quoted(text) for text in texts if text)


def quoted(text: str, bar: str = BAR) -> str:
    """Somebody else's text behind a bar, line by line."""
    return "\n".join(f"{bar}{printable(line)}" for line in text.splitlines() or [""])
