"""The actor that people will talk to. So far it is a shell: it says that it is not here yet."""

import msgspec

from actors.kernel import Actor, Request, handles


class NotHereYet(msgspec.Struct, frozen=True):
    """The one answer there is."""

    line: str


class Say(Request["ChatActor", NotHereYet], frozen=True):
    """Something that a person says."""

    text: str


class ChatActor(Actor):
    """Answers people, one message at a time."""

    @handles(Say)
    async def say(self, message: Say) -> NotHereYet:
        """Refuse, and say what to do instead."""
        return NotHereYet("chat is not here yet; write a Skill by hand: agentic skill new NAME")
