"""The report in a real browser: nothing fails, nothing overflows, nothing is fetched, and keys reach all of it."""

from decimal import Decimal
from pathlib import Path

import pytest
from playwright.async_api import Page, ViewportSize

from simulator.metrics import compute
from simulator.record import RunRecord
from simulator.report import render
from tests.browser.conftest import DESKTOP
from tests.unit.simulator.samples import Entry, crossings, record_of, walk
from tests.unit.simulator.shapes import run_of

pytestmark = pytest.mark.browser

PHONE = ViewportSize(width=390, height=844)
WIDTHS = {"desktop": DESKTOP, "tablet": ViewportSize(width=768, height=1024), "phone": PHONE}
WHY = "It rose above its mean, and the mean rose too."

TOO_WIDE = """() => [...document.querySelectorAll('body *')].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width && !element.closest('svg, .skip') && box.right > innerWidth + 1;
}).map((element) => `${element.tagName}.${element.className}`)"""


def traded() -> RunRecord:
    """Three months of hours, with some trades."""
    bars = walk(24 * 90)
    return record_of({"BTC": bars}, [Entry(3, Decimal("0.02"), why=WHY), *crossings(bars, Decimal("0.02"))])


class Visit:
    """A report that is open, and all that its page asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    async def to(self, record: RunRecord, folder: Path) -> None:
        """Write the run's report and go there."""
        file = folder / "report.html"
        file.write_text(render(record, compute(record)), "utf-8")
        await self.page.goto(file.as_uri())

    async def read(self, name: str) -> str:
        """What the chart's head says of a line."""
        return await self.page.inner_text(f'[data-read="{name}"]')


@pytest.fixture
async def visit(page: Page) -> Visit:
    """A page that is listened to, which begins inside the loop."""
    return Visit(page)


@pytest.mark.parametrize(
    "shape",
    ["hostile and refused", "four symbols", "years of days", "thousands of trades", "one point", "thinking"],
)
async def test_a_report_fits_every_screen_and_asks_for_nothing(
    visit: Visit, tmp_path: Path, shape: str
) -> None:
    """No complaint in the console, no request but the page, and nothing wider than the screen."""
    await visit.to(run_of(shape), tmp_path)
    await visit.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    too_wide = {}
    for name, size in WIDTHS.items():
        await visit.page.set_viewport_size(size)
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == size["width"], name
        too_wide[name] = await visit.page.evaluate(TOO_WIDE)
    for scheme in ("light", "dark"):
        await visit.page.emulate_media(color_scheme=scheme)

    assert too_wide == {name: [] for name in WIDTHS}
    assert visit.complaints == []
    assert visit.requests == [visit.page.url]


@pytest.mark.parametrize("width", ["desktop", "phone"])
async def test_the_crosshair_reads_the_lines(visit: Visit, tmp_path: Path, width: str) -> None:
    """Under the pointer stand the values of that instant; away from the chart, those of the end."""
    await visit.page.set_viewport_size(WIDTHS[width])
    await visit.to(traded(), tmp_path)
    end = [await visit.read(name) for name in ("time", "equity", "price-BTC")]

    await visit.page.locator("#chart").scroll_into_view_if_needed()
    await visit.page.locator("#chart .plot >> nth=0").hover(position={"x": 0, "y": 60})
    assert await visit.read("time") == "2025-01-01 00:00"
    assert await visit.read("equity") == "10,000.00"
    assert await visit.page.locator(".cross").is_visible()

    await visit.page.mouse.move(0, 0)
    assert [await visit.read(name) for name in ("time", "equity", "price-BTC")] == end
    assert not await visit.page.locator(".cross").is_visible()


async def test_the_crosshair_moves_by_keys(visit: Visit, tmp_path: Path) -> None:
    """Tab reaches the chart, arrows step through it, Escape goes back to the end."""
    await visit.to(traded(), tmp_path)
    end = await visit.read("time")
    await visit.page.focus("#chart")

    await visit.page.keyboard.press("ArrowLeft")
    one_back = await visit.read("time")
    await visit.page.keyboard.press("PageUp")
    far_back = await visit.read("time")
    await visit.page.keyboard.press("ArrowRight")
    assert far_back < await visit.read("time") < one_back < end

    await visit.page.keyboard.press("Escape")
    assert await visit.read("time") == end


@pytest.mark.parametrize("width", ["desktop", "phone"])
async def test_a_trade_opens_by_key_and_shows_why(visit: Visit, tmp_path: Path, width: str) -> None:
    """The reason is hidden until Why is pressed, and shown right after."""
    await visit.page.set_viewport_size(WIDTHS[width])
    await visit.to(run_of("one trade"), tmp_path)
    reason = visit.page.get_by_text("it rose", exact=True)
    assert not await reason.is_visible()

    await visit.page.focus("#trade-1 summary")
    await visit.page.keyboard.press("Enter")
    assert await reason.is_visible()


async def test_a_mark_in_the_chart_leads_to_its_trade(visit: Visit, tmp_path: Path) -> None:
    """A click on the way in opens the trade's row and brings it into view."""
    await visit.to(traded(), tmp_path)
    number = await visit.page.locator("[data-trade]").last.get_attribute("data-trade")

    await visit.page.locator(f'[data-trade="{number}"] path').first.click(force=True)
    row = visit.page.locator(f"#trade-{number}")
    assert await row.locator("details").evaluate("(each) => each.open")
    assert await row.evaluate("(each) => each.getBoundingClientRect().top < innerHeight")


async def test_every_control_is_reached_by_tab_and_shows_it(visit: Visit, tmp_path: Path) -> None:
    """First the way past the head, then the chart and the folded parts, each with a ring around it."""
    await visit.to(run_of("one trade"), tmp_path)
    reached = []
    for _ in range(5):
        await visit.page.keyboard.press("Tab")
        reached.append(
            await visit.page.evaluate("[document.activeElement.id || document.activeElement.innerText,"
                                      " getComputedStyle(document.activeElement).boxShadow !== 'none']")
        )  # fmt: skip

    assert reached == [
        [name, True] for name in ("Skip to content", "chart", "Show as table", "Why", "Show as JSON")
    ]


async def test_the_report_is_whole_without_its_script(visit: Visit, tmp_path: Path) -> None:
    """Where scripts are off, the figures, the lines and the reasons are all there."""
    browser = visit.page.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    still = Visit(await context.new_page())
    await still.to(run_of("one trade"), tmp_path)

    assert await still.page.locator(".ln--eq >> nth=-1").get_attribute("d")
    await still.page.locator("#trade-1 summary").click()
    assert await still.page.get_by_text("it rose", exact=True).is_visible()
    await context.close()
