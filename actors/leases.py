"""The accounts that this process owns, and until when it may act for them.

Ownership is measured twice: by the database's clock, which decides, and by this process's own, which makes it stop a
little earlier. A process that was paused finds out by its own clock before it sends anything.
"""

import logging
from collections.abc import Callable
from uuid import UUID

from db.accounts import (
    LEASE_S,
    LeaseLost,
    end_leases,
    give_up_lease,
    lease_owner,
    lease_owners,
    renew_leases,
    take_lease,
)
from db.pool import Database

log = logging.getLogger(__name__)

RENEW_EVERY_S = LEASE_S / 3
MARGIN_S = 5.0
"""How long before its end a lease is not relied on any more."""


class AccountTaken(Exception):
    """Another process owns the account. It may be asked again when the lease has ended."""


class Leases:
    """One for a process. `owner` is new with every start, `monotonic_s` is a clock that is never set.

    `is_gone` says of another owner whether its process is certain to have ended.
    """

    def __init__(
        self,
        database: Database,
        owner: str,
        monotonic_s: Callable[[], float],
        *,
        lease_s: float = LEASE_S,
        is_gone: Callable[[str], bool] = lambda owner: False,
    ) -> None:
        self.owner = owner
        self._is_gone = is_gone
        self._database = database
        self._monotonic_s = monotonic_s
        self._lease_s = lease_s
        self._until_s: dict[UUID, float] = {}

    async def take(self, account_id: UUID) -> int:
        """Become an account's owner; gives the fence. Raises AccountTaken while another process owns it."""
        begun_s = self._monotonic_s()
        async with self._database.as_worker() as connection:
            fence = await take_lease(connection, account_id, self.owner, lease_s=self._lease_s)
            other = None if fence else await lease_owner(connection, account_id)
        if fence is None:
            raise AccountTaken(
                f"account {account_id} is owned by {other or 'another process'}, until its lease ends"
            )
        self._until_s[account_id] = begun_s + self._lease_s
        return fence

    async def renew(self) -> None:
        """Prolong every lease; what is no longer ours is forgotten. One that is taken meanwhile stays as it is."""
        before, begun_s = dict(self._until_s), self._monotonic_s()
        if not before:
            return
        async with self._database.as_worker() as connection:
            ours = set(await renew_leases(connection, self.owner, lease_s=self._lease_s))
        for account_id, until_s in before.items():
            if self._until_s.get(account_id) != until_s:
                continue
            if account_id in ours:
                self._until_s[account_id] = begun_s + self._lease_s
            else:
                del self._until_s[account_id]

    async def end_those_of_the_gone(self) -> None:
        """End the leases of processes that were killed, so that nobody waits for what can't come back."""
        async with self._database.as_worker() as connection:
            for owner in await lease_owners(connection):
                if owner != self.owner and self._is_gone(owner):
                    count = await end_leases(connection, owner)
                    log.info("%s is gone; %d accounts that it owned are free", owner, count)

    def check(self, account_id: UUID) -> None:
        """Raise LeaseLost unless this process may still act for an account."""
        if self._monotonic_s() >= self._until_s.get(account_id, 0.0) - MARGIN_S:
            raise LeaseLost(
                f"the lease of account {account_id} could not be renewed in time; nothing is sent"
            )

    async def give_up(self, account_id: UUID) -> None:
        """Let go of an account."""
        if self._until_s.pop(account_id, None) is not None:
            async with self._database.as_worker() as connection:
                await give_up_lease(connection, account_id, self.owner)
