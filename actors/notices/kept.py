"""Where notices are kept: written out, a row for each key, and left to the notifier to send."""

from uuid import UUID

import msgspec

from actors.notices.texts import text_of
from db.connection import Connection
from db.notifications import NewNotification, keep_notification
from domain.notices import Notice, Severity


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way there, told at `ts` by the wall's clock. `unsent` says why it is kept and not sent, if so."""

    ts: int
    user_id: UUID
    deployment_id: UUID | None
    notice: Notice
    key: str
    unsent: str = ""

    @property
    def is_grave(self) -> bool:
        """Whether somebody should be told of it now."""
        return self.notice.severity is not Severity.INFO and not self.unsent


async def keep(connection: Connection, letter: Letter) -> bool:
    """Keep a notice in the worker's transaction that is open, so that all in it happens or nothing does.

    False where its key was told before. Raises DatabaseError.
    """
    notice = letter.notice
    text = text_of(notice)
    new = NewNotification(
        user_id=letter.user_id,
        deployment_id=letter.deployment_id,
        key=letter.key,
        kind=notice.kind,
        severity=notice.severity,
        deployment=text.deployment,
        title=text.title,
        body=text.body,
        unsent=letter.unsent,
    )
    return await keep_notification(connection, new, letter.ts, wake=letter.is_grave)
