"""A headline, and when one could have known it."""

IMPORT_DELAY_MS = 60_000
"""Imported history has no time of first sight: it counts as known a minute after it was published."""


def news_available_at(published_at: int, first_seen_at: int | None) -> int:
    """When an item was known: the later of published and first seen; never seen live, published + 60 s."""
    if first_seen_at is None:
        return published_at + IMPORT_DELAY_MS
    return max(published_at, first_seen_at)
