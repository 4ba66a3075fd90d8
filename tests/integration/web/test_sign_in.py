"""Who is let in, and who is not."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from control.access import Access
from db.pool import Database
from domain.time import ManualClock
from tests.integration.web.conftest import Site
from web.app import make_app
from web.sign_in import CODE_LIFE_MS

PRIVATE_PAGES = ["/", "/runs/01a20fa6-d76d-7f0d-b728-41064435a79c", "/nowhere"]


async def test_a_page_without_a_session_leads_to_the_sign_in(site: Site) -> None:
    """Whether there is something at the address or not."""
    for path in PRIVATE_PAGES:
        answer = await site.client.get(path, allow_redirects=False)

        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/01a20fa6-d76d-7f0d-b728-41064435a79c"])
async def test_a_program_without_a_session_is_told_so(site: Site, path: str) -> None:
    """As problem+json."""
    answer = await site.client.get(path)

    assert (answer.status, answer.content_type) == (401, "application/problem+json")
    assert (await answer.json(content_type=None))["detail"] == "Sign in first, on the page."


async def test_the_link_opens_a_session_that_scripts_and_other_sites_can_not_use(site: Site) -> None:
    """The cookie is HttpOnly and SameSite=Strict, and the code leaves the address bar."""
    answer = await site.client.get("/sign-in", params={"code": site.desk.issue()}, allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"agentic_{site.client.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert (await site.client.get("/", allow_redirects=False)).status == 200


async def test_the_link_works_once(site: Site) -> None:
    """The second time it opens nothing and says why."""
    code = site.desk.issue()
    await site.client.get("/sign-in", params={"code": code})
    site.client.session.cookie_jar.clear()

    again = await site.client.get("/sign-in", params={"code": code})

    assert again.status == 403
    assert "Set-Cookie" not in again.headers
    assert "A link works once, for 15 minutes" in await again.text()


async def test_the_link_is_good_for_15_minutes(site: Site) -> None:
    """Then it opens nothing."""
    code = site.desk.issue()
    site.clock.move_to(site.clock.now_ms() + CODE_LIFE_MS)

    assert (await site.client.get("/sign-in", params={"code": code})).status == 403


@pytest.mark.parametrize("form", ["{code}", "  {code}\n", "http://127.0.0.1:8080/sign-in?code={code}"])
async def test_a_code_can_be_pasted(site: Site, form: str) -> None:
    """Alone or as the whole link."""
    pasted = form.format(code=site.desk.issue())

    answer = await site.client.post("/sign-in", data={"code": pasted}, allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_nonsense_is_refused_and_the_link_still_works(site: Site) -> None:
    """A wrong guess costs the rightful one nothing."""
    code = site.desk.issue()

    for guess in ("", "x" * 10_000, "\x00é", code[:-1]):
        assert (await site.client.post("/sign-in", data={"code": guess})).status == 403
    assert (await site.client.post("/sign-in", data={})).status == 403
    assert (await site.client.post("/sign-in", data={"code": code}, allow_redirects=False)).status == 303


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=nonsense", b"code=1"),
        ("application/x-www-form-urlencoded", b"code=\xff"),
        ("multipart/form-data", b"code=1"),
    ],
)
async def test_a_form_that_can_not_be_read_is_refused(site: Site, kind: str, body: bytes) -> None:
    """As the sender's fault, and not as one of the program."""
    answer = await site.client.post("/sign-in", data=body, headers={"Content-Type": kind})

    assert answer.status == 400
    assert "This is not a form that can be read." in await answer.text()


async def test_a_cookie_that_is_no_text_is_no_session(site: Site) -> None:
    """Stray bytes in it lead to the sign-in like any other wrong cookie."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.client.port)
    host = f"127.0.0.1:{site.client.port}"
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: agentic_{site.client.port}=".encode())
    writer.write(b"\xff\xfe\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 303 ")


async def test_an_upload_is_refused(site: Site) -> None:
    """Nobody needs to send much."""
    answer = await site.client.post("/sign-in", data={"code": "x" * 100_000})

    assert answer.status == 413


async def test_a_fresh_link_is_printed_on_request(site: Site) -> None:
    """In the terminal, not on the page."""
    answer = await site.client.post("/sign-in/link")

    assert site.announced == ["token-1"]
    assert "token-1" not in await answer.text()
    assert site.desk.redeem("token-1") is not None


async def test_signing_out_ends_the_session(signed_in: Site) -> None:
    """A cookie that was copied before is worth nothing."""
    (cookie,) = signed_in.client.session.cookie_jar
    await signed_in.client.post("/sign-out")

    again = await signed_in.client.get("/", cookies={cookie.key: cookie.value}, allow_redirects=False)

    assert again.status == 303


async def test_a_foreign_name_is_not_answered(signed_in: Site) -> None:
    """A site whose name was made to point here learns nothing, session or not."""
    for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", ""):
        for path in ("/", "/healthz", "/sign-in", "/api/v1/runs"):
            answer = await signed_in.client.get(path, headers={"Host": host}, allow_redirects=False)
            assert answer.status in (400, 421), host


async def test_this_machines_own_names_are_answered(site: Site) -> None:
    """Whatever the port, which a tunnel may change."""
    for host in ("127.0.0.1:1", "localhost:1", "[::1]:1", "LOCALHOST:1", "localhost"):
        assert (await site.client.get("/healthz", headers={"Host": host})).status == 200, host


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
]


async def test_a_form_from_another_site_does_nothing(signed_in: Site) -> None:
    """Not even another port of this machine is us."""
    for headers in FOREIGN:
        for path in ("/sign-in", "/sign-in/link", "/sign-out"):
            assert (await signed_in.client.post(path, headers=headers)).status == 403, headers

    assert signed_in.announced == []
    assert (await signed_in.client.get("/", allow_redirects=False)).status == 200


async def test_open_to_the_network_nobody_is_let_in(database: Database) -> None:
    """It answers by any name, for those who watch over it, and has no session to give."""
    app: web.Application = make_app(Access(database, ManualClock()), None)
    async with TestClient(TestServer(app)) as client:
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path, headers={"Host": "agentic.example"})).status == 200
        for answer in (await client.get("/"), await client.post("/sign-in", data={"code": "None"})):
            assert answer.status == 403
            assert "not possible yet" in await answer.text()
        assert (await client.get("/api/v1/runs")).status == 401
