-- The program says of itself whether its database is at the schema it was written for.
grant usage on schema supabase_migrations to agentic_worker;
grant select (version, checksum) on supabase_migrations.schema_migrations to agentic_worker;
