"""A person sees and changes their own rows only: seen by walking through every table that there is.

The walk itself (walk.py) is shown to find what was planted, so that a new table without a policy or a sample
row can't slip through.
"""

from uuid import UUID

import asyncpg
import pytest

from db.connection import Connection
from db.errors import DatabaseError, NotPermitted
from db.pool import Database
from tests.integration.db.samples import PRIVATE, SHARED, SHARED_ROWS, USER_ROWS
from tests.integration.db.walk import TABLES_SQL, faults, fill, grants, leaks

WORKER_MAY = {
    "account_leases": "DELETE INSERT SELECT UPDATE(expires_at) UPDATE(fence) UPDATE(owner)",
    "agent_commands": "SELECT UPDATE(acknowledged_at) UPDATE(error) UPDATE(finished_at) UPDATE(result) UPDATE(state)",
    "agent_logs": "DELETE INSERT(at) INSERT(body) INSERT(deployment_id) INSERT(event) INSERT(level) INSERT(user_id)"
    " SELECT",
    "agent_state": "INSERT SELECT UPDATE",
    "bars": "INSERT SELECT",
    "decision_snapshots": "DELETE INSERT SELECT",
    "deployments": "SELECT UPDATE(ended_at) UPDATE(reason) UPDATE(skill_version_id) UPDATE(started_at) UPDATE(status)",
    "equity_points": "DELETE INSERT SELECT",
    "fills": "DELETE INSERT SELECT",
    "funding_rates": "INSERT SELECT",
    "heartbeats": "DELETE INSERT SELECT UPDATE",
    "inference_totals": "DELETE INSERT SELECT UPDATE",
    "ingest_cursors": "INSERT SELECT UPDATE",
    "instruments": "INSERT SELECT UPDATE",
    "journal_entries": "DELETE INSERT SELECT",
    "mark_prices": "INSERT SELECT",
    "mcp_tools": "INSERT SELECT",
    "model_calls": "INSERT SELECT UPDATE",
    "news": "INSERT SELECT",
    "notifications": "INSERT SELECT UPDATE(attempts) UPDATE(delivered) UPDATE(error) UPDATE(message)"
    " UPDATE(next_try_at) UPDATE(sent_at) UPDATE(state)",
    "orders": "DELETE INSERT SELECT UPDATE",
    "paper_venues": "SELECT UPDATE(fence) UPDATE(saved_at) UPDATE(state)",
    "profiles": "SELECT",
    "seen_bars": "INSERT SELECT",
    "sim_results": "INSERT SELECT",
    "sim_runs": "DELETE SELECT UPDATE",
    "sim_series": "INSERT SELECT",
    "skill_versions": "SELECT",
    "skills": "SELECT",
    "tool_results": "INSERT SELECT UPDATE(body) UPDATE(came) UPDATE(recorded_at)",
    "trading_accounts": "SELECT UPDATE(engine) UPDATE(fence) UPDATE(heard) UPDATE(holds) UPDATE(last_seq)",
}
"""Everything that the worker may do, by table."""

PEOPLE_MAY = {
    "agent_commands": "INSERT(args) INSERT(deadline_at) INSERT(deployment_id) INSERT(id) INSERT(kind) INSERT(user_id)"
    " SELECT",
    "deployments": "INSERT(account_id) INSERT(config) INSERT(feed) INSERT(id) INSERT(mode) INSERT(skill_version_id)"
    " INSERT(user_id) SELECT",
    "mcp_tools": "DELETE INSERT SELECT UPDATE",
    "paper_venues": "INSERT(account_id) INSERT(user_id) SELECT",
    "profiles": "SELECT UPDATE(settings)",
    "sim_runs": "INSERT(batch) INSERT(config) INSERT(id) INSERT(queued_at) INSERT(skill_version_id) INSERT(user_id)"
    " SELECT UPDATE(finished_at) UPDATE(status)",
    "skill_versions": "INSERT SELECT",
    "skills": "INSERT SELECT UPDATE(archived_at) UPDATE(name)",
    "trading_accounts": "INSERT(id) INSERT(mode) INSERT(start_usd) INSERT(user_id) SELECT",
}
"""What people may do beyond reading, by table: whole rows, or the columns named."""


