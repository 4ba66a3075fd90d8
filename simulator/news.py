"""The news of one run: which stories its Skill can read, and what the manifest says of them."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from db.connection import Connection
from db.made_up import SYNTHETIC
from db.news import NewsRow, load_news
from market.news import NEWS_BACK_MS
from simulator.spec import RunSpec
from skills.skill import Skill


def sees_news(skill: Skill) -> bool:
    """Whether a Skill is shown news or may search it."""
    return skill.market.news > 0 or "search_news" in skill.tools


async def load_run_news(connection: Connection, skill: Skill, spec: RunSpec) -> tuple[NewsRow, ...] | None:
    """The stories of a Skill's symbols or of none that it can come to see in a run; None where it reads no news."""
    if not sees_news(skill):
        return None
    since = spec.from_ts - NEWS_BACK_MS
    return tuple(await load_news(connection, since, spec.to_ts, symbols=skill.market.symbols, general=True))


def news_entry(rows: Sequence[NewsRow]) -> dict[str, Any]:
    """The news in the manifest: how much, from how many sources, and the digest of every word."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(msgspec.json.encode(row, order="deterministic") + b"\n")
    sources = {row.source for row in rows}
    return {
        "kind": "news",
        "rows": len(rows),
        "sources": len(sources),
        "synthetic": SYNTHETIC in sources,
        "digest": digest.hexdigest(),
    }


def news_warnings(rows: Sequence[NewsRow], symbols: Sequence[str], spec: RunSpec) -> Iterator[str]:
    """What a reader must know where there is no news to read."""
    if not any(spec.from_ts <= row.available_at for row in rows):
        of = ", ".join(symbols)
        yield f"The Skill reads news, and none of {of}, nor general news, became known in the run. It saw none."
