"""Deployments as tests of what a person asks for have them."""

from typing import Any
from uuid import UUID

from control import skills
from control.deployments import DeployRequest, deploy
from db.pool import Database
from db.skills import VersionRow
from domain.caps import LOOSEST
from domain.feeds import parse_feed
from tests.integration.simulator.samples import skill_text
from tests.standins.provider import NO_MODELS

FEED = "replay:2025-01-02..2025-01-08@max"
SLOW = "replay:2025-01-02..2025-01-08@1x"
"""One that stands still on a clock that does."""


async def version_of(database: Database, owner: UUID, text: str) -> VersionRow:
    """Save a Skill and give its version."""
    saved = await skills.save(database, owner, text)
    return await skills.find(database, owner, f"{saved.name}@{saved.version}")


async def deployed(database: Database, owner: UUID, text: str = "", feed: str = FEED, **request: Any) -> UUID:
    """Ask for a deployment of a Skill, the sample without one."""
    version = await version_of(database, owner, text or skill_text())
    asked = DeployRequest(parse_feed(feed), **request)
    return await deploy(database, owner, version, asked, LOOSEST, NO_MODELS)
