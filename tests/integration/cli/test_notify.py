"""The commands for notifications, and the doctor's look at them. What is planted in a URL is shown by none of them."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from actors.kernel import ManualTime
from actors.notices.postbox import Postbox
from cli.doctor import look_into_database
from cli.doctor_notify import check_notifications
from config.settings import load_settings
from db.connection import Connection
from db.pool import Database
from domain.notices import Filled
from domain.time import DAY_MS
from tests.integration.cli.conftest import Agentic
from tests.standins.inbox import inbox_thread
from tests.unit.actors.notices.samples import T0, fill

TOKEN = "planted-0123456789"


async def tell(database: Database, user_id: UUID, *names: str) -> None:
    """Tell of a fill of each deployment, a minute apart."""
    time = ManualTime(T0)
    postbox = Postbox(database, time)
    for name in names:
        filled = Filled(ts=T0, deployment=name, fills=(fill(),))
        postbox.tell(user_id, None, filled, key=name)
        await time.advance(60_000)
    await postbox.empty()


@pytest.fixture
async def told(database: Database, owner: UUID, other_user: UUID, admin: Connection) -> None:
    """Three of mine, of which one could not be sent, and one of another's."""
    await tell(database, owner, "one", "\x1b[31mtwo", "three")
    await tell(database, other_user, "theirs")
    await admin.execute(
        "update notifications set state = 'failed', error = 'json: it answered 500' where key = 'three'"
    )


def test_what_one_was_told_is_listed_the_newest_first(agentic: Agentic, told: None) -> None:
    """One's own, as a table or as JSON, of one state or of all."""
    shown = agentic("notify", "list")
    rows = json.loads(agentic("notify", "list", "--json", "--limit", "2").stdout)

    assert [shown.stdout.index(name) for name in ("three: bought", "two: bought", "one: bought")] == sorted(
        shown.stdout.index(name) for name in ("one: bought", "two: bought", "three: bought")
    )
    assert "json: it answered 500" in shown.stdout
    assert "theirs" not in shown.stdout
    assert "\x1b" not in shown.stdout
    assert [(row["deployment"], row["state"], row["created_ts"]) for row in rows] == [
        ("three", "failed", "2025-01-01T00:02:00Z"),
        ("(31mtwo", "queued", "2025-01-01T00:01:00Z"),
    ]
    failed = json.loads(agentic("notify", "list", "--state", "failed", "--json").stdout)
    assert [row["deployment"] for row in failed] == ["three"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--state", "read"),
            "'read' is no state of a notification; there are queued, sent, failed, suppressed",
        ),
        (("--limit", "0"), "0 notifications can't be listed; ask for 1 to 1000"),
    ],
)
def test_what_can_not_be_listed_is_refused(agentic: Agentic, arguments: tuple[str, ...], said: str) -> None:
    """In one line that says what can."""
    done = agentic("notify", "list", *arguments)

    assert (done.exit_code, done.stderr.strip()) == (1, said)


def test_a_test_is_sent_to_everybody(agentic: Agentic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told by name, and one that fails makes the command fail."""
    with inbox_thread(token=TOKEN) as good, inbox_thread(["refuse"], token=TOKEN) as bad:
        monkeypatch.setenv("AGENTIC_NOTIFY_URLS", f"{good.url},{bad.url}")
        monkeypatch.setenv("AGENTIC_LOG_LEVEL", "debug")
        failed = agentic("notify", "test")
        done = agentic("notify", "test", "--json")

    assert failed.exit_code == 1
    assert failed.stdout.splitlines() == ["json: it took the message", "json-2: it answered 500"]
    assert done.exit_code == 0
    assert json.loads(done.stdout) == [{"receiver": name, "problem": None} for name in ("json", "json-2")]
    assert good.titles == ["A test of Agentic Trading"] * 2
    assert TOKEN not in failed.output + done.output


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ("", "there is nobody to send to; set AGENTIC_NOTIFY_URLS"),
        (f"nope://{TOKEN}", "URL 1 of 1 in AGENTIC_NOTIFY_URLS is not one that apprise can use"),
        (
            TOKEN,
            "AGENTIC_NOTIFY_URLS is set to something else (not shown); expected URLs as apprise takes them",
        ),
    ],
)
def test_a_test_without_a_way_out_says_what_to_do(
    agentic: Agentic, monkeypatch: pytest.MonkeyPatch, urls: str, said: str
) -> None:
    """And shows nothing of the URL."""
    monkeypatch.setenv("AGENTIC_NOTIFY_URLS", urls)
    done = agentic("notify", "test")

    assert done.exit_code == 1
    assert said in done.stderr
    assert TOKEN not in done.output


@pytest.mark.parametrize(
    ("urls", "given_up", "state", "found"),
    [
        ("", 0, "ok", "nobody is told anything"),
        (
            f"json://h/{TOKEN},tgram://1:{TOKEN}/2",
            0,
            "ok",
            "json, telegram; `agentic notify test` tries them",
        ),
        (f"json://h/{TOKEN}", 3, "warn", "json; 3 of the last day did not reach everybody"),
        (f"json://h,nope://{TOKEN}", 0, "bad", "URL 2 of 2 in AGENTIC_NOTIFY_URLS is not one"),
    ],
)
def test_the_doctor_looks_at_the_urls_and_at_what_became_of_messages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, urls: str, given_up: int, state: str, found: str
) -> None:
    """Without sending anything, or showing what is in a URL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTIC_NOTIFY_URLS", urls)
    check = check_notifications(load_settings(), given_up)

    assert check.state == state
    assert found in check.found
    assert TOKEN not in f"{check}"


def test_the_doctor_counts_what_was_given_up_in_the_last_day(
    anyio_backend: str, database_url: str, tmp_path: Path, told: None
) -> None:
    """The owner's, and not that of days before."""
    counts = [
        look_into_database(tmp_path, database_url, now_ms)[1].given_up for now_ms in (T0, T0 + 2 * DAY_MS)
    ]

    assert counts == [1, 0]
