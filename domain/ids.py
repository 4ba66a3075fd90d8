"""Identifiers. Those that must be the same when work is done again are hashes; the rest are uuid v7."""

import hashlib
import os
import time
from uuid import UUID


def uuid7(now_ms: int | None = None, random: bytes | None = None) -> UUID:
    """A time-ordered uuid (RFC 9562, version 7). Time and ten random bytes may be handed in.

    Without a time handed in, its first 12 random bits are the fraction of the millisecond (the RFC's method 3),
    so that what is made one after the other sorts in that order.
    """
    now_ns = time.time_ns() if now_ms is None else now_ms * 1_000_000
    noise = int.from_bytes((os.urandom(10) if random is None else random)[:10], "big")
    if now_ms is None:
        noise = noise & (1 << 64) - 1 | (now_ns % 1_000_000 << 12) // 1_000_000 << 64
    value = (now_ns // 1_000_000 & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def token(random: bytes | None = None) -> str:
    """A text that nobody can guess: 32 random bytes, which may be handed in, in hex."""
    return (os.urandom(32) if random is None else random).hex()


def decision_id(account: str, tick_ts: int) -> str:
    """Name the decision of an account's tick: deciding it again gives the same name."""
    return _digest("decision", account, str(tick_ts))


def client_order_id(account: str, decision: str, action_index: int, attempt: int = 0) -> str:
    """Name an order so that sending it twice can be recognised: 0x and 32 hex digits, as the venue takes."""
    return "0x" + _digest("order", account, decision, str(action_index), str(attempt))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
