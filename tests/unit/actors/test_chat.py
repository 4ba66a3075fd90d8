"""The chat, which is not here yet."""

from actors.chat import ChatActor, Say
from actors.kernel import ManualTime, Spec, System


async def test_the_chat_says_that_it_is_not_here_yet() -> None:
    """In one line, with what to do instead."""
    system = System(ManualTime())
    chat = system.spawn(Spec("chat", ChatActor))
    answer = await chat.ask(Say("Buy everything"), timeout_s=1)
    assert answer.line == "chat is not here yet; write a Skill by hand: agentic skill new NAME"
    await system.stop_all()
