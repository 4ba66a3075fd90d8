"""The tools of MCP servers that a person approved, as they were when they were approved.

What a person approved has the origin ''. What came in with a file has that file's sha256 for its origin, and is found
under that origin alone. What a run began with has its own digest for its origin: it serves replays of recorded runs,
whatever became of the approval.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import msgspec

from db.connection import Connection
from domain.tools import PinnedTool

_decode = msgspec.json.Decoder(PinnedTool).decode
_encode = msgspec.json.Encoder(order="deterministic").encode

_KEEP_SQL = """
insert into mcp_tools (user_id, server, tool, digest, definition, origin) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
"""


async def approve_tool(connection: Connection, user_id: UUID, tool: PinnedTool) -> None:
    """Keep a definition as this person's approved one, in the place of an earlier one."""
    await connection.execute(
        "insert into mcp_tools (user_id, server, tool, digest, definition) values ($1, $2, $3, $4, $5)"
        " on conflict (user_id, origin, server, tool) do update set"
        " digest = excluded.digest, definition = excluded.definition, approved_at = now()",
        *_columns(user_id, tool),
    )


async def revoke_tools(
    connection: Connection, user_id: UUID, server: str, tools: Sequence[str] | None = None
) -> list[str]:
    """Take back the approval of these tools of a server, or of all. Gives the names of those that had it, sorted."""
    rows = await connection.fetch(
        "delete from mcp_tools where user_id = $1 and origin = '' and server = $2"
        " and ($3::text[] is null or tool = any ($3)) returning tool",
        user_id,
        server,
        tools,
    )
    return sorted(row["tool"] for row in rows)


async def approved_tools(connection: Connection, user_id: UUID, *, origin: str = "") -> list[PinnedTool]:
    """Give what a person approved, or what came in with a file, by server and tool."""
    rows = await connection.fetch(
        "select definition from mcp_tools where user_id = $1 and origin = $2 order by server, tool",
        user_id,
        origin,
    )
    return [_decode(row["definition"]) for row in rows]


async def import_tools(
    connection: Connection, user_id: UUID, origin: str, tools: Iterable[PinnedTool]
) -> None:
    """Keep the definitions that came in with a file, as the worker. Those that are there already stay."""
    await connection.executemany(_KEEP_SQL, [(*_columns(user_id, tool), origin) for tool in tools])


async def keep_tools(connection: Connection, user_id: UUID, tools: Iterable[PinnedTool]) -> None:
    """Keep the definitions that a run begins with, as the worker, for replays of it."""
    await connection.executemany(_KEEP_SQL, [(*_columns(user_id, tool), tool.digest) for tool in tools])


async def kept_tools(connection: Connection, user_id: UUID, digests: Mapping[str, str]) -> list[PinnedTool]:
    """Give the definitions that a run began with, by server and tool: `digests` are those of its manifest, by name."""
    rows = await connection.fetch(
        "select definition from mcp_tools join unnest($2::text[], $3::text[]) had (name, had_digest)"
        " on server || '.' || tool = name and digest = had_digest and origin = had_digest"
        " where user_id = $1 order by server, tool",
        user_id,
        list(digests),
        list(digests.values()),
    )
    return [_decode(row["definition"]) for row in rows]


def _columns(user_id: UUID, tool: PinnedTool) -> tuple[object, ...]:
    return user_id, tool.server, tool.name, tool.digest, _encode(tool).decode()
