"""What handlers find in the application and in a request."""

from uuid import UUID

from aiohttp import web

from control.access import Access
from web.sign_in import SignIn

ACCESS = web.AppKey("access", Access)
SIGN_IN: web.AppKey[SignIn | None] = web.AppKey("sign_in", SignIn | None)  # type: ignore[arg-type]
USER: web.RequestKey[UUID] = web.RequestKey("user", UUID)
