"""The way out: the real library, over real sockets, to a service that may do anything; no secret comes back."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from actors.notices.outside import Messenger, ReceiverError, receivers_of
from domain.notices import Severity
from tests.standins.inbox import Inbox, Mood, inbox

TOKEN = "planted-0123456789"
INFO = Severity.INFO


@pytest.fixture
async def service() -> AsyncIterator[Inbox]:
    """A service whose URL has a secret in every part."""
    async with inbox(token=TOKEN) as made:
        yield made


@pytest.fixture
def all_said(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """All that was logged at any level, as a program's log has it, and printed."""
    records = list[str]()
    handler = logging.Handler(1)
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield lambda: "".join((*records, *capfd.readouterr()))
    root.removeHandler(handler)
    root.setLevel(level)


async def test_a_message_arrives_as_it_was_written(service: Inbox) -> None:
    """Title, body and how grave it is, as plain text in which nothing is interpreted."""
    messenger = Messenger(receivers_of([service.url]))
    body = "a line\n\\t :smile: **x** ${HOME} ‹b› ＠here 0.25"

    for severity in Severity:
        assert await messenger.send("title", body, severity) == {"json": ""}

    assert [(mail.title, mail.message) for mail in service.mails] == [("title", body)] * 3
    assert [mail.type for mail in service.mails] == ["info", "warning", "failure"]


@pytest.mark.parametrize(
    ("mood", "problem"),
    [
        ("refuse", "it answered 500"),
        ("redirect", "it answered 301"),
        ("cut", "it could not be reached"),
        ("swallow", "it could not be reached"),
    ],
)
async def test_what_went_wrong_is_said_in_our_words(
    service: Inbox, mood: Mood, problem: str, all_said: Callable[[], str]
) -> None:
    """With the status at most: no URL, header, page or host, in no log at any level and on no stream."""
    logging.getLogger("anybody").debug("heard")
    service.be(mood)
    messenger = Messenger(receivers_of([service.url]))

    assert await messenger.send("title", "body", INFO) == {"json": problem}

    said = f"{all_said()} {messenger!r} {receivers_of([service.url])}"
    assert "heard" in said
    assert TOKEN not in said
    assert "127.0.0.1" not in said


async def test_nobody_there_is_a_problem_like_any_other(service: Inbox) -> None:
    """The next message arrives when the service is back."""
    receivers = receivers_of([service.url])
    await service.stop()

    assert await Messenger(receivers).send("t", "b", INFO) == {"json": "it could not be reached"}


async def test_each_receiver_stands_for_itself(service: Inbox) -> None:
    """One that fails takes nothing from the others; who has the message is left out when it is sent again."""
    async with inbox(["refuse"]) as broken:
        messenger = Messenger(receivers_of([broken.url, service.url, service.url]))
        assert messenger.names == ("json", "json-2", "json-3")

        first = await messenger.send("t", "b", INFO)
        again = await messenger.send(
            "t", "b", INFO, without=[name for name, problem in first.items() if not problem]
        )

        assert first == {"json": "it answered 500", "json-2": "", "json-3": ""}
        assert again == {"json": ""}
        assert (len(broken.mails), len(service.mails)) == (1, 2)


async def test_one_that_hangs_is_left_alone_and_holds_up_nobody(service: Inbox) -> None:
    """It is waited for until the deadline, takes no other message meanwhile, and then is as good as any."""
    service.be("hang")
    async with inbox() as quick:
        urls = [service.url + "&rto=60", quick.url]
        messenger = Messenger(receivers_of(urls), deadline_s=0.2)

        assert await messenger.send("1", "b", INFO) == {
            "json": "it did not answer within 0.2 s",
            "json-2": "",
        }
        assert await messenger.send("2", "b", INFO) == {
            "json": "it is still busy with an earlier message",
            "json-2": "",
        }
        assert [thread.daemon for thread in threading.enumerate() if thread.name == "notify:json"] == [True]
        service.release()
        async with asyncio.timeout(20):
            while (await messenger.send("3", "b", INFO, without=["json-2"]))["json"]:
                await asyncio.sleep(0)

    assert service.titles == ["1", "3"]
    assert quick.titles == ["1", "2"]


class Breaking:
    """What a bug of the library would make of it."""

    def notify(self, **message: object) -> None:
        """Fail with everything in hand."""
        raise RuntimeError(f"bad url {TOKEN}")


async def test_a_bug_of_the_library_is_a_problem_without_its_words(
    service: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its errors may quote the URL."""
    messenger = Messenger(receivers_of([service.url]))
    monkeypatch.setattr("apprise.Apprise", lambda *args, **options: Breaking())

    assert await messenger.send("t", "b", INFO) == {"json": "the library failed (RuntimeError)"}


@pytest.mark.parametrize(
    "url",
    [f"nope://{TOKEN}", f"discord://{TOKEN}", f"json://:{TOKEN}@", f"tgram://{TOKEN}", f"mailto://{TOKEN}"],
)
def test_a_url_that_can_not_be_used_is_told_by_its_place(url: str, all_said: Callable[[], str]) -> None:
    """And not by what is in it."""
    with pytest.raises(
        ReceiverError,
        match=r"^URL 2 of 2 in AGENTIC_NOTIFY_URLS is not one that apprise",
    ):
        receivers_of(["json://localhost", url])

    assert TOKEN not in all_said()


def test_services_are_named_without_their_secrets() -> None:
    """By what they are, and a number where there are several."""
    urls = [
        f"discord://{TOKEN}1/{TOKEN}2",
        f"discord://{TOKEN}3/{TOKEN}4",
        f"ntfys://{TOKEN}",
        "tgram://1:abc/2/",
    ]

    assert Messenger(receivers_of(urls)).names == ("discord", "discord-2", "ntfy", "telegram")
    assert Messenger(receivers_of([])).names == ()
