"""The identity of a Skill: a version is a Skill's canonical bytes, and its digest is theirs."""

import hashlib

import msgspec

from skills.skill import Skill
from skills.skill_md import write


class SkillVersion(msgspec.Struct, frozen=True):
    """One immutable version. `text` is what is stored and shown; `digest` names exactly its bytes."""

    skill: Skill
    text: str
    digest: str

    @classmethod
    def of(cls, skill: Skill) -> "SkillVersion":
        """Freeze a Skill as a version."""
        text = write(skill)
        return cls(skill, text, _sha256(text))


def digest(skill: Skill) -> str:
    """Name a Skill by the sha256 (hex) of its canonical written form.

    Not of the file it came from: comments, key order, quotes, line ends and a default spelled out or left
    out do not change what a Skill means, so they don't make another version. The canonical form spells out
    every default, so a version keeps its meaning when a later release has other defaults. The version
    stores these very bytes, and a stored digest is checked against them, never recomputed from a Skill that
    was read from them: a later release may know more caps and would write them too.
    """
    return _sha256(write(skill))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
