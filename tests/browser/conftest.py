"""A real browser for the tests in this folder: Chrome or Chromium, whichever the machine has.

Without one the tests are skipped, except where CI is set, because there a skipped test would pass for a good
one.
"""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

FIND = Path(__file__).parents[2] / "scripts" / "browser"
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
DESKTOP = ViewportSize(width=1440, height=900)


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Where the browser is."""
    found = subprocess.run([FIND, "find"], capture_output=True, text=True, check=False)
    if found.returncode and os.environ.get("CI"):
        pytest.fail(found.stderr.strip(), pytrace=False)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


@pytest.fixture(scope="session")
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    """One browser for the run, without a window; each page has a profile of its own."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page of desktop width; `set_viewport_size` makes it a phone's."""
    opened = await browser.new_page(viewport=DESKTOP)
    yield opened
    await opened.close()
