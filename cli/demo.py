"""Something to look at on the very first start: a made-up market and a Skill that can be run on it."""

from cli.boot import House
from cli.skill_starter import STARTER
from control import data, skills
from control.data import MadeUpRequest
from domain.time import HOUR_MS, parse_ts

SKILL = "btc-trend"
MARKET = MadeUpRequest(
    symbol="BTC",
    interval_ms=HOUR_MS,
    from_ts=parse_ts("2024-01-01"),
    to_ts=parse_ts("2025-01-01"),
    seed=1,
)
"""A year of hours, labelled synthetic wherever it is shown."""


async def ensure_demo(home: House) -> bool:
    """Make the demo where there is neither market data nor a Skill yet; say whether it was made."""
    if await data.has_any(home.database, home.user_id):
        return False
    if await skills.list_skills(home.database, home.user_id, archived=True):
        return False
    await data.make_up_data(home.database, home.clock, MARKET, lambda _: None)
    await skills.save(home.database, home.user_id, STARTER.format(name=SKILL))
    return True
