"""How a refusal looks: a page for people, `application/problem+json` (RFC 9457) for programs."""

from http import HTTPStatus

import orjson
from aiohttp import web

from web.pages import render

_WORDS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that kind of request.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is more than is taken at once.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer. Nothing was changed. Try again in a moment.",
}
"""What is said where the refusal itself says nothing, or nothing for the reader."""


def problem(request: web.Request, status: HTTPStatus, detail: str) -> web.Response:
    """Give the refusal in the form that the address has."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE or not detail:
        detail = _WORDS.get(status, f"{status.phrase}.")
    if request.path.startswith("/api/"):
        body = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/problem+json")
    return render("problem.html", status=status, title=status.phrase, detail=detail)
