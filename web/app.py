"""The application: its addresses, and what stands before them."""

from aiohttp import web

from control.access import Access
from web import guard, health, pages, runs, sign_in_pages
from web.keys import ACCESS, SIGN_IN, TROUBLES, Troubles
from web.sign_in import SignIn

MOST_BODY_BYTES = 64 * 1024
_ID = "{id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"


def make_app(access: Access, sign_in: SignIn | None, troubles: Troubles = tuple) -> web.Application:
    """Build the application. Without `sign_in` it is open to the network, and lets nobody in.

    `troubles` says what keeps the process from its work; with any, it is not ready.
    """
    middlewares = [guard.explain_errors, guard.check_origin, guard.check_session]
    if sign_in is not None:
        middlewares.insert(1, guard.check_host)
    app = web.Application(middlewares=middlewares, client_max_size=MOST_BODY_BYTES)
    app[ACCESS], app[SIGN_IN], app[TROUBLES] = access, sign_in, troubles
    app.on_response_prepare.append(guard.add_headers)
    app.add_routes(
        [
            web.get("/", runs.landing),
            web.get(f"/runs/{_ID}", runs.one_run),
            web.get("/api/v1/runs", runs.api_runs),
            web.get(f"/api/v1/runs/{_ID}", runs.api_run),
            web.get("/sign-in", sign_in_pages.sign_in),
            web.post("/sign-in", sign_in_pages.sign_in_by_hand),
            web.post("/sign-in/link", sign_in_pages.print_link),
            web.post("/sign-out", sign_in_pages.sign_out),
            web.get("/static/{name}", pages.serve_asset),
            web.get("/healthz", health.is_alive),
            web.get("/readyz", health.is_ready),
        ]
    )
    return app
