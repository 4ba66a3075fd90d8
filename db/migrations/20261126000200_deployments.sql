-- Deployments: what people let run, what they tell it, and what it shows of itself while it runs.
--
-- A person asks for a deployment and sends it commands; all else is written by the worker. A deployment's steps are those
-- of domain/deployments.py; its orders, fills, journal and decisions are in its account's tables.
--
-- What grows, how much, and for how long it is kept (sizes measured, with indexes). `db.retention.forget_old` forgets.
--   equity_points  a row a bar and account, 140 bytes: 74 MB an account and year at one a minute. Read by account and time,
--                  which is its key. Kept whole for 30 days, then the last of each hour (1 MB a year), a replay's for good.
--   agent_logs     200 bytes and its values a line. Read newest first by deployment, (deployment_id, id), or by person,
--                  (user_id, id). Kept for 14 days; the oldest are the first of its key.
--   seen_bars      a row a bar, symbol and deployment on a made-up or live market, 240 bytes: 126 MB a year at one a minute.
--                  Read by its key. Kept as long as its deployment: what happened is compared with the simulator by them.
--   decision_snapshots (an earlier migration) 2 to 20 kB a tick in which something was done or tried. Read by account and
--                  tick. Kept for good: they are what a person is owed an answer from. Over 100 GB it is to be
--                  partitioned by month of `tick_ts`; nothing refers to its rows.
--   agent_commands, deployments, agent_state, heartbeats: a few rows each; kept, the last for a day of silence.
-- Row security keeps the worker from deleting what is younger than that in equity_points and agent_logs.
alter table public.trading_accounts add unique (user_id, id, mode);

create table public.deployments (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  skill_version_id uuid not null,
  account_id uuid not null,
  mode text not null,
  feed text not null check (length(feed) between 1 and 200),
  status text not null default 'provisioning' check (status in
    ('provisioning', 'running', 'paused', 'flattening', 'halted', 'stopping', 'stopped', 'failed')),
  reason text check (length(reason) <= 1000),  -- why it stands where it does
  config jsonb not null check (jsonb_typeof(config) = 'object' and length(config::text) <= 65536),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  unique (user_id, id),
  foreign key (user_id, skill_version_id) references public.skill_versions (user_id, id) on delete cascade,
  foreign key (user_id, account_id, mode) references public.trading_accounts (user_id, id, mode) on delete cascade
);
create index deployments_of_user on public.deployments (user_id, id);
create index deployments_of_version on public.deployments (skill_version_id);
create index deployments_of_account on public.deployments (account_id);
create index deployments_that_are_open on public.deployments (id) where status not in ('stopped', 'failed');
create unique index deployments_one_for_an_account on public.deployments (user_id, account_id)
  where status not in ('stopped', 'failed');

-- What a person told a deployment. The row is the truth; a notification only wakes whoever carries it out.
create table public.agent_commands (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  deployment_id uuid not null,
  kind text not null check (kind in ('stop', 'pause', 'resume', 'flatten', 'kill', 'close', 'cancel', 'upgrade',
    'reset_halt', 'acknowledge')),
  args jsonb not null default '{}' check (jsonb_typeof(args) = 'object' and length(args::text) <= 4096),
  state text not null default 'queued' check (state in ('queued', 'acknowledged', 'done', 'failed', 'expired')),
  created_at timestamptz not null default clock_timestamp(),
  acknowledged_at timestamptz,
  finished_at timestamptz,
  deadline_at timestamptz not null,        -- until when somebody must have taken it
  result jsonb,
  error text check (length(error) <= 1000),
  check (deadline_at <= created_at + interval '31 days'),
  foreign key (user_id, deployment_id) references public.deployments (user_id, id) on delete cascade
);
create index agent_commands_of_user on public.agent_commands (user_id);
create index agent_commands_of_deployment on public.agent_commands (deployment_id, id);
create index agent_commands_open on public.agent_commands (deployment_id, created_at, id)
  where state in ('queued', 'acknowledged');
create index agent_commands_waiting on public.agent_commands (deadline_at) where state = 'queued';

-- What a deployment shows of itself: one row each, written again and again, so with room beside it on its page.
create table public.agent_state (
  deployment_id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  owner text not null,
  beat_at timestamptz not null,
  last_tick_at timestamptz,
  next_tick_at timestamptz,
  feed_at timestamptz,                     -- up to when it has seen its market
  equity numeric,
  positions jsonb not null default '{}',
  counts jsonb not null default '{}',
  lateness_ms double precision,
  restarts int not null default 0,
  last_error text,
  stale jsonb not null default '[]',       -- symbols without a fresh price
  foreign key (user_id, deployment_id) references public.deployments (user_id, id) on delete cascade
) with (fillfactor = 50);
create index agent_state_of_user on public.agent_state (user_id);

-- A line without a person is the program's own, and seen by none. deployment_id refers to nothing, so that a line about
-- what is gone is no error. Ids are in the order in which lines came to be seen (see db/agent_logs.py).
create table public.agent_logs (
  id bigint generated always as identity primary key,
  user_id uuid references auth.users (id) on delete cascade,
  deployment_id uuid,
  at timestamptz not null,
  level text not null check (length(level) <= 20),
  event text not null check (length(event) <= 2000),
  body jsonb not null default '{}'
);
create index agent_logs_of_deployment on public.agent_logs (deployment_id, id);
create index agent_logs_of_user on public.agent_logs (user_id, id);

