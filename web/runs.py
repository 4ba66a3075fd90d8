"""Simulations: the list of runs, one run, and both for programs."""

import html
import re
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
import orjson
from aiohttp import web

from control import data, runs, runs_view, skills
from control.errors import Invalid, Refused
from control.runs_view import RunLine, RunPage
from domain.time import iso
from web.keys import ACCESS, USER
from web.pages import render

_OWN_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


async def landing(request: web.Request) -> web.Response:
    """The newest runs of whoever is signed in, and how to get to the first one."""
    access, page = request.app[ACCESS], await _page(request)
    is_first = "before" not in request.query
    steps = {} if page.runs or not is_first else await _first_steps(request)
    return render(
        "runs.html",
        runs=page.runs,
        before=page.before,
        is_first=is_first,
        now_ms=access.clock.now_ms(),
        **steps,
    )


async def one_run(request: web.Request) -> web.Response:
    """A finished run's report; of any other run, how it stands, and so where a report can't be drawn."""
    access, user_id, run_id = request.app[ACCESS], request[USER], UUID(request.match_info["id"])
    line = await runs_view.load_run(access.database, user_id, run_id)
    now_ms = access.clock.now_ms()
    if line.status != "done":
        return render("run.html", run=line, now_ms=now_ms)
    try:
        report = await runs.report_html(access.database, user_id, run_id)
    except Refused as error:
        return render("run.html", run=line, now_ms=now_ms, why=str(error), status=HTTPStatus.CONFLICT)
    return web.Response(
        text=report, content_type="text/html", headers={"Content-Security-Policy": report_policy(report)}
    )


async def api_runs(request: web.Request) -> web.Response:
    """`GET /api/v1/runs?limit=&before=`: runs, newest first, and the `before` of the next page."""
    page = await _page(request)
    return _json({"runs": [_document(run) for run in page.runs], "before": page.before})


async def api_run(request: web.Request) -> web.Response:
    """`GET /api/v1/runs/{id}`: one run."""
    access = request.app[ACCESS]
    return _json(
        _document(await runs_view.load_run(access.database, request[USER], UUID(request.match_info["id"])))
    )


def report_policy(report: str) -> str:
    """The policy that a report carries, which lets in its own style and script alone; and no frame."""
    found = _OWN_POLICY.search(report)
    own = html.unescape(found[1]) if found else "default-src 'none'"
    return f"{own}; frame-ancestors 'none'"


async def _first_steps(request: web.Request) -> dict[str, Any]:
    """What is there already of what a first run needs."""
    access, user_id = request.app[ACCESS], request[USER]
    saved = await skills.list_skills(access.database, user_id)
    return {
        "has_data": await data.has_any(access.database, user_id),
        "skill": saved[0].name if saved else None,
    }


async def _page(request: web.Request) -> RunPage:
    access = request.app[ACCESS]
    return await runs_view.list_runs(
        access.database,
        request[USER],
        limit=_whole(request.query.get("limit", "50")),
        before=_id(request.query.get("before")),
    )


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise Invalid("limit is not a whole number")
    return int(text)


def _id(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise Invalid("before is not the id of a run") from None


def _document(run: RunLine) -> dict[str, Any]:
    """A run as programs see it: its instants are RFC 3339."""
    return {
        name: iso(value) if name.endswith("_ts") and value is not None else value
        for name, value in msgspec.structs.asdict(run).items()
    }


def _json(document: Any) -> web.Response:
    body = orjson.dumps(document, default=str)
    return web.Response(body=body, content_type="application/json")
