"""The limit of starting up: the embedded Postgres, one question to it, one page by aiohttp. `first_page.py HOME PORT`.

Run from the repository, since it starts the server as the product does.
"""

import asyncio
import sys
from pathlib import Path

import asyncpg
from aiohttp import web

from db.embedded import attach


async def serve(dsn: str, port: int) -> None:
    """Ask the database for a page and serve it until interrupted."""
    connection = await asyncpg.connect(dsn)
    text = await connection.fetchval("select 'a page'")
    await connection.close()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


with attach(Path(sys.argv[1])) as server:
    asyncio.run(serve(server.dsn("postgres"), int(sys.argv[2])))
