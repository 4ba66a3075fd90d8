"""What a person approved of tools outside."""

from uuid import UUID

import pytest

from db.errors import DatabaseError
from db.inference import PostgresLedger
from db.mcp_tools import approve_tool, approved_tools, import_tools, keep_tools, kept_tools, revoke_tools
from db.pool import Database
from domain.inference import ToolUse
from domain.tools import PinnedTool, pin

SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}}
FILE = "a" * 64


def tool(name: str = "find", description: str = "Finds things.", server: str = "news") -> PinnedTool:
    return pin(server, name, description, SCHEMA)


async def test_what_is_approved_is_found_as_it_was(database: Database, owner: UUID) -> None:
    """Definitions come back whole, by server and tool, to the person and to the worker."""
    tools = [tool("find"), tool("tell", "Tells “all”."), tool("find", server="desk")]
    async with database.as_user(owner) as connection:
        for each in tools:
            await approve_tool(connection, owner, each)
        assert await approved_tools(connection, owner) == [tools[2], tools[0], tools[1]]

    async with database.as_worker() as connection:
        assert len(await approved_tools(connection, owner)) == 3


async def test_a_new_approval_takes_the_place_of_the_old_one(database: Database, owner: UUID) -> None:
    """Of one tool there is one approved definition."""
    async with database.as_user(owner) as connection:
        await approve_tool(connection, owner, tool(description="Old."))
        await approve_tool(connection, owner, tool(description="New."))

        assert [each.description for each in await approved_tools(connection, owner)] == ["New."]


async def test_an_approval_is_taken_back(database: Database, owner: UUID) -> None:
    """That of some tools of a server, or of all of them; another server keeps its own."""
    async with database.as_user(owner) as connection:
        for each in (tool("a"), tool("b"), tool("c"), tool("a", server="desk")):
            await approve_tool(connection, owner, each)

        assert await revoke_tools(connection, owner, "news", ["b", "unknown"]) == ["b"]
        assert await revoke_tools(connection, owner, "news") == ["a", "c"]
        assert [each.full_name for each in await approved_tools(connection, owner)] == ["desk.a"]


async def test_nobody_approves_for_another(database: Database, owner: UUID, other_user: UUID) -> None:
    """A person sees, writes and takes back their own approvals only."""
    async with database.as_user(owner) as connection:
        await approve_tool(connection, owner, tool())

    async with database.as_user(other_user) as connection:
        assert await approved_tools(connection, owner) == []
        assert await revoke_tools(connection, owner, "news") == []
    with pytest.raises(DatabaseError):
        async with database.as_user(other_user) as connection:
            await approve_tool(connection, owner, tool(description="Mine."))

    async with database.as_user(owner) as connection:
        assert await approved_tools(connection, owner) == [tool()]


async def test_what_came_in_with_a_file_approves_nothing(database: Database, owner: UUID) -> None:
    """It is found under its file alone, and can be written only there."""
    async with database.as_worker() as connection:
        await import_tools(connection, owner, FILE, [tool(), tool()])
        assert await approved_tools(connection, owner) == []
        assert await approved_tools(connection, owner, origin=FILE) == [tool()]

    with pytest.raises(DatabaseError):
        async with database.as_worker() as connection:
            await import_tools(connection, owner, "", [tool()])
    async with database.as_user(owner) as connection:
        assert await revoke_tools(connection, owner, "news") == []


async def test_what_a_run_began_with_outlives_its_approval(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Each form is found by its digest, by nobody else, and approves nothing."""
    forms = [tool(), tool(description="Finds other stories.")]
    async with database.as_worker() as connection:
        for form in (*forms, forms[0]):
            await keep_tools(connection, owner, [form])
        for form in forms:
            had = {form.full_name: form.digest, "news.gone": form.digest}
            assert await kept_tools(connection, owner, had) == [form]
            assert await kept_tools(connection, other_user, had) == []
        assert await kept_tools(connection, owner, {}) == []
        assert await approved_tools(connection, owner) == []


async def test_only_an_answer_that_never_came_gives_way(database: Database, owner: UUID) -> None:
    """A server that was out of reach is overwritten by its answer; the answer stays."""
    ledger = PostgresLedger(database, owner, route="r")
    missed = ToolUse("news__find", {}, "no answer", is_error=True, problem="timeout")
    found, other = ToolUse("news__find", {}, "found"), ToolUse("news__find", {}, "other")

    for use, kept in ((missed, missed), (found, found), (other, found), (missed, found)):
        await ledger.keep_tool("k", use)
        assert await ledger.find_tool("k") == kept
