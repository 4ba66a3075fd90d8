-- The queue of simulation runs: those that a worker of `agentic up` is to carry out.
--
-- A run is in the queue from `queued_at` on, until a person takes it in hand. A worker takes the run that is next
-- (db/queue.py says which), and one whose worker ended too early goes back. How often in a row that happened without
-- its getting any further is counted, so that a run which kills its workers is not taken for ever.
alter table public.sim_runs
  add column queued_at timestamptz,                  -- null: whoever asked for it carries it out
  add column taken_at timestamptz,                   -- when a worker last took it
  add column attempts int not null default 0,        -- workers in a row that took it where it stands now
  add column attempted_at real not null default 0;   -- its progress when the first of those took it
drop index public.sim_runs_waiting;
create index sim_runs_waiting on public.sim_runs (user_id, queued_at, id)
  where status = 'queued' and queued_at is not null;
create index sim_runs_running on public.sim_runs (heartbeat) where status = 'running';
create index sim_runs_taken on public.sim_runs (user_id, taken_at) where taken_at is not null;
grant insert (queued_at) on public.sim_runs to authenticated;
