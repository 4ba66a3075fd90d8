"""What a deployment is made of: its row, the very bytes of its Skill's version, its feed, and the caps that hold it."""

from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from db.deployments import DeploymentRow, load_deployment
from db.pool import Database
from db.skills import load_version
from domain.caps import Caps, tightest
from domain.feeds import FeedSpec, parse_feed
from domain.time import parse_interval
from simulator.spec import RunSpec, from_config
from skills import skill_md
from skills.schedule import Schedule
from skills.skill import Skill

_schedule_of = lru_cache(1_024)(Schedule.parse)
"""Thousands of deployments tick on a few schedules, and each shows every second when it ticks next."""


class Plan(msgspec.Struct, frozen=True):
    """A deployment as it is carried out. `spec` is what a simulation of the same would be asked for."""

    row: DeploymentRow
    skill: Skill
    digest: str  # of the Skill's version
    feed: FeedSpec
    spec: RunSpec
    caps: Caps

    @property
    def schedule(self) -> Schedule:
        """When it ticks."""
        return _schedule_of(self.skill.schedule)

    @property
    def point_ms(self) -> int:
        """How often an equity point is kept."""
        return parse_interval(self.skill.market.interval)


class NoPlan(Exception):
    """A deployment that can't be carried out, in one line."""


async def load_plan(database: Database, deployment_id: UUID) -> Plan:
    """Read what a deployment is made of. Raises NoPlan for what is not there."""
    async with database.as_worker() as connection:
        row = await load_deployment(connection, deployment_id)
        version = None if row is None else await load_version(connection, row.skill_version_id)
    if row is None or version is None:
        raise NoPlan(f"there is no deployment {deployment_id}, or its Skill's version is gone")
    return plan_of(row, version.body, version.digest)


def plan_of(row: DeploymentRow, body: str, digest: str) -> Plan:
    """Put a deployment's plan together from what is kept of it."""
    skill = skill_md.read(body, where=f"{row.skill_name}@{row.skill_number}")
    feed = parse_feed(row.feed)
    spec = spec_of(row.config, feed)
    return Plan(row, skill, digest, feed, spec, tightest(skill.caps, spec.platform))


def spec_of(config: dict[str, Any], feed: FeedSpec) -> RunSpec:
    """What a simulation of the same deployment would be asked for."""
    return msgspec.structs.replace(from_config(config), from_ts=feed.from_ts, to_ts=feed.to_ts)
