"""One deployment carried out by the command that asked for it, where no `agentic up` is running."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

from actors.kernel import WallTime
from cli.boot import House
from cli.groups.deployments import children
from cli.output import is_debugging, printable
from config.secrets import secrets_of
from control.deployments import group_of
from domain.ids import token
from supervisor.children import Service, looped
from supervisor.logbook import Logbook, logging_to
from supervisor.owner import new_owner
from supervisor.redaction import Redactor
from supervisor.showing import showing
from supervisor.signals import stop_signals
from supervisor.supervisor import Identity, Supervisor


@asynccontextmanager
async def carried_out_here(home: House, deployment_id: UUID) -> AsyncIterator[asyncio.Event]:
    """Carry a deployment out, and no other, until the block is left; then everything ends in order.

    Gives an event that Ctrl-C or SIGTERM sets: whoever waits in the block leaves it then.
    """
    redact = Redactor(secrets_of(home.settings))
    logbook = Logbook(redact, home.settings.log_format, _write)
    supervisor = Supervisor(_identity(home, deployment_id), WallTime(), Random(token()).random, redact)
    level = home.settings.log_level if is_debugging() else "warning"
    with logging_to(logbook, level), stop_signals() as stop:
        standing = [
            showing(supervisor, home.database, logbook),
            Service(name="listener", group="supervisor", make=looped(home.listener.run)),
            *children(home, supervisor, [deployment_id]),
        ]
        async with supervisor.keeping(standing, stop):
            yield stop


def _identity(home: House, deployment_id: UUID) -> Identity:
    host, pid = socket.gethostname(), os.getpid()
    return Identity(
        owner=new_owner(),
        host=host,
        pid=pid,
        groups=[group_of(deployment_id)],
        started_ts=home.clock.now_ms(),
    )


def _write(lines: str) -> None:
    sys.stderr.write(printable(lines))
    sys.stderr.flush()
