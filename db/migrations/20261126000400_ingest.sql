-- How far each source of market data has been read, and how it fares. The program's own: no person sees it.
--
-- A source is read by one process at a time: whoever takes it has it until `taken_until`, and what is read is kept
-- only while that is so. A row for each source.
create table public.ingest_cursors (
  source text primary key check (length(source) between 1 and 40),
  cursor jsonb check (length(cursor::text) <= 10000),  -- where to go on; null: from the beginning
  owner text check (length(owner) <= 200),
  taken_until timestamptz,
  pulled_at timestamptz,              -- when it last answered
  rows bigint not null default 0,     -- what has come in from it, revisions included
  failures int not null default 0,    -- how often in a row it has not answered
  error text check (length(error) <= 500)
) with (fillfactor = 50);

alter table public.ingest_cursors enable row level security;
alter table public.ingest_cursors force row level security;
revoke all on public.ingest_cursors from public, anon, authenticated, service_role;
grant select, insert, update on public.ingest_cursors to agentic_worker;
create policy ingest_cursors_worker_select on public.ingest_cursors for select to agentic_worker using (true);
create policy ingest_cursors_worker_insert on public.ingest_cursors for insert to agentic_worker with check (true);
create policy ingest_cursors_worker_update on public.ingest_cursors for update to agentic_worker
  using (true) with check (true);