async def test_every_table_is_closed(admin: Connection) -> None:
    """Row security is on and forced, policies ask who it is, and nobody else was granted anything."""
    assert await faults(admin) == []
    assert {row["name"] for row in await admin.fetch(TABLES_SQL)} == {*USER_ROWS, *SHARED, *PRIVATE}


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("create table planted (user_id uuid not null)", "row security is not enabled"),
        ("create table planted (n int)", "it has no user_id"),
        ("create table planted (user_id uuid not null)", "there is no sample row"),
        (
            "create table planted (user_id uuid not null); alter table planted enable row level security",
            "forced",
        ),
        ("alter table orders no force row level security", "orders: row security is not enabled and forced"),
        ("alter table fills disable row level security", "fills: row security is not enabled and forced"),
        ("drop policy orders_select on orders", "orders: no policy lets people read"),
        ("create policy p on orders for select to authenticated using (true)", "does not ask who they are"),
        ("create policy p on orders for select using (user_id = auth.uid())", "a policy is for ['public']"),
        ("grant select on fills to anon", "fills: anon may SELECT"),
        ("grant select on fills to public", "fills: PUBLIC may SELECT"),
        ("grant select (px) on fills to agentic_app", "fills: agentic_app may SELECT(px)"),
        ("grant delete on news to authenticated", "news: people may DELETE SELECT"),
        ("grant select on heartbeats to authenticated", "heartbeats: people may SELECT"),
        ("alter table heartbeats no force row level security", "heartbeats: row security is not enabled"),
        (
            "create policy p on heartbeats for select to authenticated using (true)",
            "heartbeats: a policy is for ['authenticated']",
        ),
        ("alter table agent_logs drop column user_id cascade", "agent_logs: it has no user_id"),
        ("create view planted as select * from orders", "planted: what is no table"),
        (
            "create function f() returns int language sql security definer as 'select 1'",
            "f: it acts as its owner",
        ),
    ],
)
async def test_an_open_door_is_found(admin: Connection, planted: str, fault: str) -> None:
    """Whatever way a table is left open, the walk through the catalogue says so."""
    await admin.execute(planted)
    assert any(fault in said for said in await faults(admin))


async def test_nobody_sees_or_changes_what_is_anothers(
    database: Database, admin: Connection, owner: UUID, other_user: UUID
) -> None:
    """In every table one's own rows are all there is; writing to others', or in their name, changes nothing."""
    await fill(admin, owner, other_user)
    assert await leaks(database, admin, owner, other_user, USER_ROWS) == []


@pytest.mark.parametrize(
    ("planted", "leak"),
    [
        ("grant select, insert, update, delete on notes to authenticated", "saw the rows"),
        ("grant select, update on notes to authenticated", "update notes set body"),
        ("grant select, delete on notes to authenticated", "delete from notes"),
        ("grant select, truncate on notes to authenticated", "truncate notes"),
        ("grant select, insert on notes to authenticated", "insert into notes"),
        (
            "grant select, update on notes to authenticated; alter table notes enable row level security;"
            " create policy r on notes for select to authenticated using (user_id = auth.uid());"
            " create policy w on notes for update to authenticated using (user_id = auth.uid()) with check (true)",
            "update notes set user_id",
        ),
    ],
)
async def test_an_open_door_is_walked_through(
    database: Database, admin: Connection, owner: UUID, other_user: UUID, planted: str, leak: str
) -> None:
    """The trial is a real one: where a table is open, it gets in."""
    await admin.execute("create table notes (user_id uuid, body text default 'x')")
    await admin.execute("insert into notes values ($1), ($2)", owner, other_user)
    await admin.execute(planted)
    rows = {"notes": "insert into notes (user_id) values ($1)"}
    assert any(leak in found for found in await leaks(database, admin, owner, other_user, rows))


async def test_with_nobody_signed_in_there_is_nothing(
    database: Database, admin: Connection, owner: UUID, other_user: UUID
) -> None:
    """The program's own login may not even look; as a person that nobody is, every user table is empty."""
    await fill(admin, owner, other_user)
    async with database._pool.acquire() as connection:
        for table in [*USER_ROWS, *SHARED]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select * from {table}")
        for claims in ("", "{}", '{"role": "authenticated"}'):
            async with connection.transaction():
                await connection.execute("set local role authenticated")
                await connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
                seen = {
                    table: await connection.fetchval(f"select count(*) from {table}") for table in USER_ROWS
                }
            assert seen == dict.fromkeys(USER_ROWS, 0)


