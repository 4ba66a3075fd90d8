"""The browser that the other tests of this folder rely on."""

from pathlib import Path

import pytest
from playwright.async_api import Page

pytestmark = pytest.mark.browser


async def test_a_page_is_drawn_and_its_script_runs(page: Page, tmp_path: Path) -> None:
    """A file is opened, its script changes it, and a picture can be taken."""
    file = tmp_path / "page.html"
    file.write_text("<h1>waiting</h1><script>document.querySelector('h1').textContent = 'drawn'</script>")

    await page.goto(file.as_uri())

    assert await page.inner_text("h1") == "drawn"
    assert (await page.screenshot()).startswith(b"\x89PNG")
