"""The table of trades: each with its way in and out, its costs, and why it was made."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from domain.actions import Action, in_words
from domain.money import BPS, ZERO
from domain.orders import Fill, Liquidity, Side
from domain.snapshots import DecisionSnapshot
from domain.time import iso, to_datetime
from domain.verdicts import Verdict
from simulator.record import RunRecord
from simulator.report import words
from simulator.trades import Direction, Trade, slippage_usd

LATEST, LATEST_NARROW = 50, 20
"""How many trades are listed, on a wide screen and on a phone, where each is a card."""

MOST_DECISIONS, MOST_FILLS = 6, 12
SHORT_WHY = 90
"""How many characters of a reason fit the table; the whole of it is in the opened row."""

LONG_WHY = 2_000
"""No more of it is shown there either; the export has all that a model wrote."""

NO_STEP = Decimal("0.01")


class When(msgspec.Struct, frozen=True):
    """An instant, short and exact."""

    text: str
    exact: str


class Leg(msgspec.Struct, frozen=True):
    """The way in, or out: when, and at which average price."""

    when: When
    px: str


class Answer(msgspec.Struct, frozen=True):
    """An action in words, and what the engine said to it."""

    approved: bool
    action: str
    reasons: tuple[str, ...]


class Why(msgspec.Struct, frozen=True):
    """A decision behind a trade: when it was made, its reasons, and what became of its actions."""

    when: When
    trader: str
    quotes: tuple[str, ...]
    answers: tuple[Answer, ...]


class TradeRow(msgspec.Struct, frozen=True):
    """One trade as the table shows it."""

    number: int
    is_long: bool
    what: str
    entry: Leg
    exit: Leg | None
    held: str
    ended_by: str
    costs: str
    returned: str
    result: str
    tone: str
    whys: tuple[Why, ...]
    fills: tuple[str, ...]
    more_fills: int
    is_minor: bool


def trade_rows(record: RunRecord, made: Sequence[Trade]) -> list[TradeRow]:
    """The latest trades, newest first, numbered in order of entry."""
    numbered = list(enumerate(made, 1))[-LATEST:]
    return [
        _row(record, number, trade, is_minor=number <= len(made) - LATEST_NARROW)
        for number, trade in reversed(numbered)
    ]


def _row(record: RunRecord, number: int, trade: Trade, *, is_minor: bool) -> TradeRow:
    step = record.prices[trade.symbol].tick if trade.symbol in record.prices else NO_STEP
    side = "Long" if trade.side is Direction.LONG else "Short"
    last = record.to_ts if trade.exit_ts is None else trade.exit_ts
    fills = [record.fills[place] for place in trade.fills]
    return TradeRow(
        number=number,
        is_long=trade.side is Direction.LONG,
        what=f"{side} {words.grouped(trade.max_size)} {trade.symbol}",
        entry=Leg(_when(record, trade.entry_ts), words.price(trade.entry_px, step)),
        exit=_exit(record, trade, step),
        held=words.span(last - trade.entry_ts),
        ended_by="Still open" if trade.is_open else _ended_by(record, trade),
        costs=words.number(trade.funding - trade.fees - trade.slippage_usd, signed=True),
        returned=words.number(trade.return_pct, signed=True) + "%",
        result=words.number(trade.net, signed=True),
        tone=words.tone(trade.net),
        whys=tuple(_whys(record, trade)),
        fills=tuple(_fill_in_words(fill, step) for fill in fills[:MOST_FILLS]),
        more_fills=max(0, len(fills) - MOST_FILLS),
        is_minor=is_minor,
    )


def _exit(record: RunRecord, trade: Trade, step: Decimal) -> Leg | None:
    if trade.exit_ts is None or trade.exit_px is None:
        return None
    return Leg(_when(record, trade.exit_ts), words.price(trade.exit_px, step))


def _when(record: RunRecord, ts: int) -> When:
    """A day and a time, with the year if the run has more than one; the exact instant for hovering."""
    first, last = to_datetime(record.from_ts), to_datetime(record.to_ts - 1)
    moment = to_datetime(ts)
    year = "" if first.year == last.year else f" {moment.year}"
    return When(f"{moment.day} {moment:%b}{year} {moment:%H:%M}", iso(ts))


def _ended_by(record: RunRecord, trade: Trade) -> str:
    """A trigger or the venue by name, the engine (of an order that nobody decided), or the order's reason."""
    last = record.fills[trade.fills[-1]]
    is_ordered = trade.ended_by in ("market", "limit")
    if is_ordered and last.order not in record.order_decisions:
        return "Closed by the engine"
    text = (_reason(record, last) if is_ordered else "") or words.cause(trade.ended_by)
    return words.cut(text, SHORT_WHY)


def _reason(record: RunRecord, fill: Fill) -> str:
    decision = record.decisions.get(record.order_decisions.get(fill.order, ""))
    if decision is None:
        return ""
    for action, verdict in zip(decision.actions, decision.verdicts, strict=False):
        if fill.order in verdict.orders:
            return action.why or decision.note
    return decision.note


def _whys(record: RunRecord, trade: Trade) -> Iterator[Why]:
    """The decisions behind a trade: those that opened it and the last of those that ended it."""
    names = [name for name in trade.decisions if name in record.decisions]
    if len(names) > MOST_DECISIONS:
        half = MOST_DECISIONS // 2
        names = [*names[:half], *names[-half:]]
    for name in names:
        decision = record.decisions[name]
        yield Why(
            When(words.minute(decision.tick_ts), iso(decision.tick_ts)),
            decision.trader,
            tuple(_quotes(decision)),
            tuple(
                _answer(action, verdict)
                for action, verdict in zip(decision.actions, decision.verdicts, strict=False)
            ),
        )


def _quotes(decision: DecisionSnapshot) -> Iterator[str]:
    """The reasons of the actions, and what the trader said last, each once."""
    said = [*(action.why for action in decision.actions), decision.note]
    yield from dict.fromkeys(words.cut(text, LONG_WHY) for text in said if text)


def _answer(action: Action, verdict: Verdict) -> Answer:
    reasons = tuple(str(refusal) for refusal in verdict.refusals) or ((verdict.note,) if verdict.note else ())
    return Answer(verdict.approved, in_words(action, words.grouped), reasons)


def _fill_in_words(fill: Fill, step: Decimal) -> str:
    verb = "Bought" if fill.side is Side.BUY else "Sold"
    text = f"{verb} {words.grouped(fill.size)} at {words.price(fill.px, step)}, {words.minute(fill.ts)}"
    notional = fill.size * fill.reference_px
    slipped = slippage_usd(fill) / notional / BPS if notional else ZERO
    kind = "maker" if fill.liquidity is Liquidity.MAKER else "taker"
    return f"{text}: fee {words.number(fill.fee)}, slippage {words.number(slipped, 1)} bps, {kind}"
