"""What people name on the command line, found: a Skill's version, the caps of the platform."""

from pathlib import Path
from typing import TYPE_CHECKING

from cli.boot import House
from cli.files import read_skill
from cli.output import say

if TYPE_CHECKING:
    from db.skills import VersionRow
    from domain.caps import Caps


async def version_of(home: House, skill: str) -> "VersionRow":
    """Find the version that is named; a file is saved first."""
    from control import skills

    reference = skill
    if skill.endswith(".md") and Path(skill).is_file():
        data, models = read_skill(Path(skill)), home.provider.table
        saved = await skills.save(home.database, home.user_id, data, where=skill, models=models)
        reference = f"{saved.name}@{saved.version}"
        for warning in saved.warnings:
            say(f"warning: {warning}")
    return await skills.find(home.database, home.user_id, reference)


def platform_of(home: House) -> "Caps":
    """The caps that hold every Skill here."""
    from skills.schema import platform_caps

    return platform_caps(home.settings.platform_caps, where="AGENTIC_PLATFORM_CAPS")
