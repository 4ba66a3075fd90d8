"""What every answer tells the browser."""

import re

from aiohttp import ClientResponse

from tests.integration.web.conftest import Site

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