-- A person who goes takes their accounts along, and an account its points: so these need no index of their own for that.
create table public.equity_points (
  account_id uuid not null,
  user_id uuid not null,
  ts timestamptz not null,
  equity numeric not null,
  primary key (account_id, ts),
  foreign key (user_id, account_id) references public.trading_accounts (user_id, id) on delete cascade
);

-- Bars as a deployment saw them, where its market can't be looked up again. Numbers and instants as in `bars`.
create table public.seen_bars (
  deployment_id uuid not null,
  user_id uuid not null,
  symbol text not null,
  interval_ms bigint not null,
  ts bigint not null,
  available_at bigint not null,
  open double precision not null,
  high double precision not null,
  low double precision not null,
  close double precision not null,
  volume double precision not null,
  primary key (deployment_id, symbol, interval_ms, ts, available_at),
  foreign key (user_id, deployment_id) references public.deployments (user_id, id) on delete cascade
);

-- The program's processes, as they show themselves to each other. No person's, so no person sees them.
create table public.heartbeats (
  owner text primary key check (length(owner) between 1 and 200),
  host text not null,
  pid int not null,
  groups text[] not null,
  started_at timestamptz not null,
  beat_at timestamptz not null,
  tree jsonb not null
) with (fillfactor = 50);

alter table public.deployments enable row level security;
alter table public.deployments force row level security;
revoke all on public.deployments from public, anon, authenticated, service_role;
grant select, insert (id, user_id, skill_version_id, account_id, mode, feed, config) on public.deployments
  to authenticated;
grant select, update (skill_version_id, status, reason, started_at, ended_at) on public.deployments to agentic_worker;
create policy deployments_select on public.deployments for select to authenticated
  using (user_id = (select auth.uid()));
create policy deployments_insert on public.deployments for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy deployments_worker_select on public.deployments for select to agentic_worker using (true);
create policy deployments_worker_update on public.deployments for update to agentic_worker
  using (true) with check (true);

alter table public.agent_commands enable row level security;
alter table public.agent_commands force row level security;
revoke all on public.agent_commands from public, anon, authenticated, service_role;
grant select, insert (id, user_id, deployment_id, kind, args, deadline_at) on public.agent_commands to authenticated;
grant select, update (state, acknowledged_at, finished_at, result, error) on public.agent_commands to agentic_worker;
create policy agent_commands_select on public.agent_commands for select to authenticated
  using (user_id = (select auth.uid()));
create policy agent_commands_insert on public.agent_commands for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy agent_commands_worker_select on public.agent_commands for select to agentic_worker using (true);
create policy agent_commands_worker_update on public.agent_commands for update to agentic_worker
  using (state in ('queued', 'acknowledged')) with check (true);

alter table public.agent_state enable row level security;
alter table public.agent_state force row level security;
revoke all on public.agent_state from public, anon, authenticated, service_role;
grant select on public.agent_state to authenticated;
grant select, insert, update on public.agent_state to agentic_worker;
create policy agent_state_select on public.agent_state for select to authenticated
  using (user_id = (select auth.uid()));
create policy agent_state_worker_select on public.agent_state for select to agentic_worker using (true);
create policy agent_state_worker_insert on public.agent_state for insert to agentic_worker with check (true);
create policy agent_state_worker_update on public.agent_state for update to agentic_worker
  using (true) with check (true);

alter table public.agent_logs enable row level security;
alter table public.agent_logs force row level security;
revoke all on public.agent_logs from public, anon, authenticated, service_role;
grant select on public.agent_logs to authenticated;
grant select, insert (user_id, deployment_id, at, level, event, body), delete on public.agent_logs to agentic_worker;
create policy agent_logs_select on public.agent_logs for select to authenticated
  using (user_id = (select auth.uid()));
create policy agent_logs_worker_select on public.agent_logs for select to agentic_worker using (true);
create policy agent_logs_worker_insert on public.agent_logs for insert to agentic_worker with check (true);
create policy agent_logs_worker_delete on public.agent_logs for delete to agentic_worker
  using (at < now() - interval '14 days');

alter table public.equity_points enable row level security;
alter table public.equity_points force row level security;
revoke all on public.equity_points from public, anon, authenticated, service_role;
grant select on public.equity_points to authenticated;
grant select, insert, delete on public.equity_points to agentic_worker;
create policy equity_points_select on public.equity_points for select to authenticated
  using (user_id = (select auth.uid()));
create policy equity_points_worker_select on public.equity_points for select to agentic_worker using (true);
create policy equity_points_worker_insert on public.equity_points for insert to agentic_worker with check (true);
create policy equity_points_worker_delete on public.equity_points for delete to agentic_worker
  using (ts < now() - interval '30 days');

alter table public.seen_bars enable row level security;
alter table public.seen_bars force row level security;
revoke all on public.seen_bars from public, anon, authenticated, service_role;
grant select on public.seen_bars to authenticated;
grant select, insert on public.seen_bars to agentic_worker;
create policy seen_bars_select on public.seen_bars for select to authenticated
  using (user_id = (select auth.uid()));
create policy seen_bars_worker_select on public.seen_bars for select to agentic_worker using (true);
create policy seen_bars_worker_insert on public.seen_bars for insert to agentic_worker with check (true);

alter table public.heartbeats enable row level security;
alter table public.heartbeats force row level security;
revoke all on public.heartbeats from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.heartbeats to agentic_worker;
create policy heartbeats_worker_select on public.heartbeats for select to agentic_worker using (true);
create policy heartbeats_worker_insert on public.heartbeats for insert to agentic_worker with check (true);
create policy heartbeats_worker_update on public.heartbeats for update to agentic_worker using (true) with check (true);
create policy heartbeats_worker_delete on public.heartbeats for delete to agentic_worker using (true);
