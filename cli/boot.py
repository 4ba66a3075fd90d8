"""The composition root: the only place that builds the real things, and gives them back at the end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

import msgspec

from agent.provider import Provider
from cli.main import acting_as
from cli.output import run
from cli.provider import provider_of
from config.settings import Settings, load_settings
from control.errors import NotFound
from db.boot import Prepared, prepare
from db.listen import Listener
from db.people import find_user
from db.pool import Database
from domain.time import Clock, SystemClock

T = TypeVar("T")


class House(msgspec.Struct, frozen=True):
    """Everything a command works with, open and ready."""

    settings: Settings
    database: Database
    user_id: UUID  # as whom the command acts
    clock: Clock
    prepared: Prepared
    provider: Provider
    listener: (
        Listener  # what wakes this process; `agentic up` runs it, and its groups say what they want to hear
    )


@asynccontextmanager
async def house(user: str | None = None) -> AsyncIterator[House]:
    """Read the settings and open the database, as `user` (an email), else `--user`, else the local owner.

    Raises SettingsError, DatabaseError, or NotFound for a person there is none of.
    """
    settings = load_settings()
    url = settings.database_url
    prepared = await prepare(settings.home, url.get_secret_value() if url else None)
    try:
        user_id = await _person(prepared, user or acting_as.get())
        clock = SystemClock()
        async with provider_of(settings, clock) as provider:
            listener = prepared.listener()
            yield House(settings, prepared.database, user_id, clock, prepared, provider, listener)
    finally:
        await prepared.close()


def in_house(work: Callable[[House], Awaitable[T]]) -> T:
    """Do one piece of work in an open house; expected errors end the command, as `run` has it."""

    async def opened() -> T:
        async with house() as home:
            return await work(home)

    return run(opened())


async def _person(prepared: Prepared, email: str | None) -> UUID:
    if email is None:
        return prepared.owner_id
    async with prepared.admin() as admin:
        user_id = await find_user(admin, email.lower())
    if user_id is None:
        raise NotFound(f"there is no user {email}; add one with `agentic user add {email}`")
    return user_id
