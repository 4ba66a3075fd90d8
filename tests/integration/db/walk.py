"""A walk through every table: what the catalogue says of it, and what somebody else can really do.

`faults` reads the catalogue for tables that are not closed as they should be, `leaks` tries the doors.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from db.connection import Connection
from db.errors import DatabaseError
from db.pool import Database
from tests.integration.db.samples import (
    ALSO_NOBODYS,
    PRIVATE,
    SAMPLE_ID_SQL,
    SHARED,
    SHARED_ROWS,
    USER_ROWS,
)

STRANGER = UUID("00000000-0000-7000-8000-00000000000c")
"""Somebody who has nothing yet, in whose name nobody else may write."""

DEFINERS = frozenset({"forget_made_up"})
"""Functions that act as their owner: looked at one by one, with a test of what they can and can't do."""

_DEFINERS_SQL = """
select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef and proname <> all ($1)
"""
TABLES_SQL = """
select c.oid::int, c.relname as name, c.relkind::text as kind, c.relrowsecurity as enabled,
  c.relforcerowsecurity as forced, a.attnotnull as owned
from pg_class c
left join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by c.relname
"""
_POLICIES_SQL = """
select cmd, roles::text[] as roles, coalesce(qual, '') || coalesce(with_check, '') as condition,
  permissive = 'PERMISSIVE' as permissive
from pg_policies where schemaname = 'public' and tablename = $1
"""
_GRANTS_SQL = """
select name, string_agg(acl.privilege_type || coalesce('(' || part || ')', ''), ' '
  order by acl.privilege_type || coalesce('(' || part || ')', '')) as grants
from (
  select relname as name, null as part, relacl as acls from pg_class where relnamespace = 'public'::regnamespace
  union all
  select c.relname, a.attname, a.attacl from pg_attribute a join pg_class c on c.oid = a.attrelid
  where c.relnamespace = 'public'::regnamespace
) granted, aclexplode(acls) acl
where acl.grantee = coalesce(to_regrole($1)::oid, 0) group by name
"""


async def grants(connection: Connection, role: str) -> dict[str, str]:
    """What a role may do with each table; a right to some columns only names them."""
    rows = await connection.fetch(_GRANTS_SQL, role)
    return {row["name"]: row["grants"] for row in rows}


async def faults(admin: Connection) -> list[str]:
    """Say what is open in the catalogue that should be closed."""
    found = []
    for table in await admin.fetch(TABLES_SQL):
        name = table["name"]
        if table["kind"] not in ("r", "p"):
            found.append(f"{name}: what is no table has no row security of its own")
        elif name in PRIVATE:
            found += [f"{name}: {fault}" async for fault in _faults_of_private_table(admin, table)]
        elif name not in SHARED:
            found += [f"{name}: {fault}" async for fault in _faults_of_user_table(admin, table)]
    for role in ("PUBLIC", "anon", "service_role", "agentic_app", "authenticator"):
        found += [f"{name}: {role} may {what}" for name, what in (await grants(admin, role)).items()]
    people = await grants(admin, "authenticated")
    found += [
        f"{name}: people may {people[name]}" for name in SHARED & people.keys() if people[name] != "SELECT"
    ]
    found += [f"{name}: people may {people[name]}" for name in PRIVATE & people.keys()]
    definers = await admin.fetch(_DEFINERS_SQL, list(DEFINERS))
    return found + [f"{row['proname']}: it acts as its owner, whoever calls it" for row in definers]


async def _faults_of_user_table(admin: Connection, table: Any) -> AsyncIterator[str]:
    if table["name"] not in USER_ROWS:
        yield "there is no sample row of it; add one to samples.py"
    if not table["enabled"] or not table["forced"]:
        yield "row security is not enabled and forced"
    if not table["owned"] and not (table["name"] in ALSO_NOBODYS and table["owned"] is not None):
        yield "it has no user_id, or one that may be null"
    policies = await admin.fetch(_POLICIES_SQL, table["name"])
    if not any(
        policy["cmd"] in ("SELECT", "ALL") and "authenticated" in policy["roles"] for policy in policies
    ):
        yield "no policy lets people read their rows"
    for policy in policies:
        if policy["roles"] not in (["authenticated"], ["agentic_worker"]):
            yield f"a policy is for {policy['roles']}"
        if policy["roles"] == ["authenticated"] and "auth.uid()" not in policy["condition"]:
            yield "a policy for people does not ask who they are"


async def _faults_of_private_table(admin: Connection, table: Any) -> AsyncIterator[str]:
    if not table["enabled"] or not table["forced"]:
        yield "row security is not enabled and forced"
    for policy in await admin.fetch(_POLICIES_SQL, table["name"]):
        if policy["roles"] != ["agentic_worker"]:
            yield f"a policy is for {policy['roles']}"


async def leaks(
    database: Database, admin: Connection, mine: UUID, theirs: UUID, rows: dict[str, str]
) -> list[str]:
    """Try, as one person, to see and to change what is another's; say what succeeded."""
    found = []
    for table, insert in rows.items():
        columns = await admin.fetch(
            "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0"
            " and not attisdropped and attgenerated = ''",
            table,
        )
        attacks = [f"update {table} set {column['attname']} = {column['attname']}" for column in columns]
        attacks += [
            f"update {table} set user_id = '{theirs}'",
            f"delete from {table}",
            f"truncate {table} cascade",
            insert.replace("$1", f"'{STRANGER}'::uuid"),
            insert.replace("$1", f"'{theirs}'::uuid"),
        ]
        before = await _rows(admin, table, mine)
        async with database.as_user(mine) as connection:
            seen = await connection.fetch(f"select user_id from {table}")
        if {row["user_id"] for row in seen} != {mine}:
            found.append(f"{table}: saw the rows of {[row['user_id'] for row in seen]}")
        for attack in attacks:
            await _attack(database, mine, attack)
            if await _rows(admin, table, mine) != before:
                found.append(f"{table}: {attack}")
                before = await _rows(admin, table, mine)
    return found


async def _rows(admin: Connection, table: str, mine: UUID) -> list[str]:
    """All rows that are not mine, as text, with the transaction that wrote them."""
    rows = await admin.fetch(
        f"select t.xmin::text || t::text as row from {table} t where user_id <> $1 order by 1", mine
    )
    return [row["row"] for row in rows]


async def _attack(database: Database, mine: UUID, sql: str) -> None:
    try:
        async with database.as_user(mine) as connection:
            await connection.execute(sql)
    except DatabaseError:
        pass


async def fill(admin: Connection, *people: UUID) -> None:
    """Give each of these people a row in every table."""
    await admin.execute(SAMPLE_ID_SQL)
    await admin.execute("insert into auth.users (id, email) values ($1, 'stranger@localhost')", STRANGER)
    for insert in USER_ROWS.values():
        for person in people:
            await admin.execute(insert, person)
    for insert in SHARED_ROWS.values():
        await admin.execute(insert)