async def test_what_is_the_programs_own_is_seen_by_no_person(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Its processes, and its lines of the log that are about nobody."""
    await fill(admin, owner)
    await admin.execute("insert into agent_logs (at, level, event) values (now(), 'info', 'mine')")
    async with database.as_user(owner) as connection:
        assert [row["event"] for row in await connection.fetch("select event from agent_logs")] == ["e"]
    async with database.as_worker() as connection:
        assert await connection.fetchval("select count(*) from agent_logs") == 2
        assert await connection.fetchval("select count(*) from heartbeats") == 0
    with pytest.raises(NotPermitted):
        async with database.as_user(owner) as connection:
            await connection.execute("select owner from heartbeats")


async def test_market_data_is_read_by_all_and_written_by_the_worker(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """People see it and can change none of it, not even as the administrator of their own rows."""
    await fill(admin)
    for table, insert in SHARED_ROWS.items():
        async with database.as_user(owner) as connection:
            assert await connection.fetchval(f"select count(*) from {table}") == 1
        async with database.as_worker() as connection:
            assert await connection.fetchval(f"select count(*) from {table}") == 1
        for attack in (
            insert,
            f"delete from {table}",
            f"truncate {table}",
            f"update {table} set source = 'me'",
        ):
            with pytest.raises(NotPermitted):
                async with database.as_user(owner) as connection:
                    await connection.execute(attack)


async def test_the_worker_may_do_what_is_listed_and_no_more(admin: Connection) -> None:
    """Whoever widens its rights writes them down here too."""
    assert await grants(admin, "agentic_worker") == WORKER_MAY


async def test_people_may_do_what_is_listed_and_no_more(admin: Connection) -> None:
    """They read all of theirs, and write skills, versions, wishes for runs, settings, and what they approve."""
    expected = {table: PEOPLE_MAY.get(table, "SELECT") for table in [*USER_ROWS, *SHARED]}
    assert await grants(admin, "authenticated") == expected


@pytest.mark.parametrize("role", ["agentic_app", "agentic_worker", "authenticated", "anon"])
async def test_no_role_that_the_program_uses_is_above_row_security(admin: Connection, role: str) -> None:
    """None is a superuser, goes round row security, makes roles or databases, or owns anything."""
    row = await admin.fetchrow(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,"
        " (select count(*) from pg_class where relowner = r.oid)"
        " + (select count(*) from pg_proc where proowner = r.oid)"
        " + (select count(*) from pg_namespace where nspowner = r.oid) as owns"
        " from pg_roles r where rolname = $1",
        role,
    )
    assert dict(row) == {
        "rolsuper": False,
        "rolbypassrls": False,
        "rolcreaterole": False,
        "rolcreatedb": False,
        "rolreplication": False,
        "owns": 0,
    }


@pytest.mark.parametrize("table", ["auth.users", "supabase_migrations.schema_migrations"])
async def test_who_there_is_and_what_was_migrated_is_the_administrators(
    database: Database, owner: UUID, table: str
) -> None:
    """Neither a person nor the worker can read it."""
    for act in (database.as_user(owner), database.as_worker()):
        with pytest.raises(NotPermitted):
            async with act as connection:
                await connection.fetch(f"select * from {table}")


async def test_a_person_cant_hang_a_row_on_somebody_elses(
    database: Database, admin: Connection, owner: UUID, other_user: UUID
) -> None:
    """Under one's own name, but of another's skill or version: refused, as if there were none."""
    await fill(admin, owner, other_user)
    theirs = f"sample('{other_user}', 'skill')"
    for sql in (
        f"insert into skill_versions (id, user_id, skill_id, number, digest, body, spec) values"
        f" (gen_random_uuid(), '{owner}', {theirs}, 7, 'mine', '', '{{}}')",
        f"insert into sim_runs (id, user_id, skill_version_id, config) values"
        f" (gen_random_uuid(), '{owner}', sample('{other_user}', 'version'), '{{}}')",
        f"insert into deployments (id, user_id, skill_version_id, account_id, mode, feed, config) values"
        f" (gen_random_uuid(), '{owner}', sample('{owner}', 'version'), sample('{other_user}', 'account'), 'paper',"
        " 'live', '{}')",
        f"insert into agent_commands (id, user_id, deployment_id, kind, deadline_at) values"
        f" (gen_random_uuid(), '{owner}', sample('{other_user}', 'deployment'), 'stop', now())",
    ):
        with pytest.raises(DatabaseError, match="foreign key"):
            async with database.as_user(owner) as connection:
                await connection.execute(sql)


@pytest.mark.parametrize("status", ["queued", "running", "done", "failed", "cancelled", "interrupted"])
async def test_all_that_a_person_can_make_of_a_run_is_to_cancel_it(
    database: Database, admin: Connection, owner: UUID, status: str
) -> None:
    """Only while it is not over; and nothing else can be said of it by hand."""
    await fill(admin, owner)
    await admin.execute("update sim_runs set status = $1", status)
    for wish in ("queued", "running", "done", "failed", "interrupted", "cancelled"):
        allowed = wish == "cancelled" and status in ("queued", "running", "interrupted")
        changed = "UPDATE 0"
        try:
            async with database.as_user(owner) as connection:
                changed = await connection.execute(f"update sim_runs set status = '{wish}'")
        except NotPermitted:
            pass
        assert (changed == "UPDATE 1") == allowed, (status, wish)


async def test_only_the_worker_forgets_and_only_what_was_made_up(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """The one function that may delete market data takes the synthetic, and no person can call it."""
    await fill(admin)
    with pytest.raises(NotPermitted):
        async with database.as_user(owner) as connection:
            await connection.execute("select forget_made_up('BTC')")
    async with database.as_worker() as connection:
        assert await connection.fetchval("select forget_made_up('BTC')") == 0
    await admin.execute("update bars set source = 'synthetic'")
    async with database.as_worker() as connection:
        assert await connection.fetchval("select forget_made_up('ETH') + forget_made_up('BTC')") == 1
