"""Templates and their assets: style and icons have names that change with their content."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.time import DAY_MS, iso
from simulator.report import words
from simulator.report.document import FOLDER as REPORT

HERE = Path(__file__).parent
ASSETS = {
    "tokens.css": (REPORT / "assets" / "tokens.css", "text/css"),
    "page.css": (HERE / "static" / "page.css", "text/css"),
    "mark.svg": (HERE / "static" / "mark.svg", "image/svg+xml"),
    "icons.svg": (HERE / "static" / "icons.svg", "image/svg+xml"),
}
"""Everything that a page loads. The tokens are the report's, so that both look alike."""

_FOREVER = "public, max-age=31536000, immutable"


def render(template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Answer with a page."""
    text = _environment().get_template(template).render(values)
    return web.Response(status=status, text=text, content_type="text/html")


async def serve_asset(request: web.Request) -> web.Response:
    """Give a style sheet or the icons, to be kept for as long as the browser likes."""
    for name, (path, content_type) in ASSETS.items():
        if request.path == asset_url(name):
            body = path.read_bytes()
            return web.Response(body=body, content_type=content_type, headers={"Cache-Control": _FOREVER})
    raise web.HTTPNotFound


@cache
def asset_url(name: str) -> str:
    """The address of an asset, with its digest in it."""
    digest = hashlib.sha256(ASSETS[name][0].read_bytes()).hexdigest()[:12]
    stem, _, kind = name.rpartition(".")
    return f"/static/{stem}.{digest}.{kind}"


def age(ts: int, now_ms: int) -> str:
    """How long ago, in one unit; after a week the date."""
    if now_ms - ts > 7 * DAY_MS:
        return words.day(ts)
    return words.span(max(0, now_ms - ts))


def exactly(ts: int) -> str:
    """An instant to the second, for machines and for a hint."""
    return iso(ts // 1000 * 1000)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(asset_url=asset_url, words=words, age=age, exactly=exactly)
    return environment
