-- Simulation runs, their results, and their series in chunks of bars.
-- A person asks for a run and may cancel it; all else is written by the worker.
create table public.sim_runs (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  skill_version_id uuid not null,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  config jsonb not null,
  manifest jsonb,
  warnings jsonb not null default '[]',
  error text,
  progress real not null default 0 check (progress between 0 and 1),
  checkpoint bytea,
  heartbeat timestamptz,
  worker text,
  report_path text,
  unique (user_id, id),
  foreign key (user_id, skill_version_id) references public.skill_versions (user_id, id) on delete cascade
);
create index sim_runs_of_user on public.sim_runs (user_id, created_at desc);
create index sim_runs_of_version on public.sim_runs (skill_version_id);
create index sim_runs_waiting on public.sim_runs (created_at) where status in ('queued', 'running');

create table public.sim_results (
  run_id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  metrics jsonb not null,
  digests jsonb not null,
  baselines jsonb not null default '{}',
  created_at timestamptz not null default now(),
  foreign key (user_id, run_id) references public.sim_runs (user_id, id) on delete cascade
);
create index sim_results_of_user on public.sim_results (user_id);

-- One row for a chunk of bars: the arrays are of one length, `ts` in UTC ms.
create table public.sim_series (
  user_id uuid not null references auth.users (id) on delete cascade,
  run_id uuid not null,
  seq int not null,
  first_ts bigint not null,
  ts bigint[] not null,
  equity numeric[] not null,
  ticks smallint[] not null,
  primary key (run_id, seq),
  foreign key (user_id, run_id) references public.sim_runs (user_id, id) on delete cascade
);
-- Not compressed: that would take three times as long as all the rest of a write, to save a third of the room.
alter table public.sim_series alter column ts set storage external, alter column equity set storage external;
create index sim_series_of_user on public.sim_series (user_id);

alter table public.sim_runs enable row level security;
alter table public.sim_runs force row level security;
revoke all on public.sim_runs from public, anon, authenticated, service_role;
grant select, insert (id, user_id, skill_version_id, config), update (status, finished_at)
  on public.sim_runs to authenticated;
grant select, update, delete on public.sim_runs to agentic_worker;
create policy sim_runs_select on public.sim_runs for select to authenticated using (user_id = (select auth.uid()));
create policy sim_runs_insert on public.sim_runs for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy sim_runs_cancel on public.sim_runs for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()) and status = 'cancelled');
create policy sim_runs_worker_select on public.sim_runs for select to agentic_worker using (true);
create policy sim_runs_worker_update on public.sim_runs for update to agentic_worker using (true) with check (true);
create policy sim_runs_worker_delete on public.sim_runs for delete to agentic_worker using (true);

alter table public.sim_results enable row level security;
alter table public.sim_results force row level security;
revoke all on public.sim_results from public, anon, authenticated, service_role;
grant select on public.sim_results to authenticated;
grant select, insert on public.sim_results to agentic_worker;
create policy sim_results_select on public.sim_results for select to authenticated
  using (user_id = (select auth.uid()));
create policy sim_results_worker_select on public.sim_results for select to agentic_worker using (true);
create policy sim_results_worker_insert on public.sim_results for insert to agentic_worker with check (true);

alter table public.sim_series enable row level security;
alter table public.sim_series force row level security;
revoke all on public.sim_series from public, anon, authenticated, service_role;
grant select on public.sim_series to authenticated;
grant select, insert on public.sim_series to agentic_worker;
create policy sim_series_select on public.sim_series for select to authenticated
  using (user_id = (select auth.uid()));
create policy sim_series_worker_select on public.sim_series for select to agentic_worker using (true);
create policy sim_series_worker_insert on public.sim_series for insert to agentic_worker with check (true);
