-- The program's own roles. Neither owns anything, is a superuser, or goes round row security.
--   agentic_app     the only login. Has no rights of its own; every transaction says as whom it acts:
--   authenticated   a signed-in person (Supabase's role), sees their own rows
--   agentic_worker  the program's own work (runs, imports), has what is granted below by name and no more
-- Roles belong to the whole server, so another database may be making them at this moment.
do $$
begin
  begin
    create role agentic_worker nologin noinherit;
  exception when duplicate_object or unique_violation then null;
  end;
  begin
    create role agentic_app login noinherit;
    alter role agentic_app set statement_timeout = '30s';
    alter role agentic_app set idle_in_transaction_session_timeout = '5min';
    alter role agentic_app set timezone = 'UTC';
  exception when duplicate_object or unique_violation then null;
  end;
  if not (pg_has_role('agentic_app', 'authenticated', 'member') and pg_has_role('agentic_app', 'agentic_worker', 'member')) then
    grant authenticated, agentic_worker to agentic_app;
  end if;
end $$;

grant usage on schema public to agentic_worker;
