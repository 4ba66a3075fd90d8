"""What those who watch over the process are told. Anybody may ask, so nothing is said of where and how it runs."""

import asyncio
import logging
from http import HTTPStatus

import orjson
from aiohttp import web

from control.access import Access, DatabaseError, Unavailable
from web.keys import ACCESS, TROUBLES

log = logging.getLogger(__name__)

READY_S = 1.0
"""What the database is given to answer in."""


async def is_alive(request: web.Request) -> web.Response:
    """The process answers. Nothing else is looked at: starting it again mends nothing else."""
    return web.Response(text="ok\n")


async def is_ready(request: web.Request) -> web.Response:
    """The database answers in its time and has our schema, and every part runs. 503 where not, with what is wrong."""
    problems = [*request.app[TROUBLES](), *await _problems_with(request.app[ACCESS])]
    return web.Response(
        status=HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK,
        body=orjson.dumps({"ready": not problems, "problems": problems}) + b"\n",
        content_type="application/json",
    )


async def _problems_with(access: Access) -> list[str]:
    try:
        async with asyncio.timeout(READY_S):
            await access.check()
    except TimeoutError:
        return [f"The database did not answer within {READY_S:g} s."]
    except Unavailable as error:
        log.warning("not ready: %s", error)
        return ["The database does not answer."]
    except DatabaseError as error:
        log.warning("not ready: %s", error)
        return ["The database can't be worked with; the log says why."]
    return []
