"""The engine's answer to an action: approved with order numbers, or refused and why."""

from decimal import Decimal

import msgspec

from domain.money import plain

_LONGEST_TEXT = 200


class Refusal(msgspec.Struct, frozen=True):
    """One reason. `cap` is the rule's name; `limit` and `would_be` are its limit and the value it would have had."""

    cap: str
    limit: str
    would_be: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.cap} {self.limit}, would have been {self.would_be}"
        return f"{text}; {self.hint}" if self.hint else text


def refusal(cap: str, limit: object, would_be: object, hint: str = "") -> Refusal:
    """Build a refusal from values of any kind; decimals are written plainly."""
    return Refusal(cap, _text(limit), _text(would_be), hint)


class Verdict(msgspec.Struct, frozen=True):
    """What became of one action. Approved exactly when there are no refusals."""

    orders: tuple[int, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    note: str = ""

    @property
    def approved(self) -> bool:
        return not self.refusals


def _text(value: object) -> str:
    """As people write it, in bounds."""
    return (plain(value) if isinstance(value, Decimal) else str(value))[:_LONGEST_TEXT]
