"""The pages of signing in and out."""

from http import HTTPStatus

from aiohttp import web

from web.guard import cookie_name
from web.keys import SIGN_IN
from web.pages import render
from web.problems import problem
from web.sign_in import SESSION_LIFE_MS, SignIn

MOST_CODE_CHARACTERS = 200
_NETWORK = (
    "This page is open to the network, and signing in over the network is not possible yet. "
    "Serve it to this machine only: agentic up --host 127.0.0.1"
)


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Take the code of the terminal's link, or say where to find one."""
    desk = _desk(request)
    if desk is None:
        return problem(request, HTTPStatus.FORBIDDEN, _NETWORK)
    code = request.query.get("code")
    return render("sign_in.html", said="") if code is None else _redeemed(request, desk, code)


async def sign_in_by_hand(request: web.Request) -> web.StreamResponse:
    """Take a code, or the whole link, that was pasted."""
    desk = _desk(request)
    if desk is None:
        return problem(request, HTTPStatus.FORBIDDEN, _NETWORK)
    try:
        pasted = str((await request.post()).get("code", ""))
    except (ValueError, LookupError):  # no boundary, an unknown charset, bytes that are not in it
        return problem(request, HTTPStatus.BAD_REQUEST, "This is not a form that can be read.")
    return _redeemed(request, desk, pasted.rpartition("code=")[2].strip())


async def print_link(request: web.Request) -> web.StreamResponse:
    """Print a fresh link in the terminal."""
    desk = _desk(request)
    if desk is None:
        return problem(request, HTTPStatus.FORBIDDEN, _NETWORK)
    desk.announce_fresh()
    return render("sign_in.html", said="A fresh link is printed in the terminal that runs agentic up.")


async def sign_out(request: web.Request) -> web.StreamResponse:
    """End this browser's session."""
    desk, name = _desk(request), cookie_name(request)
    if desk is not None:
        desk.end(request.cookies.get(name, ""))
    answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/sign-in"})
    answer.del_cookie(name)
    return answer


def _desk(request: web.Request) -> SignIn | None:
    return request.app[SIGN_IN]


def _redeemed(request: web.Request, desk: SignIn, code: str) -> web.StreamResponse:
    token = desk.redeem(code) if len(code) <= MOST_CODE_CHARACTERS else None
    if token is None:
        said = "This link was used, or is too old. A link works once, for 15 minutes."
        return render("sign_in.html", status=HTTPStatus.FORBIDDEN, said=said)
    answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
    answer.set_cookie(
        cookie_name(request), token, max_age=SESSION_LIFE_MS // 1000, httponly=True, samesite="Strict"
    )
    return answer
