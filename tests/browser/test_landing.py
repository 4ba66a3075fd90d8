"""The page in a real browser, at a desk's width and at a phone's."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, Request, ViewportSize

from cli.skill_starter import STARTER
from control import skills
from control.access import Access
from db.pool import Database
from domain.time import SystemClock
from tests.integration.web.conftest import ask, finish, stop
from web.app import make_app
from web.sign_in import SignIn

pytestmark = pytest.mark.browser

WIDTHS = [ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)]
LONG_NAME = "long" * 16
LONG_ERROR = "the bars of ETH have a gap, " * 20 + "x" * 300


class Served:
    """A page with runs in every state, and what the browser complained about."""

    def __init__(self, page: Page, url: str, desk: SignIn) -> None:
        self.page, self.url, self.desk = page, url, desk
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._failed)

    def _failed(self, request: Request) -> None:
        """Keep a request that was refused. One that the browser called off to go to another page is none."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    async def sign_in(self) -> None:
        """Open the one-time link."""
        await self.page.goto(f"{self.url}/sign-in?code={self.desk.issue()}")

    async def overflow(self) -> int:
        """By how many pixels the page can be scrolled sideways."""
        return await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


@pytest.fixture
async def served(page: Page, database: Database, owner: UUID) -> AsyncIterator[Served]:
    """The page, with no run yet."""
    desk = SignIn(owner, SystemClock(), iter(map(str, range(10**6, 2 * 10**6))).__next__, lambda _: None)
    server = TestServer(make_app(Access(database, SystemClock()), desk), host="127.0.0.1")
    async with server:
        yield Served(page, str(server.make_url("/")).rstrip("/"), desk)


async def fill(database: Database, owner: UUID, name: str = LONG_NAME) -> None:
    """Runs in every state, with long errors."""
    saved = await skills.save(database, owner, STARTER.format(name=name))
    for status in ("running", "failed", "interrupted"):
        run_id = await ask(database, owner, saved.id)
        await stop(database, run_id, status, None if status == "running" else LONG_ERROR)
    await finish(database, await ask(database, owner, saved.id), synthetic=True)
    await ask(database, owner, saved.id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_scrolls_sideways_and_nothing_is_refused(
    served: Served, database: Database, owner: UUID, scheme: str
) -> None:
    """Sign-in, the empty list, the full list and a run alone, at both widths."""
    page = served.page
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(served.url)
    seen = [await served.overflow()]
    await served.sign_in()
    await fill_and_visit(served, database, owner, seen)

    assert max(seen) == 0
    assert served.complaints == []


async def fill_and_visit(served: Served, database: Database, owner: UUID, seen: list[int]) -> None:
    """Look at each page at each width."""
    page = served.page
    seen.append(await served.overflow())
    await fill(database, owner)
    for width in WIDTHS:
        await page.set_viewport_size(width)
        await page.goto(served.url)
        seen.append(await served.overflow())
        await page.locator("tr", has_text="Failed").get_by_role("link").click()
        await page.wait_for_url("**/runs/*")
        seen.append(await served.overflow())


async def test_one_signs_in_with_a_pasted_code_and_out_again(served: Served) -> None:
    """The browser's own forms are taken for ours."""
    page = served.page
    await page.goto(served.url)

    await page.get_by_role("button", name="Print a fresh one").click()
    assert await page.get_by_text("A fresh link is printed").is_visible()
    await page.get_by_label("Link or code").fill(served.desk.issue())
    await page.get_by_role("button", name="Sign in").click()
    assert await page.inner_text("h1") == "Simulations"
    await page.get_by_role("button", name="Sign out").click()

    assert await page.inner_text("h1") == "Sign in"
    assert served.complaints == []


async def test_the_list_can_be_walked_with_the_keyboard(
    served: Served, database: Database, owner: UUID
) -> None:
    """The first Tab leads to the content; a run opens with Enter."""
    await fill(database, owner)
    await served.sign_in()
    page = served.page

    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
    await page.get_by_role("link", name=LONG_NAME).first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/runs/*")

    assert await page.title() == f"{LONG_NAME}@1 · Agentic Trading"


async def test_on_a_phone_every_target_is_big_enough(served: Served, database: Database, owner: UUID) -> None:
    """Buttons and fields are 44 px high, links at least 24."""
    await fill(database, owner, "a")
    page = served.page
    await page.set_viewport_size(WIDTHS[1])
    await page.goto(served.url)
    heights = await page.eval_on_selector_all(
        "button, input", "all => all.map(each => each.getBoundingClientRect().height)"
    )
    await served.sign_in()
    links = await page.eval_on_selector_all(
        "tbody a", "all => all.map(each => each.getBoundingClientRect().height)"
    )

    assert len(heights) == 3
    assert min(heights) >= 44
    assert len(links) == 5
    assert min(links) >= 24
