"""What every answer tells the browser, and whether the server is well."""

import re

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from control.access import Access
from db.login import APP_ROLE
from db.pool import Database
from domain.time import ManualClock
from tests.conftest import OWNER_ID
from tests.integration.web.conftest import Site
from web.app import make_app
from web.sign_in import SignIn

PATHS = ("/", "/sign-in", "/healthz", "/nowhere", "/api/v1/runs", "/api/v1/runs?limit=0")


async def test_every_answer_keeps_the_browser_on_a_short_lead(signed_in: Site) -> None:
    """No script, no frame, no sniffing, no copy kept, no word to others on where one came from."""
    for path in PATHS:
        check(await signed_in.client.get(path))


def check(answer: ClientResponse) -> None:
    """One answer's headers."""
    headers = answer.headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "agentic"


async def test_all_that_a_page_loads_is_there_and_kept_for_ever(site: Site) -> None:
    """Style, icons and the mark, without a session."""
    page = await (await site.client.get("/sign-in")).text()
    loaded = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page))

    assert len(loaded) == 4
    for path in loaded:
        answer = await site.client.get(path)
        assert (answer.status, "immutable" in answer.headers["Cache-Control"]) == (200, True)


async def test_a_server_without_its_database_is_alive_but_not_ready(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so without a word on where the database is; the reason goes to the log."""
    database = await Database.open(database_url, user=APP_ROLE)
    clock = ManualClock()
    desk = SignIn(OWNER_ID, clock, lambda: "token", lambda _: None)
    async with TestClient(TestServer(make_app(Access(database, clock), desk), host="127.0.0.1")) as client:
        assert (await client.get("/readyz")).status == 200
        await database.close()

        assert (await client.get("/healthz")).status == 200
        ready = await client.get("/readyz")
        said = await ready.text()

    assert ready.status == 503
    assert "The database does not answer" in said
    assert "postgres" not in said.lower()
    assert [record.getMessage()[:12] for record in caplog.records] == ["GET /readyz:"]
