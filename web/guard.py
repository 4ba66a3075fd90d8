"""What stands before every handler: who may ask, from where, and what an answer may do in a browser."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from control.access import DatabaseError
from control.errors import Invalid, NotFound, Refused
from web.keys import SIGN_IN, USER
from web.problems import problem

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
OPEN = ("/healthz", "/readyz", "/sign-in", "/static/")
"""Paths that need no session."""

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send our own forms with Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
    "Server": "agentic",
}
_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Invalid, HTTPStatus.BAD_REQUEST),
    (Refused, HTTPStatus.CONFLICT),
    (DatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""Error and status; the first row that fits counts."""


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser what a page may do, where the handler has not said it itself."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = _HEADERS["Server"]


@web.middleware
async def explain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a request is refused for into a page, or into problem+json under /api/."""
    try:
        return await handler(request)
    except tuple(kind for kind, _ in _STATUS) as error:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            log.warning("%s %s: %s", request.method, request.path, error)
        return problem(request, status, str(error))
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        answer = problem(request, HTTPStatus(error.status), "")
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer


@web.middleware
async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only to this machine's own names, so that no foreign site can have its name point here."""
    if host_name(request) not in LOOPBACK:
        text = "This page answers to 127.0.0.1 and localhost only."
        return problem(request, HTTPStatus.MISDIRECTED_REQUEST, text)
    return await handler(request)


@web.middleware
async def check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take changes from our own pages only: the browser says where a form was sent from."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        came_from = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin", f"{request.scheme}://{request.host}")
        if came_from not in ("same-origin", "none") or origin != f"{request.scheme}://{request.host}":
            return problem(request, HTTPStatus.FORBIDDEN, "This was sent by another site, and is refused.")
    return await handler(request)


@web.middleware
async def check_session(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in whoever is signed in; a page without a session leads to where one signs in."""
    if request.path.startswith(OPEN):
        return await handler(request)
    sign_in = request.app[SIGN_IN]
    token = request.cookies.get(cookie_name(request), "")
    user_id = None if sign_in is None else sign_in.user_of(token)
    if user_id is None:
        if request.path.startswith("/api/"):
            return problem(request, HTTPStatus.UNAUTHORIZED, "Sign in first, on the page.")
        raise web.HTTPSeeOther("/sign-in")
    request[USER] = user_id
    return await handler(request)


def host_name(request: web.Request) -> str | None:
    """The name that the request was sent to, without its port; None when it makes no sense."""
    try:
        return request.url.host
    except ValueError:
        return None


def cookie_name(request: web.Request) -> str:
    """The session's cookie. Cookies know no ports, so two servers on a machine need two names."""
    return f"agentic_{request.url.port}"
