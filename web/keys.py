"""What handlers find in the application and in a request."""

from collections.abc import Callable, Sequence
from uuid import UUID

from aiohttp import web

from control.access import Access
from web.sign_in import SignIn

ACCESS = web.AppKey("access", Access)
SIGN_IN: web.AppKey[SignIn | None] = web.AppKey("sign_in", SignIn | None)  # type: ignore[arg-type]
Troubles = Callable[[], Sequence[str]]
"""Says what keeps the process from its work, a line for each thing; nothing when it is well."""

TROUBLES: web.AppKey[Troubles] = web.AppKey("troubles", Troubles)  # type: ignore[arg-type]
USER: web.RequestKey[UUID] = web.RequestKey("user", UUID)
