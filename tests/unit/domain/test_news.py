"""When a headline could have been known (docs/trading-rules.md §1.2)."""

import pytest

from domain.news import news_available_at


@pytest.mark.parametrize(
    ("published", "seen", "known"), [(1_000, 5_000, 5_000), (5_000, 1_000, 5_000), (1_000, None, 61_000)]
)
def test_news_is_known_from_the_later_of_published_and_seen(
    published: int, seen: int | None, known: int
) -> None:
    """Imported without a time of first sight: a minute after it was published."""
    assert news_available_at(published, seen) == known
