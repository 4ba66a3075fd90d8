"""What to do with the notifications that are due: a pure decision, on the time and the rations that are handed in."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from uuid import UUID

import msgspec

from actors.notices.ration import Rations, batches
from actors.notices.texts import MOST_BODY, Text
from db.notifications import Waiting
from domain.ids import uuid7
from domain.notices import NoticeKind, Severity
from domain.time import DAY_MS
from simulator.report import words

MOST_TRIES = 8
OLD_MS = DAY_MS
"""What could not be sent for so long is news no more."""
MOST_TITLES = 10
MOST_NAMED = 4

_NOUNS: dict[str, str] = {
    NoticeKind.STARTED: "starts",
    NoticeKind.STOPPED: "stops",
    NoticeKind.FILL: "fills",
    NoticeKind.HALT: "loss caps met",
    NoticeKind.HALTED: "halts",
    NoticeKind.FLATTENED: "flattenings",
    NoticeKind.STALE_FEED: "changes of feeds",
    NoticeKind.COMMAND: "commands",
    NoticeKind.BUDGET: "budgets",
    NoticeKind.RESTART: "restarts",
    NoticeKind.FAILURE: "failures",
}
_GRAVITY = list(Severity)


class Outgoing(msgspec.Struct, frozen=True):
    """A message and the notifications that it carries; `attempt` counts from 1, `delivered` are who has it already."""

    id: UUID
    rows: tuple[Waiting, ...]
    attempt: int

    @property
    def ids(self) -> list[UUID]:
        return [row.id for row in self.rows]

    @property
    def of(self) -> tuple[UUID, str, str]:
        """Whose ration it is of."""
        return _ration(self.rows[0])

    @property
    def delivered(self) -> list[str]:
        return self.rows[0].delivered

    @property
    def severity(self) -> Severity:
        """How grave it is, as all that it carries."""
        return Severity(self.rows[0].severity)

    @property
    def text(self) -> Text:
        """What it says: the one notification, or how many there are and what of."""
        return folded(self.rows) if len(self.rows) > 1 else Text(self.rows[0].title, self.rows[0].body)


class Plan(msgspec.Struct):
    """What is sent, what waits until when, and what is not sent and why."""

    messages: list[Outgoing] = []
    put_off: list[tuple[list[UUID], int]] = []
    suppressed: dict[str, list[UUID]] = {}
    given_up: list[Outgoing] = []


def plan(
    waiting: Sequence[Waiting], now_ms: int, rations: Rations, unsent: Callable[[UUID], str | None]
) -> Plan:
    """Decide on all that is due. `unsent` says why a person is sent nothing, or None.

    What was part of a message before is that message again; the rest is rationed by person, kind and gravity, so that a
    liquidation is not behind a hundred fills. Whoever sends a message takes its token. The gravest goes first.
    """
    made, sendable = Plan(), []
    for row in waiting:
        if reason := unsent(row.user_id) or _too_old(row, now_ms):
            made.suppressed.setdefault(reason, []).append(row.id)
        else:
            sendable.append(row)
    for rows in _grouped([row for row in sendable if row.message], lambda row: row.message):
        _try_again(made, rows)
    for rows in _grouped([row for row in sendable if not row.message], _ration):
        _share(made, rows, now_ms, rations)
    made.messages.sort(key=lambda message: (-_GRAVITY.index(message.severity), message.rows[0].seq))
    return made


def folded(rows: Sequence[Waiting]) -> Text:
    """Many notifications of a kind as one text."""
    noun = _NOUNS.get(rows[0].kind, rows[0].kind)
    counts = Counter(row.deployment for row in rows).most_common()
    named = ", ".join(f"{name} ({count})" for name, count in counts[:MOST_NAMED])
    others = f" and {len(counts) - MOST_NAMED} others" if len(counts) > MOST_NAMED else ""
    titles = [row.title for row in rows[:MOST_TITLES]]
    if len(rows) > MOST_TITLES:
        titles.append(f"… and {len(rows) - MOST_TITLES} more: agentic notify list shows them all")
    return Text(f"{len(rows)} more {noun}: {named}{others}", words.cut("\n".join(titles), MOST_BODY))


def _ration(row: Waiting) -> tuple[UUID, str, str]:
    return row.user_id, row.kind, row.severity


def _too_old(row: Waiting, now_ms: int) -> str | None:
    return "nothing could send it for a day" if now_ms - row.created_ts > OLD_MS else None


def _try_again(made: Plan, rows: Sequence[Waiting]) -> None:
    """A message that was tried before, or one that was never heard of again."""
    assert rows[0].message
    tried = rows[0].attempts
    outgoing = Outgoing(rows[0].message, tuple(rows), min(tried + 1, MOST_TRIES))
    (made.messages if tried < MOST_TRIES else made.given_up).append(outgoing)


def _share(made: Plan, rows: Sequence[Waiting], now_ms: int, rations: Rations) -> None:
    """Give the fresh notifications of one ration to as many messages as there are tokens."""
    bucket = rations.bucket(_ration(rows[0]), now_ms)
    shares = batches(rows, bucket.tokens(now_ms))
    made.messages += [Outgoing(uuid7(now_ms), tuple(share), 1) for share in shares]
    if not shares:
        made.put_off.append(([row.id for row in rows], bucket.next_token(now_ms)))


def _grouped(rows: Iterable[Waiting], key: Callable[[Waiting], Hashable]) -> Iterable[list[Waiting]]:
    """Rows by key, each group in the rows' order."""
    groups: dict[Hashable, list[Waiting]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups.values()
